#!/bin/bash
# test_bootstrap.sh - flynn-bootstrap against a stand-in for the cluster: how it ends, and what it says.
# The host's port is fixed, so all of it happens in a network of its own.
if [ -z "${IN_NETWORK:-}" ]; then
	[ "$(id -u)" -eq 0 ] || { echo '1..0 # SKIP only root can make a network'; exit 77; }
	exec unshare -n env IN_NETWORK=1 bash "$0"
fi
. "$(dirname "$0")/lib.sh"

ip link set lo up || die "no loopback"
IP=127.0.0.1
export DISCOVERD=$IP:1111

start_daemon cluster "$ROOT/test/fake_cluster.pl" $IP
wait_until 10 "the stand-in" listens 8000 || die "$(cat "$TMP/cluster.log")"

# run STEP...: bootstrap with a manifest of these steps, for 20 s at most.
run() {
	local steps

	steps=$(IFS=,; printf '%s' "$*")
	printf '[%s]' "$steps" | timeout 20 flynn-bootstrap -manifest - 2>&1
}

app() {
	printf '"app":{"name":"%s"},"artifact":{"type":"docker","uri":"x"},"release":{"processes":{%s}},"processes":{%s}' "$@"
}

service='"ports":[{"service":{"name":"some"}}]'
never='"ports":[{"service":{"name":"never-up"}}]'

# ---- what is wrong before anything is done --------------------------------------------------------

fails_with "a manifest that is not there is named" 1 'open the manifest /none: No such file' flynn-bootstrap /none
fails_with "a bad manifest is usage" 2 'there is no action "dance"' run '{"id":"a","action":"dance"}'
fails_with "a cluster must have a name" 2 'CONTROLLER_DOMAIN is not set' env CONTROLLER_DOMAIN= flynn-bootstrap "$ROOT/bootstrap/manifest.json"
export CONTROLLER_DOMAIN=localhost
fails_with "DISCOVERD must be a place" 2 'set DISCOVERD to its ip:port' env DISCOVERD=nowhere flynn-bootstrap "$ROOT/bootstrap/manifest.json"
fails_with "DISCOVERD must name a host" 2 'set DISCOVERD to its ip:port' env DISCOVERD=:1111 flynn-bootstrap "$ROOT/bootstrap/manifest.json"
fails_with "no cluster has no host" 2 'at least one host' flynn-bootstrap -min-hosts 0 "$ROOT/bootstrap/manifest.json"
fails_with "two manifests are one too many" 2 'one manifest at most' flynn-bootstrap a b
is "nothing was asked of the cluster" "$(cat "$TMP/cluster.log")" ""

# ---- runs that end well ------------------------------------------------------------------------------

out=$(run '{"id":"two","action":"log","output":"got {{ (index .StepData \"one\").Data }}"}' \
	'{"id":"one","action":"gen-random","data":"d4t4"}')
is "a run ends well" $? 0
like "steps run in the order of their data" "$(tr '\n' ' ' <<<"$out")" 'gen-random one .* log two .* log two got d4t4'

out=$(run "{\"id\":\"a\",\"action\":\"run-app\",$(app web '"web":{}' '"web":2'),\"resources\":[{\"name\":\"p q\",\"url\":\"discoverd+http://db/databases\"}]}" \
	'{"id":"b","action":"add-app","from_step":"a"}' '{"id":"c","action":"complete-claim","after":["b"]}')
is "an app is run and recorded" "$? $(grep -c ' error' <<<"$out")" "0 0"
log=$(cat "$TMP/cluster.log")
is "its jobs were started" "$(grep -c '^PUT /host/jobs/host0-' <<<"$log")" 2
like "they have the resource's environment" "$log" '^PUT /host/jobs/.*"PGUSER":"u"'
like "a provider's name is encoded" "$log" '^PUT /providers/p%20q/resources/'
like "the claim was made good" "$log" '^PUT /host/claim {"complete":true}'

out=$(run "{\"id\":\"a\",\"action\":\"deploy-app\",$(app web "\"web\":{$service}" '"web":1')}")
is "an app is deployed when its service is there" $? 0

# ---- runs that fail ----------------------------------------------------------------------------------

begin=$(now_ms)
fails_with "a job that does not come up fails its step" 1 ' run-app a error: bad exited 7: no luck$' \
	run "{\"id\":\"a\",\"action\":\"run-app\",$(app x '"bad":{}' '"bad":1')}"
fails_with "a deployed job that does not come up, nor those that replace it, does so at once" 1 ' deploy-app a error: bad exited 7: no luck$' \
	run "{\"id\":\"a\",\"action\":\"deploy-app\",$(app x "\"bad\":{$never}" '"bad":1')}"
ok "neither waits for a time-out" test $(($(now_ms) - begin)) -lt 5000
fails_with "the first failure is the run's, whatever ends beside it" 1 ' run-app a error: bad' \
	run "{\"id\":\"a\",\"action\":\"run-app\",$(app x '"bad":{}' '"bad":1')}" \
	'{"id":"b","action":"wait","url":"http://127.0.0.1:8000/status/200"}' '{"id":"c","action":"wait","url":"http://127.0.0.1:8000/status/200"}'
fails_with "what the controller refuses is told in its words" 1 'record the app in the controller: .*is taken' \
	run "{\"id\":\"a\",\"action\":\"deploy-app\",$(app taken '"web":{}' '"web":1')}"
fails_with "too many jobs are refused" 1 'from 0 to 100' run "{\"id\":\"a\",\"action\":\"run-app\",$(app x '"web":{}' '"web":1000')}"
fails_with "a step that made no app is no app_step" 1 'must name a step that made an app, not "l"' \
	run '{"id":"l","action":"log","output":"x"}' '{"id":"s","action":"scale-app","app_step":"l"}'
fails_with "a template without its data is told" 1 'step l has no Data' \
	run '{"id":"l","action":"log","output":"x"}' '{"id":"m","action":"log","output":"{{ (index .StepData \"l\").Data }}"}'
out=$(printf '[{"id":"a","action":"scale-app","app_step":"b"},{"id":"b","action":"log","output":"x"}]' | flynn-bootstrap -json -manifest - 2>"$TMP/stderr")
like "with -json each event is a line" "$out" '^\{"id":"b","action":"log","data":"x","state":"done","ts":"'
like "failures, too" "$out" '"state":"error","error":"\\"app_step\\" must name'
is "and standard error is left alone" "$(cat "$TMP/stderr")" ""

# ---- signals and claims -------------------------------------------------------------------------------

wait_action='{"id":"w","action":"wait","url":"http://127.0.0.1:8000/status/500"}'
for signal in INT TERM; do
	printf '[%s]' "$wait_action" >"$TMP/wait.json"
	rm -f "$TMP/signal.log" # or what the one before said could be taken for its first step
	setsid flynn-bootstrap "$TMP/wait.json" >"$TMP/signal.log" 2>&1 &
	pid=$!
	wait_until 5 "its first step" grep -q 'wait w' "$TMP/signal.log"
	kill -s $signal -- $pid
	wait $pid
	is "SIG$signal ends it" $? $((128 + $(kill -l $signal)))
	like "and says what became of the claim" "$(cat "$TMP/signal.log")" 'the claim is void'
done

# shellcheck disable=SC2154 # set by start_daemon
kill "$cluster_pid" && wait "$cluster_pid" 2>/dev/null
start_daemon cluster "$ROOT/test/fake_cluster.pl" $IP claimed
wait_until 10 "the stand-in" listens 8000 || die "$(cat "$TMP/cluster.log")"
fails_with "a cluster that exists is left alone" 3 'belongs to a cluster already' run '{"id":"a","action":"log","output":"x"}'
