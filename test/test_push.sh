#!/bin/bash
# Pushes that must not go through, each with its sentence and without a trace; and what a push may carry.
. "$(dirname "$0")/lib_cluster.sh"

# Sessions, hooks and builders hold no large file: what one of our processes may have resident at its peak.
PEAK_LIMIT_MIB=96

push() {
	git push flynn "$@" 2>&1
}

releases() {
	curl -fsS -u ":$KEY" --cacert /dev/null -k https://localhost/releases | jq length
}

app_release() {
	curl -fsSk -u ":$KEY" "https://localhost/apps/$1/release" | jq -r .id
}

# Jobs that no app owns are builders.
builders() {
	docker ps -q --filter label=flynn.job | while read -r id; do
		docker inspect -f '{{.Config.Image}}' "$id"
	done | grep -cF -e "$(docker image inspect -f '{{.Id}}' flynn/slugbuilder)" -e flynn/slugbuilder || true
}

no_builders() {
	[ "$(builders)" -eq 0 ]
}

cluster_start
developer

# ---- who may push, and where ----------------------------------------------------------------------

new_app procfile example
flynn create example 2>/dev/null
fails_with "a key that is not known is told so, with its fingerprint" any \
	'your SSH key [0-9a-f]{32} is not known to this cluster: .*flynn key-add' \
	env GIT_SSH_COMMAND="$GIT_SSH_COMMAND -o LogLevel=INFO" git push flynn master
flynn key-add 2>/dev/null
git remote add nowhere ssh://git@localhost:2222/nosuchapp.git
fails_with "an app that does not exist is named" any 'Unknown app "nosuchapp": make it with flynn create nosuchapp' \
	git push nowhere master
git remote remove nowhere
fails_with "a branch that is not deployed is declined" any \
	'Branch topic is not deployed: push to master or main, as in git push flynn topic:master' push master:topic
fails_with "master and main at once are declined" any 'Push either master or main, not both' push master master:main
fails_with "only git push is served" any 'Only `git push` is supported here' \
	ssh -F "$HOME/.ssh/config" -p 2222 git@localhost uptime
fails_with "a path that is none is refused" any 'Invalid repo' \
	ssh -F "$HOME/.ssh/config" -p 2222 git@localhost "git-receive-pack '../../etc'"
is "nothing was released" "$(curl -sk -o /dev/null -w '%{http_code}' -u ":$KEY" https://localhost/apps/example/release)" 404

# ---- builds that fail -----------------------------------------------------------------------------

out=$(push master)
is "a good push goes through" $? 0 || { note "$out"; show_logs; exit 1; }
flynn route-add-http example.localhost >/dev/null || die "no route"
like "its app serves when it returns" "$(get example.localhost)" '^Hello from Flynn on port [0-9]+$'
good=$(app_release example)
git tag v1
ok "a tag alone is taken, not deployed" git push flynn v1
fails_with "the branch that runs cannot be deleted" any 'cannot be deleted: it is what runs' push :master

before=$(releases)
git rm -q Procfile && git commit -q -m 'no app any more'
fails_with "a tree that no buildpack fits says what is missing" any \
	'No package.json and no Procfile was found .*BUILDPACK_URL' push master
git reset -q --hard HEAD~
cp "$ROOT/test/apps/failing-build/package.json" . && git add -A && git commit -q -m 'failing build'
fails_with "a build that fails says which step did" any "Build failed: buildpack nodejs's compile exited 1" push master
is "a failed build leaves no release" "$(releases)" "$before"
is "a failed build leaves the release as it was" "$(app_release example)" "$good"
like "a failed build leaves the app serving" "$(get example.localhost)" '^Hello from Flynn'
ok "a failed build leaves no builder" wait_until 10 "the builder to go" no_builders
git reset -q --hard HEAD~

# ---- builds that are given up -----------------------------------------------------------------------

mkdir -p buildpack/bin
printf '#!/bin/sh\necho Slow\n' >buildpack/bin/detect
printf '#!/bin/sh\necho compiling for long\nsleep 300\n' >buildpack/bin/compile
printf '#!/bin/sh\necho "--- {}"\n' >buildpack/bin/release
chmod +x buildpack/bin/*
git init -q "$TMP/slow" && cp -R buildpack/bin "$TMP/slow" && git -C "$TMP/slow" add -A && git -C "$TMP/slow" commit -q -m slow
rm -r buildpack
git clone -q --bare "$TMP/slow" "$TMP/served/slow.git"
git daemon --reuseaddr --export-all --base-path="$TMP/served" --port=9418 --pid-file="$TMP/daemon.pid" --detach \
	"$TMP/served" 2>/dev/null
at_end sh -c "kill \$(cat $TMP/daemon.pid)"
flynn env set "BUILDPACK_URL=git://$HOST/slow.git" 2>/dev/null || die "no BUILDPACK_URL"
git commit -q --allow-empty -m 'to be given up'
setsid git push flynn master >"$TMP/push.log" 2>&1 &
pusher=$!
ok "a custom buildpack builds" wait_until 30 "the build to be under way" grep -q 'compiling for long' "$TMP/push.log" ||
	note "$(cat "$TMP/push.log")"
fails_with "a second push meanwhile is told of the first" any 'Another push to example is being built' push master
kill -TERM -- -$pusher # a shell in the background would have it ignore SIGINT
wait $pusher
ok "Ctrl-C ends the build" wait_until 10 "the builder to go" no_builders
printf '#!/bin/sh\nmkdir -p "$1"; echo quick\n' >"$TMP/slow/bin/compile"
git -C "$TMP/slow" commit -q -a -m quick && git -C "$TMP/slow" push -q "$TMP/served/slow.git" master
out=$(push master)
is "the next push goes through" $? 0 || note "$out"
like "and is built by the custom buildpack, fetched again" "$out" 'quick'
printf '#!/bin/sh\necho compiling until told\nuntil git ls-remote --exit-code git://%s/slow.git go; do sleep 0.1; done\n' "$HOST" \
	>"$TMP/slow/bin/compile"
git -C "$TMP/slow" commit -q -a -m 'until told' && git -C "$TMP/slow" push -q "$TMP/served/slow.git" master
git commit -q --allow-empty -m 'takes its time'
git push flynn master >"$TMP/push.log" 2>&1 &
pusher=$!
wait_until 30 "the build to be under way" grep -q 'compiling until told' "$TMP/push.log"
ok "a variable is set during a build" flynn env set MEANWHILE=kept
git -C "$TMP/slow" push -q "$TMP/served/slow.git" master:go
wait $pusher
is "and the push goes through" $? 0
is "with what was set meanwhile" "$(flynn env get MEANWHILE 2>&1)" kept
flynn env unset BUILDPACK_URL 2>/dev/null

# ---- deployments that fail --------------------------------------------------------------------------

good=$(app_release example)
printf 'web: echo no database; exit 7\n' >Procfile
git commit -q -a -m 'exits at once'
out=$(push master)
is "a push whose app exits at once is declined" $? 1
like "with the sentence why" "$out" 'web exited 7 after [0-9.]+ s'
like "and what it said" "$out" 'no database'
is "the release before is set again" "$(app_release example)" "$good"
like "and has served all the while" "$(get example.localhost)" '^Hello from Flynn'
git reset -q --hard HEAD~

# ---- what a push may carry ----------------------------------------------------------------------------

(while :; do get example.localhost >/dev/null || echo lost; done >"$TMP/requests.log" 2>&1) &
requests=$!
echo '# changed' >>web.pl && git commit -q -a -m changed
git update-index --add --cacheinfo "160000,$(git rev-parse HEAD),vendor/lib" && git commit -q -m 'a submodule'
start=$(now_ms)
out=$(push master)
is "a changed app goes through" $? 0 || note "$out"
note "push of a small app: $(($(now_ms) - start)) ms"
like "it is told that the submodule stays behind" "$out" 'The submodule vendor/lib is no part of a push'
kill $requests
wait $requests 2>/dev/null
is "no request was lost in the switch" "$(grep -c lost "$TMP/requests.log")" 0
git checkout -q -b main && git commit -q --allow-empty -m main
ok "main is deployed as well" push main

cd "$TMP" && new_app procfile-crlf crlf
flynn create crlf 2>/dev/null
flynn env set EARLY=1 2>/dev/null
like "a Procfile with CRLF, tabs and comments is read" "$(push master)" 'Procfile declares types -> web, worker$|web, worker'
fails_with "what was set before the first push is nothing to go back to" 1 'app crlf has no release to go back to' flynn rollback

cd "$TMP" && new_app procfile big
flynn create big 2>/dev/null
# Random, so that nothing shrinks it on the way.
head -c 300M /dev/urandom >large.bin
git add -A && git commit -q -m '300 MB'
peak=0
push master >"$TMP/big.log" 2>&1 &
pusher=$!
while kill -0 $pusher 2>/dev/null; do
	for pid in $(pgrep -f '^(/proc/self/exe session|.*pre-receive|/usr/bin/flynn-)'); do
		rss=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2>/dev/null)
		[ "${rss:-0}" -le "$peak" ] || { peak=$rss; who=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null); }
	done
	read -rt 0.1 <> <(:)
done
wait $pusher
is "300 MB are pushed" $? 0 || note "$(tail -n 5 "$TMP/big.log")"
note "largest process of ours: $((peak / 1024)) MiB, ${who:-none}"
# A sanitizer's own memory says nothing of ours.
[ -n "${SAN:-}" ] || ok "and none of our processes held them" [ $((peak / 1024)) -lt $PEAK_LIMIT_MIB ]

# ---- clients that stall ---------------------------------------------------------------------------------

flynn -a gitreceive env set IDLE_TIMEOUT=2 >/dev/null 2>&1 || die "gitreceive takes no IDLE_TIMEOUT"
mkfifo "$TMP/silent"
# shellcheck disable=SC2016 # another shell's
fails_with "a client that begins a push and says no more is not waited for" any \
	'Nothing was heard from your side for 2 s, so this push is ended' \
	timeout 30 bash -c 'ssh -F "$HOME/.ssh/config" -p 2222 git@localhost "git-receive-pack /crlf.git" 2>&1 >/dev/null' <>"$TMP/silent"
cd "$TMP/crlf" && git commit -q --allow-empty -m again
ok "so others can push" push master

# More of them than there may be sessions, who would keep others out for 30 s.
id=$(api GET /apps/crlf | jq -r .id)
# shellcheck disable=SC2034 # they are held open until we end
for i in {1..70}; do
	exec {stalled}<>/dev/tcp/localhost/2222
done
flynn -a crlf delete -y 2>/dev/null || die "crlf cannot be deleted"
cd "$TMP/example" && git commit -q --allow-empty -m 'past those that stall'
ok "clients that do not log in keep nobody out" push main

repositories() {
	docker exec "$(part gitreceive)" ls /var/lib/flynn-gitreceive
}

is_forgotten() {
	! repositories | grep "$1"
}
ok "a push takes the repositories of deleted apps away" wait_until 10 "the repository of crlf to go" is_forgotten "$id"
like "and no other" "$(repositories)" "^$(api GET /apps/example | jq -r .id).git$"
