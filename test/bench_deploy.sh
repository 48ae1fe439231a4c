#!/bin/bash
# bench_deploy.sh - `make bench-api`, second half: what deployments of a small app take, on the tests' own engine. Medians of
# ROUNDS rounds.

if [ -z "${TEST_NETNS:-}" ]; then
	cd "$(dirname "$0")/.." || exit
	exec test/engine.sh with test/bench_deploy.sh
fi
# shellcheck source=test/lib_cluster.sh
. "$(dirname "$0")/lib_cluster.sh"
# shellcheck source=test/lib_bench.sh
. "$(dirname "$0")/lib_bench.sh"
# A benchmark asserts nothing: no plan.
_tests=-1

# ms TIME: of RFC 3339, since 1970.
ms() {
	date -d "$1" +%s%3N
}

# member NAME: of the JSON on standard input, the first one.
member() {
	grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d'"' -f4
}

# From the typed command to the first answer of the release that is asked for. Version 1 is the push's, WHICH=1 the second.
one_rollback() {
	local want=$((1 + $1 % 2)) start served

	start=$(now_ms)
	flynn rollback "v$((want + 1))" >"$TMP/rollback.log" 2>&1 &
	wait_until 20 "v$want to serve" serves "$want" >&2 || return
	served=$(now_ms)
	wait $! || { cat "$TMP/rollback.log" >&2; return 1; }
	echo $((served - start))
}

serves() {
	[ "$(get bench.localhost /env/WHICH)" = "$1" ]
}

# The milliseconds from a container's start until its program listens.
own_start() {
	local log

	log=$(docker logs -t "$1" 2>/dev/null | grep -m 1 'listening on') || return
	echo $(($(ms "${log%% *}") - $(ms "$(docker inspect -f '{{.State.StartedAt}}' "$1")")))
}

newest_worker() {
	worker_containers | head -n 1
}

# From the release's making to the end of its deployment, less what the app takes to listen.
one_push() {
	local deployment release

	git commit -q --allow-empty -m again
	git push -q flynn master >"$TMP/push.log" 2>&1 || { cat "$TMP/push.log" >&2; return 1; }
	deployment=$(api GET /apps/bench/deployments)
	release=$(api GET "/releases/$(member new_release <<<"$deployment")")
	echo $(($(ms "$(member finished_at <<<"$deployment")") - $(ms "$(member created_at <<<"$release")") - $(own_start "$(newest_worker)")))
}

# From the program's first sign of life to the event at a subscriber of the app's jobs.
one_event() {
	local log

	flynn scale web=1 >/dev/null || return
	curl -fskN -u ":$KEY" -H 'Accept: text/event-stream' "https://$DOMAIN/apps/bench/jobs" 2>/dev/null |
		perl -MTime::HiRes=time -ne 'BEGIN { $| = 1 } printf "%d\n", 1000 * time if /^event: up/' >"$TMP/events" &
	flynn scale web=2 >/dev/null || return
	wait_until 20 "the event" test -s "$TMP/events" >&2 || return
	kill $! 2>/dev/null
	log=$(docker logs -t "$(newest_worker)" 2>/dev/null | grep -m 1 'listening on') || return
	echo $(($(head -n 1 "$TMP/events") - $(ms "${log%% *}")))
}

bench_app
flynn env set WHICH=1 >/dev/null 2>&1 || die "no environment can be set"
flynn env set WHICH=2 >/dev/null 2>&1
wait_until 20 "the app to answer" serves 2 || die "the app does not answer"

row "rollback of a small app, from the command to the first answer" "$(rounds one_rollback | seconds)" "2 s"
row "a push's deploy phase, without the app's own start" "$(rounds one_push | seconds)" "2 s"
row "an instance listens until a subscriber has the event" "$(rounds one_event) ms" "50 ms"
