#!/bin/bash
# Deployments on a real engine: a steady load loses no request through good and bad ones.
# ROUNDS=20 is the long form.
. "$(dirname "$0")/lib_cluster.sh"

ROUNDS=${ROUNDS:-3}

cluster_start
developer
flynn key-add 2>/dev/null

new_app procfile example
# An app that fails in the way that its environment says.
cat >Procfile <<-'EOF'
	web: case $FAIL in exit) echo no database; exit 7;; missing) exec no-such-program;; port) PORT=8123 exec perl web.pl;; esac; exec perl web.pl
EOF
cp "$ROOT/test/apps/sick/web.pl" .
git add -A
git commit -q -m web
flynn create example 2>/dev/null
out=$(git push flynn master 2>&1) || { note "$out"; show_logs; exit 1; }
flynn route-add-http example.localhost >/dev/null
flynn scale web=3 >/dev/null
wait_until 10 "the app" get example.localhost || die "the app does not answer"

# ---- good ones ------------------------------------------------------------------------------------

failed=0
load_start example.localhost
for ((i = 1; i <= ROUNDS; i++)); do
	git commit -q --allow-empty -m "push $i"
	git push -q flynn master >"$TMP/push.log" 2>&1 || { failed=$((failed + 1)); note "$(tail -n 5 "$TMP/push.log")"; }
	flynn env set ROUND=$i >/dev/null 2>"$TMP/env.log" || { failed=$((failed + 1)); note "$(cat "$TMP/env.log")"; }
	flynn scale web=$((2 + i % 3)) >/dev/null 2>"$TMP/scale.log" || { failed=$((failed + 1)); note "$(cat "$TMP/scale.log")"; }
done
is "pushes, changes of the environment and scales go through" $failed 0
load_lost_nothing "$ROUNDS of each"
flynn scale web=2 >/dev/null

like "releases are numbered, the newest first" "$(flynn releases | sed -n 2p)" "^v$((2 * ROUNDS + 1)) +[0-9a-f]{32} .* current\$"
like "release show" "$(flynn release show v1)" '^version:   v1$'
fails_with "a release that is not there" 1 'app example has no release v99: flynn releases lists them' flynn release show v99
is "deployment lists them" "$(flynn deployment | grep -c complete)" $((2 * ROUNDS + 1))

load_start example.localhost
for ((i = 1; i <= 3; i++)); do
	like "a rollback goes through" "$(flynn rollback v$i 2>&1)" "^Rolled back to v$i, release [0-9a-f]{32}\.\$"
done
load_lost_nothing "rollbacks"
like "the release is the current one" "$(flynn releases)" '^v3 .* current$'
is "with its environment" "$(flynn env get ROUND)" 1
fails_with "a rollback to what runs says so" 1 'app example has release v3 already' flynn rollback v3
flynn rollback >/dev/null 2>&1
like "without a version, to the one before" "$(flynn releases)" '^v2 .* current$'

# ---- bad ones ---------------------------------------------------------------------------------------

load_start example.localhost
fails_with "what exits at once" 1 'is not deployed: web exited 7 after [0-9.]+ s' flynn env set FAIL=exit
fails_with "what is not there" 1 'is not deployed: web exited 127 after [0-9.]+ s' flynn env set FAIL=missing
fails_with "what listens on another port" 1 'is not deployed: web listens on 8123' flynn env set FAIL=port
load_lost_nothing "failing deployments"
like "the release is as before" "$(flynn releases)" '^v2 .* current$'
fails_with "the variable was not set" 1 'no variable FAIL' flynn env get FAIL
like "deployment tells why" "$(flynn deployment)" ' failed .* web exited 7 after'

# ---- one after another, given up ----------------------------------------------------------------------

flynn env set FAIL=port >"$TMP/first.log" 2>&1 &
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

# ---- the router itself --------------------------------------------------------------------------------

load_start example.localhost http # a WebSocket cannot move from one router to another
for n in 1 2; do
	ok "the router is replaced by its successor" flynn -a router env set UPGRADE=$n
done
load_lost_nothing "upgrades of the router"
