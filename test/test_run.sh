#!/bin/bash
# The walk of the README as typed, on a cluster that `make run` made; then stop, run, destroy.
. "$(dirname "$0")/lib_cluster.sh"

# `make run` as it is, but that this machine has packages, engine, binaries and images already.
cluster() {
	env FLYNN_STATE="$TMP/state" CACHE="$TMP/cache" BUILD="$TMP/build" FLYNN_KEEP_IMAGES=1 \
		"$ROOT/docker/cluster.sh" "$@"
}

# ports N NAME: N different instances have answered under NAME.
ports() {
	local i seen=

	for ((i = 0; i < 4 * $1; i++)); do
		seen+=$(get "$2" | sed -n 's/^Hello from Flynn on port \([0-9]*\)$/\1/p')$'\n'
	done
	[ "$(sort -u <<<"$seen" | grep -c .)" -eq "$1" ]
}

engine_empty
developer

run=$(cluster run 2>&1)
is "make run succeeds" $? 0 || { note "$run"; show_logs; exit 1; }
like "it says which domain it picked" "$run" 'domain localhost'
like "it shows the steps of bootstrap" "$run" '^[0-9:.]+ run-app postgres$'
cluster_line "$(tail -n 1 <<<"$run")"
like "it ends with the line to paste" "$LINE" \
	'^flynn server-add -g localhost:2222 -p [A-Za-z0-9+/=]+ default https://localhost [0-9a-f]+$'
is "what it remembers is root's alone" "$(stat -c %a "$TMP/state/cluster")" 600

start=$(now_ms)
again=$(cluster run)
took=$(($(now_ms) - start))
like "make run again sees a living cluster" "$again" 'alive'
is "make run again prints the same line" "$(tail -n 1 <<<"$again")" "$LINE"
ok "make run again takes less than 2 s ($took ms)" [ $took -lt 2000 ]

# shellcheck disable=SC2086 # the shell splits it as it would when pasted
ok "the line works when pasted" $LINE
like "flynn key-add" "$(flynn key-add 2>&1)" '^Key ([0-9a-f]{2}:){15}[0-9a-f]{2} added\.$'
new_app procfile example
is "flynn create" "$(flynn create example 2>&1)" 'Created example'
is "flynn create adds the git remote" "$(git remote)" flynn
push=$(git push flynn master 2>&1)
is "git push flynn master" $? 0 || { note "$push"; show_logs; exit 1; }
like "the push ends with the application deployed" "$push" '=====> Application deployed'
ok "flynn scale web=3" flynn scale web=3
like "flynn route-add-http" "$(flynn route-add-http example.localhost 2>&1)" '^http/[0-9a-f]{32}$'
ok "three workers answer" wait_until 10 "three instances to answer" ports 3 example.localhost

for address in 127.0.0.1 "[::1]" "$HOST"; do
	ok "port 80 answers on $address" curl -fsS --max-time 5 -H 'Host: example.localhost' "http://$address/"
	ok "port 443 answers on $address" curl -fskS --max-time 5 --connect-to "::$address:443" https://localhost/ping
done
like "port 2222 speaks SSH" "$(timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/2222; head -c 4 <&3')" '^SSH-'

mv "$TMP/state/cluster" "$TMP/kept"
fails_with "a cluster of which nothing is remembered is not touched" 1 "container flynn-host.*make destroy" cluster run
mv "$TMP/kept" "$TMP/state/cluster"
ok "it serves on" get example.localhost

ok "make stop" cluster stop
is "nothing runs after make stop" "$(docker ps -q)" ""
back=$(cluster run 2>&1)
is "make run brings it back" $? 0 || { note "$back"; show_logs; exit 1; }
is "key and pin are as before" "$(tail -n 1 <<<"$back")" "$LINE"
ok "the app is back, three times" wait_until 30 "three instances to answer" ports 3 example.localhost
like "the route is as before" "$(flynn routes 2>&1)" 'example\.localhost'

check_sanitizers
docker run -d --name bystander flynn/base:system sleep 600 >/dev/null
docker volume create bystander >/dev/null
# As in a container without privileges, where the kernel's settings can only be read.
echo 0 >"$TMP/state/reserved-ports"
export -f cluster
export TMP ROOT
ok "make destroy" unshare --mount bash -c 'mount --bind /proc/sys /proc/sys &&
	mount -o remount,bind,ro /proc/sys && cluster destroy'
is "only the bystander is left of containers" "$(docker ps -a --format '{{.Names}}')" bystander
is "only the bystander is left of volumes" "$(docker volume ls -q)" bystander
ok "nothing is remembered" [ ! -e "$TMP/state" ]
docker rm -f bystander >/dev/null
