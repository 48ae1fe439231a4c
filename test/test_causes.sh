#!/bin/bash
# Deployments that fail, each for another cause and with its sentence; health checks; the release phase. A steady load on
# what ran before loses no request meanwhile.
. "$(dirname "$0")/lib_cluster.sh"

cluster_start
developer
flynn key-add 2>/dev/null

deployment_ended() {
	api GET "/deployments/$1" | jq -e .finished_at
}

# deploy_as JQ: the app's release, changed so, is deployed; prints what became of it.
deploy_as() {
	local release deployment

	release=$(api POST /releases "$(api GET /apps/sick/release | jq -c "del(.id, .created_at) | $1")" | jq -r .id)
	deployment=$(api POST /apps/sick/deploy "{\"id\":\"$release\"}" | jq -r .id)
	wait_until 30 "the deployment to end" deployment_ended "$deployment" || return
	api GET "/deployments/$deployment" | jq -r '.status + ": " + (.error // "")'
}

# ill WHAT ILLNESS SENTENCE
ill() {
	fails_with "$1" 1 "is not deployed: $3" flynn env set "ILLNESS=$2"
}

new_app sick sick
flynn create sick 2>/dev/null
out=$(git push flynn master 2>&1) || { note "$out"; show_logs; exit 1; }
like "a first push is a deployment, too" "$(flynn deployment)" ' complete '
like "which says how many run" "$out" 'Added default web=1 formation'
flynn route-add-http sick.localhost >/dev/null
flynn scale web=3 >/dev/null
wait_until 10 "the app" get sick.localhost || die "the app does not answer"

# ---- health ---------------------------------------------------------------------------------------

like "health is asked for by a connection" "$(flynn health)" '^web +tcp +30s$'
like "health set is a new release" "$(flynn health set web timeout=2s 2>&1)" '^Created release [0-9a-f]{32}\.$'
like "of which it is a part" "$(flynn health)" '^web +tcp +2s$'
like "as JSON" "$(flynn --json health)" '"type":"web","check":"tcp","timeout_s":2'
fails_with "of a type that serves nothing it cannot be asked" 1 'missing has no port that is a service' flynn health set missing timeout=3s
fails_with "nor of one that is not there" 1 'no process type "nope"' flynn health set nope timeout=3s
fails_with "a path is one" 1 'begins with /' flynn health set web path=up
fails_with "a time is one" 1 'timeout=0: write, say, 30s or 2m' flynn health set web timeout=0
fails_with "a status belongs to a path" 1 'name the path' flynn health set web status=204
fails_with "and a wrong word is told" 1 '"interval=3" is none of path=PATH' flynn health set web interval=3

# ---- how ------------------------------------------------------------------------------------------

is "jobs are replaced one by one" "$(flynn deployment strategy)" one-by-one
flynn deployment strategy in-batches
flynn deployment batch-size 2
flynn deployment timeout 3m
is "or as the app is told" "$(flynn deployment strategy) $(flynn deployment batch-size) $(flynn deployment timeout)" "in-batches 2 180s"
flynn env set HOW=batches 2>/dev/null
like "as a deployment says" "$(flynn deployment show "$(flynn deployment | awk 'NR == 2 { print $1 }')")" '^strategy: +in-batches$'
flynn deployment strategy default
is "and again by default" "$(flynn deployment strategy)" one-by-one
fails_with "a strategy is one of four" 1 '"blue-green" is no strategy: it is one-by-one' flynn deployment strategy blue-green
fails_with "a batch is a number" 1 'is no number from 1 to' flynn deployment batch-size 0

# ---- causes -----------------------------------------------------------------------------------------

# An image of another architecture, with a shell that is a header and nothing more.
mkdir -p "$TMP/root/bin" "$TMP/image"
printf '\177ELF\002\001\001%09d\002\000\267\000%44d' 0 0 | tr '0 ' '\000' >"$TMP/root/bin/sh"
chmod +x "$TMP/root/bin/sh"
tar -C "$TMP/root" -cf "$TMP/image/layer.tar" .
printf '{"architecture":"arm64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
	"$(sha256sum <"$TMP/image/layer.tar" | cut -d ' ' -f 1)" >"$TMP/image/config.json"
echo '[{"Config":"config.json","RepoTags":["flynn/arm:latest"],"Layers":["layer.tar"]}]' >"$TMP/image/manifest.json"
tar -C "$TMP/image" -c . | docker load >/dev/null
at_end sh -c 'docker rmi -f flynn/arm >/dev/null'
arm=$(docker image inspect -f '{{.Id}}' flynn/arm)
arm=$(api POST /artifacts "{\"type\":\"docker\",\"uri\":\"https://registry.hub.docker.com/flynn/arm?id=$arm\"}" | jq -r .id)
before=$(flynn releases | sed -n 2p)

load_start sick.localhost
ill "a process that exits" exits 'web exited 1 after [0-9.]+ s$'
like "with its last lines" "$(flynn deployment show "$(flynn deployment | awk 'NR == 2 { print $1 }')")" '^cannot go on: no database$'
ill "a program that is not there" missing 'web exited 127 after [0-9.]+ s$'
ill "a port of its own" port 'web listens on 8123, but PORT is 55[0-9]{3}$'
ill "the loopback alone" loopback 'web listens only on 127\.0\.0\.1'
ill "nothing at all" silent 'web did not listen on PORT 55[0-9]{3} within 2 s$'
like "a memory limit" "$(deploy_as '.env.ILLNESS = "hungry" | .processes.web.resources.memory = 67108864')" \
	'^failed: web was killed at its memory limit of 64 MB after [0-9.]+ s$'
is "more memory than there is" "$(deploy_as '.processes.web.resources.memory = 70368744177664')" 'failed: no host has 64 TB free'
is "an image for other machines" "$(deploy_as ".artifact = \"$arm\" | del(.artifacts) | .processes.web.cmd = [\"/bin/sh\"]")" \
	'failed: image is arm64, host is amd64'
ok "an HTTP check that is met" flynn health set web path=/up status=200 timeout=2s
like "is shown" "$(flynn health)" '^web +http +/up +200 +2s$'
ill "one that is not" unwell 'GET /up answered 500 for 2 s, and not 200$'
like "goes back to a connection" "$(flynn health unset web 2>&1 && flynn health)" '^web +tcp +30s$'
ok "whatever /up says" flynn env set ILLNESS=unwell
load_lost_nothing "failing deployments"
unlike "and what could not be deployed is no release of the app" "$(flynn releases | sed -n 5p)" "^$before"

# ---- release phase ------------------------------------------------------------------------------------

releases=$(flynn --json releases | jq length)
like "nothing is done where nothing is to be" "$(flynn health unset web 2>&1)" '^Nothing to do: web is asked by a TCP connection within 30s already\.$'
like "nor without a variable" "$(flynn env unset NEVER_SET 2>&1)" '^Nothing to do: app sick has no variable NEVER_SET\.$'
is "and no release is made" "$(flynn --json releases | jq length)" "$releases"
flynn env unset ILLNESS 2>/dev/null
cat >>Procfile <<-'EOF'
	release: echo "migrating to $VERSION"; sleep "${SLEEP:-0}"; case ${ILLNESS:-} in migration) echo "no table users" >&2; exit 1;; esac; echo migrated
EOF
git commit -q -a -m 'a release phase'
flynn env set VERSION=one 2>/dev/null
out=$(git push flynn master 2>&1)
is "a push with a release phase goes through" $? 0 || note "$out"
like "and shows that it runs" "$out" 'Running the release phase\.\.\.'
like "what it says" "$out" 'migrating to one *$'
like "and goes on behind it" "$(sed -n '/migrated/,$p' <<<"$out")" 'Waiting for its jobs to serve'
like "it is a job of its own type" "$(flynn ps -a)" ' release +down '
unlike "that is no part of the formation" "$(flynn scale)" release
fails_with "and cannot be scaled" 1 'release cannot be scaled' flynn scale release=1
out=$(flynn env set VERSION=two 2>&1)
like "a change of the environment runs it, in the new environment" "$out" '^migrating to two$'
out=$(flynn env set ILLNESS=migration 2>&1)
is "one that fails fails the deployment" $? 1
like "with its sentence" "$out" 'is not deployed: release exited 1 after [0-9.]+ s$'
like "and its last lines" "$out" '^no table users$'
is "the release before serves on" "$(flynn env get VERSION)" two
flynn env set SLEEP=1000 >"$TMP/slow.log" 2>&1 &
slow=$!
release_runs() {
	flynn ps | grep -Eq ' release +up '
}
ok "one that takes long" wait_until 10 "the release phase to run" release_runs
like "can be given up" "$(flynn deployment cancel 2>&1)" '^Deployment [0-9a-f]{32} cancelled'
wait $slow
like "by which it is stopped" "$(cat "$TMP/slow.log")" 'it was cancelled'
release_ended() {
	! release_runs
}
ok "and its job, too" wait_until 15 "the release phase to end" release_ended
flynn create fresh -r fresh 2>/dev/null
flynn -a fresh env set ILLNESS=migration 2>/dev/null
out=$(git push fresh master 2>&1)
is "a first push is gated, too" $? 1
like "with the same sentence" "$out" 'release exited 1 after [0-9.]+ s'
is "and nothing of it runs" "$(flynn -a fresh ps | grep -c web)" 0
