#!/bin/bash
# What a part that is away, or a full disk, does to a command: one sentence that says so, nothing lost,
# and work goes on when it is back.
. "$(dirname "$0")/lib_cluster.sh"

cluster_start
developer
flynn key-add 2>/dev/null

# ---- no disk ----------------------------------------------------------------------------------

# A small file system in place of shelf's volume; it takes its place when shelf is started again.
small_disk() {
	local shelf

	shelf=$(part shelf)
	DISK=$(docker inspect -f '{{range .Mounts}}{{.Source}}{{end}}' "$shelf")
	mount -t tmpfs -o "size=4m,mode=700,uid=$(stat -c %u "$DISK"),gid=$(stat -c %g "$DISK")" tmpfs "$DISK" || return
	at_end umount -l "$DISK"
	docker kill "$shelf" >/dev/null
	wait_until 20 "shelf on the small disk" on_small_disk
}

on_small_disk() {
	[ "$(docker exec "$(part shelf)" stat -f -c %T /data)" = tmpfs ]
}

new_app node-hello big
head -c 8000000 /dev/urandom >ballast
git add -A
git commit -q -m ballast
flynn create big 2>/dev/null
small_disk || die "cannot give shelf a small disk"
out=$(git push flynn master 2>&1)
is "a push onto a full disk is declined" $? 1 || note "$out"
like "with cause and cure" "$out" 'the slug could not be stored: .*the disk is full: .* make room'
is "and no job was started" "$(flynn -a big ps -a 2>&1)" ""
is "nothing half made stays" "$(find "$DISK" -type f -size +0 | wc -l)" 0
mount -o remount,size=400m "$DISK"
out=$(git push flynn master 2>&1)
is "with room again the same push goes through" $? 0 || { note "$out"; show_logs; }
flynn route-add-http big.localhost >/dev/null
ok "and the app serves" wait_until 10 "the app" greets big

# ---- etcd ---------------------------------------------------------------------------------------

etcd=$(part etcd)
docker pause "$etcd" >/dev/null
fails_with "a route while etcd is away says so" 1 'cannot store the route in etcd' flynn route-add-http other.localhost
ok "a scale does not need it" flynn scale web=2
ok "and the app serves" greets big
docker unpause "$etcd" >/dev/null
ok "etcd back: the route can be added" wait_until 20 "the route" bash -c 'flynn route | grep -q other.localhost || flynn route-add-http other.localhost'

# ---- the engine -----------------------------------------------------------------------------------

"$ROOT/test/engine.sh" kill
fails_with "without an engine a scale says what is away" 1 '^flynn: .+' timeout 60 flynn scale web=3
ok "the app serves" greets big
"$ROOT/test/engine.sh" again >/dev/null
docker start flynn-host >/dev/null 2>&1
ok "the engine back: the app serves" wait_until 60 "the app" greets big
ok "the controller answers" wait_until 60 "the controller" controller_answers
ok "and a scale is done" flynn scale web=3
