#!/bin/bash
# Deployments on a real engine: a steady load loses no request through good and bad ones.
# ROUNDS=20 TIMES=2 is the long form.
. "$(dirname "$0")/lib_cluster.sh"

ROUNDS=${ROUNDS:-3}
TIMES=${TIMES:-1}

cluster_start
developer
flynn key-add 2>/dev/null

new_app sick example
flynn create example 2>/dev/null
out=$(git push flynn master 2>&1) || { note "$out"; show_logs; exit 1; }
flynn route-add-http example.localhost >/dev/null
flynn scale web=3 >/dev/null
wait_until 10 "the app" get example.localhost || die "the app does not answer"

# ---- good ones ------------------------------------------------------------------------------------

failed=0
version=1

# try COMMAND...: its failure is counted, and noted.
try() {
	"$@" >"$TMP/try.log" 2>&1 || { failed=$((failed + 1)); note "$* exited $?: $(tail -n 5 "$TMP/try.log")"; }
}

load_start example.localhost
for ((time = 1; time <= TIMES; time++)); do
	for ((i = 1; i <= ROUNDS; i++)); do
		git commit -q --allow-empty -m "push $i"
		try git push -q flynn master
		try flynn env set ROUND=$i
		try flynn scale web=$((2 + i % 3))
	done
	version=$((version + 2 * ROUNDS))
	for i in 1 2 3; do
		try flynn rollback v$((version - i))
	done
done
is "pushes, changes of the environment, scales and rollbacks go through" $failed 0
load_lost_nothing "$((TIMES * ROUNDS)) pushes, changes of the environment and scales, $((TIMES * 3)) rollbacks"

like "releases are numbered, the newest first" "$(flynn releases | sed -n 2p)" "^v$version +[0-9a-f]{32} "
like "one that was gone back to is the current one" "$(flynn releases)" "^v$((version - 3)) .* current\$"
is "with its environment" "$(flynn env get ROUND)" $((ROUNDS - 2))
like "release show" "$(flynn release show v$version)" "^version:   v$version\$"
fails_with "a release that is not there" 1 'app example has no release v9999: flynn releases lists them' flynn release show v9999
is "deployment lists them" "$(flynn deployment | grep -c complete)" $((1 + TIMES * (2 * ROUNDS + 3)))
# shellcheck disable=SC2016 # the job's shell expands it
is "run takes a number" "$(flynn run -r v$((version - 3)) sh -c 'echo $FLYNN_RELEASE_ID' </dev/null)" \
	"$(flynn --json release show v$((version - 3)) | jq -r .id)"
fails_with "and says that there is none" 1 'app example has no release v9999: flynn releases lists them' flynn run -r v9999 true
is "and so does scale" "$(flynn scale -r $version | head -n 1)" 'TYPE       COUNT'
fails_with "a rollback to what runs says so" 1 "app example has release v$((version - 3)) already" flynn rollback v$((version - 3))
like "without a version, to the one before" "$(flynn rollback 2>&1)" "^Rolled back to v$((version - 4)), release [0-9a-f]{32}\.\$"
flynn scale web=2 >/dev/null

# ---- a bad one: the others are in test_causes.sh -----------------------------------------------------

fails_with "what exits at once" 1 'is not deployed: web exited 1 after [0-9.]+ s' flynn env set ILLNESS=exits
like "the release is as before" "$(flynn releases)" "^v$((version - 4)) .* current\$"
fails_with "the variable was not set" 1 'no variable ILLNESS' flynn env get ILLNESS
like "deployment tells why" "$(flynn deployment)" ' failed .* web exited 1 after'

# ---- one after another, given up ----------------------------------------------------------------------

flynn env set ILLNESS=silent >"$TMP/first.log" 2>&1 &
first=$!
under_way() {
	flynn deployment | grep -q running
}
wait_until 10 "the deployment to be under way" under_way
fails_with "a scale meanwhile says what is in the way" 1 'the app is being deployed' flynn scale web=5
flynn env set SECOND=1 >"$TMP/second.log" 2>&1 &
second=$!
wait_until 10 "the second to wait" grep -q 'Waiting for deployment' "$TMP/second.log"
like "the next says behind whom it waits" "$(cat "$TMP/second.log")" '^Waiting for deployment [0-9a-f]{32} to end'
like "it can be given up" "$(flynn deployment cancel 2>&1)" '^Deployment [0-9a-f]{32} cancelled'
wait $first
is "which tells who waited for it" $? 1
like "with the reason" "$(cat "$TMP/first.log")" 'is not deployed: it was cancelled'
wait $second
is "and lets the next go on" $? 0 || note "$(cat "$TMP/second.log")"
is "whose variable is set" "$(flynn env get SECOND)" 1

# ---- several people at once ------------------------------------------------------------------------------

at_once=()
for n in 1 2 3 4; do
	flynn env set AT_ONCE_$n=$n >"$TMP/at_once.$n" 2>&1 &
	at_once+=($!)
done
for pid in "${at_once[@]}"; do
	wait "$pid" || note "$(cat "$TMP"/at_once.*)"
done
is "of changes at once none is lost" "$(flynn env | grep -c '^AT_ONCE_')" 4
like "who was overtaken is told" "$(cat "$TMP"/at_once.*)" 'given another release meanwhile. Making the change to that one'

flynn scale web=1 >/dev/null
flynn limit set web memory=256MB 2>"$TMP/at_once.1" &
first=$!
ok "two limits are set at once" flynn limit set web cpu=1500
wait $first || note "$(cat "$TMP/at_once.1")"
is "and none is lost" "$(flynn --json limit -t web)" '{"web":{"memory":268435456,"cpu":1500}}'
ok "and taken away" flynn limit set web memory=none cpu=none

flynn env set DELAY=3 2>/dev/null &
first=$!
wait_until 10 "the deployment to be under way" under_way
git commit -q --allow-empty -m "built meanwhile"
out=$(git push flynn master 2>&1)
is "a push that waits for it goes through" $? 0 || note "$out"
like "though it was overtaken" "$out" 'The app was given another release meanwhile'
wait $first
is "and has what was set" "$(flynn env get DELAY)" 3
flynn env unset DELAY 2>/dev/null

# ---- in other ways than one by one -----------------------------------------------------------------------

flynn scale web=3 >/dev/null
load_start example.localhost
for strategy in all-at-once in-batches one-down-one-up; do
	flynn deployment strategy $strategy
	ok "a release comes $strategy" flynn env set WAY=$strategy
	is "and all run it" "$(flynn ps --json | jq -c 'map(select(.state == "up").version) | [length, (unique | length)]')" '[3,1]'
done
flynn deployment strategy default
load_lost_nothing "the other strategies"

# ---- the router itself --------------------------------------------------------------------------------

load_start example.localhost http # a WebSocket cannot move from one router to another
for n in 1 2; do
	ok "the router is replaced by its successor" flynn -a router env set UPGRADE=$n
done
load_lost_nothing "upgrades of the router"
