#!/bin/bash
# test_scheduler.sh - what the scheduler makes of what it did not see, with a controller on a PostgreSQL of its own and
# stand-ins for hosts and discoverd.
# shellcheck source=test/lib_controller.sh
. "$(dirname "$0")/lib_controller.sh"

# shellcheck disable=SC2154 # lib_controller.sh sets them
start_controller a "$a_port" PGHOST=127.0.0.1 PGPORT="$pg_port"
# shellcheck disable=SC2034 # of lib_controller.sh's api
PORT=$a_port
wait_until 10 "the controller" listens "$a_port" || die "$(cat "$TMP/a.log")"
seen_port=$(free_port) scheduler_port=$(free_port)

# ---- jobs on record that nobody has ---------------------------------------------------------------

expect "an app" 200 POST /apps '{"name":"example"}'
app=$(get .id)
expect "an image" 200 POST /artifacts '{"type":"docker","uri":"https://example.com/flynn/x?id=1"}'
expect "a release" 200 POST /releases "{\"artifact\":\"$(get .id)\",\"processes\":{\"web\":{}}}"
release=$(get .id)

# record ID STATE
record() {
	expect "a job is on record as $2" 200 PUT "/apps/example/jobs/$1" "{\"release\":\"$release\",\"state\":\"$2\"}"
}

# job_is ID 'STATE ERROR'
job_is() {
	api GET "/apps/example/jobs/$1"
	[ "$(get '[.state, .host_error // empty] | join(" ")')" = "$2" ]
}

id() {
	printf '%s-%032x' "$1" "$2"
}

here=$(id $HOST_ID 1) forgotten=$(id $HOST_ID 2) lost=$(id gone 3) waits=$(id $HOST_ID 4) crashed=$(id $HOST_ID 5) deleted=$(id gone 6)
record "$here" up
record "$forgotten" up
record "$lost" starting
record "$waits" pending
record "$crashed" crashed
# shellcheck disable=SC2154
curl -sf -u ":$CLUSTER" -X PUT -d "{\"id\":\"$here\",\"config\":{},\"artifact\":{\"uri\":\"https://example.com/x\"},\"metadata\":{\"flynn-controller.app\":\"$app\",
	\"flynn-controller.release\":\"$release\"}}" "http://127.0.0.1:$host_port/host/jobs/$here" >/dev/null
expect "an app that goes" 200 POST /apps '{"name":"other"}'
expect "has a job" 200 PUT "/apps/other/jobs/$deleted" "{\"release\":\"$release\",\"state\":\"up\"}"
expect "and is deleted" 200 DELETE /apps/other

# shellcheck disable=SC2154
start_daemon seen "$ROOT/test/fake_discoverd.pl" "$seen_port" "flynn-host=127.0.0.1:$host_port=$HOST_ID" \
	"controller=127.0.0.1:$a_port" "controller-scheduler=127.0.0.1:$scheduler_port"
wait_until 10 "a stand-in" listens "$seen_port" || die "$(cat "$TMP/seen.log")"
start_daemon scheduler env AUTH_KEY=$AUTH CLUSTER_KEY=$CLUSTER DISCOVERD="127.0.0.1:$seen_port" EXTERNAL_IP=127.0.0.1 \
	PORT="$scheduler_port" flynn-scheduler

ok "what its host does not know ended while nobody led" wait_until 10 "it" job_is "$forgotten" down
ok "a host that does not come is lost, and its jobs with it" wait_until 30 "it" job_is "$lost" "down its host is not in the cluster any more"
ok "what runs is as it was" job_is "$here" up
ok "and what has yet to run" job_is "$waits" pending
ok "and what had ended" job_is "$crashed" crashed
expect "those that live are listed" 200 GET /active-jobs
is "without those of apps that are gone" "$(get 'map(.id) | sort | join(" ")')" "$here $waits"
[ "$(grep -c 'did not take' "$TMP/scheduler.log")" = 0 ]
_report $? "nothing was told that the controller did not want" || cat "$TMP/scheduler.log"

# shellcheck disable=SC2154 # start_daemon sets it
kill -TERM "$scheduler_pid"
status=0
wait "$scheduler_pid" || status=$?
is "SIGTERM ends it" "$status" 0
