#!/bin/bash
# test_requests.sh - flynn requests: from two routers, by the controller, to the command line. PostgreSQL and etcd are
# real, discoverd is a stand-in, the app's instance answers with the status that its path asks for.
# shellcheck source=test/lib_postgres.sh
. "$(dirname "$0")/lib_postgres.sh"

for tool in etcd python3 jq; do
	command -v $tool >/dev/null || skip_all "$tool is not installed"
done

AUTH=5e5e5e5e00000000000000000000aaaa
CLUSTER=c1c1c1c100000000000000000000bbbb

# ---- the parts ------------------------------------------------------------------------------

discoverd_port=$(free_port) etcd_port=$(free_port) peer_port=$(free_port) web_port=$(free_port)
api_port=$(free_port) a_http=$(free_port) a_https=$(free_port) a_api=$(free_port) b_http=$(free_port) b_https=$(free_port) b_api=$(free_port)

cat >"$TMP/web.py" <<'PY'
import http.server, sys, time
class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        word = self.path.split("/")[1]
        if word == "slow":
            time.sleep(0.3)
        self.send_response(int(word) if word.isdigit() else 200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Web).serve_forever()
PY
start_daemon web python3 "$TMP/web.py" "$web_port"
start_daemon etcd etcd --data-dir "$TMP/etcd" --log-level error --unsafe-no-fsync --listen-client-urls "http://127.0.0.1:$etcd_port" \
	--advertise-client-urls "http://127.0.0.1:$etcd_port" --listen-peer-urls "http://127.0.0.1:$peer_port" \
	--initial-advertise-peer-urls "http://127.0.0.1:$peer_port" --initial-cluster "default=http://127.0.0.1:$peer_port"
start_daemon discoverd "$ROOT/test/fake_discoverd.pl" "$discoverd_port" "router-api=127.0.0.1:$a_api,127.0.0.1:$b_api" \
	"database=127.0.0.1:$pg_port" "one-web=127.0.0.1:$web_port" "two-web=127.0.0.1:$web_port"

# start_router NAME HTTP HTTPS API
start_router() {
	start_daemon "$1" env CLUSTER_KEY=$CLUSTER EXTERNAL_IP=127.0.0.1 PORT="$4" DISCOVERD="127.0.0.1:$discoverd_port" \
		ETCD="http://127.0.0.1:$etcd_port" flynn-router -httpaddr "127.0.0.1:$2" -httpsaddr "127.0.0.1:$3" -threads 1
}

for port in "$web_port" "$etcd_port" "$discoverd_port"; do
	wait_until 10 "a part" listens "$port" || die "$(cat "$TMP"/*.log)"
done
start_router router_a "$a_http" "$a_https" "$a_api"
start_router router_b "$b_http" "$b_https" "$b_api"
start_daemon controller env AUTH_KEY=$AUTH CLUSTER_KEY=$CLUSTER DISCOVERD="127.0.0.1:$discoverd_port" PORT="$api_port" PGUSER=flynn \
	PGDATABASE=postgres DEFAULT_ROUTE_DOMAIN=test.local PGHOST=127.0.0.1 PGPORT="$pg_port" flynn-controller

# api METHOD PATH [BODY]
api() {
	local data=()

	[ $# -lt 3 ] || data=(--data-binary "$3")
	curl -sf -m 10 -u ":$AUTH" -H 'Content-Type: application/json' -X "$1" "${data[@]}" "http://127.0.0.1:$api_port$2"
}

# ask PORT HOST PATH: one request, by that router; its status.
ask() {
	curl -s -o /dev/null -w '%{http_code}' -m 10 -H "Host: $2" "http://127.0.0.1:$1$3"
}

asked() {
	[ "$(ask "$@")" = "${4:-200}" ]
}

make_app() {
	api POST /apps "{\"name\":\"$1\"}" >/dev/null
}

wait_until 20 "the controller and a route" make_app one || die "$(cat "$TMP"/*.log)"
ok "another app" make_app two
for port in "$a_http" "$b_http"; do
	wait_until 10 "the routes" asked "$port" one.test.local /ready && wait_until 10 "the routes" asked "$port" two.test.local /ready
done
ok "flynn knows the cluster" flynn cluster add local "http://127.0.0.1:$api_port" $AUTH

# ---- a list -----------------------------------------------------------------------------------

ask "$a_http" one.test.local /hi >/dev/null
ask "$b_http" one.test.local /404/b >/dev/null
ask "$a_http" two.test.local /ho >/dev/null
ask "$a_http" one.test.local /500/a >/dev/null
ask "$b_http" one.test.local /slow >/dev/null

# told N [OPTION...]: at least N requests of app one, without the heads.
told() {
	local n=$1

	shift
	out=$(flynn -a one requests "$@" 2>&1) && [ "$(tail -n +2 <<<"$out" | grep -c .)" -ge "$n" ]
}

wait_until 10 "all to be told" told 6
told 6
like "heads" "$out" '^TIME +STATUS +MS +BYTES +INSTANCE +METHOD +HOST AND PATH$'
is "those of both routers, in order, of this app alone" "$(grep -o 'one.test.local/.*\|two.test.*' <<<"$out" | grep -v ready | xargs)" \
	"one.test.local/hi one.test.local/404/b one.test.local/500/a one.test.local/slow"
like "each field" "$out" "^20[0-9-]+T[0-9:.]+Z  500 +[0-9]+\\.[0-9] +5  127\\.0\\.0\\.1:$web_port +GET +one\\.test\\.local/500/a\$"
unlike "no escape codes in a pipe" "$(cat -v <<<"$out")" '\^\['
like "the status in its colour on a terminal" "$(TERM=xterm script -qec 'flynn -a one requests --status 5xx -n 1' /dev/null | cat -v)" '\^\[\[31m50[0-9] +\^\[\[0m'
told 1 --status 5xx
is "by class of status" "$(grep -o "test.local/.*" <<<"$out" | grep -v ready)" test.local/500/a
told 1 --status 404
is "by status" "$(grep -c test.local <<<"$out") $(grep -c /404/b <<<"$out")" "1 1"
told 1 --slow 250ms
is "by time" "$(grep -c test.local <<<"$out") $(grep -c /slow <<<"$out")" "1 1"
told 2 -n 2
is "so many" "$(grep -o 'test.local/.*' <<<"$out" | xargs)" "test.local/500/a test.local/slow"
is "by host" "$(flynn -a one requests --host other.test.local)" ""
is "--json is JSON, the newest first" "$(flynn -a one requests -n 2 --json | jq -r '.[] | .path + " " + (.status | tostring) + " " + .method' | xargs)" \
	"/slow 200 GET /500/a 500 GET"
is "wherever it is said" "$(flynn --json -a one requests -n 1 | jq -r '.[0].instance')" "127.0.0.1:$web_port"
is "the other app has its own" "$(flynn -a two requests --json | jq -r '.[].path' | grep -v ready)" /ho

fails_with "a status that is none" 1 'status: "9" is neither a status' flynn -a one requests --status 9
fails_with "a time that is none" 1 'slow: "soon" is no time' flynn -a one requests --slow soon
fails_with "a number that is none" 1 'no number' flynn -a one requests -n x
fails_with "an app that is not there" 1 'does not exist' flynn -a nosuch requests
fails_with "the same when followed" 1 'status: "9" is neither a status' flynn -a one requests -f --status 9
is "an app that is not there, followed, has no heads" "$(flynn -a nosuch requests -f 2>&1)" "flynn: app nosuch does not exist"
fails_with "wrong usage" 2 '^usage: flynn' flynn -a one requests more

# ---- followed ---------------------------------------------------------------------------------

start_daemon follow flynn -a one requests -f -n 1
start_daemon json flynn -a one requests -f -n 0 --status 5xx --json

# in_log NAME REGEX: a line of its output matches.
in_log() {
	grep -Eq "$2" "$TMP/$1.log"
}

streams() {
	[ "$(curl -s -u ":$CLUSTER" "http://127.0.0.1:$1/metrics" | sed -n 's/^http_event_streams //p')" = "$2" ]
}

wait_until 10 "both to follow both routers" streams "$a_api" 2 && wait_until 10 "both to follow both routers" streams "$b_api" 2
ask "$a_http" one.test.local /new/a >/dev/null
ask "$b_http" one.test.local /503/b >/dev/null
ask "$b_http" two.test.local /not/mine >/dev/null
ask "$a_http" one.test.local /502/a >/dev/null
ok "one of this router is shown" wait_until 10 "it" in_log follow 'GET +one\.test\.local/new/a$'
ok "one of the other, too" wait_until 10 "it" in_log follow '  503 .*one\.test\.local/503/b$'
ok "what was before comes first" in_log follow '/slow$|/500/a$'
ok "by class of status, as JSON" wait_until 10 "it" in_log json '"path":"/502/a"'
ok "each line is JSON" jq -e .path "$TMP/json.log"
is "nothing else" "$(jq -r .path "$TMP/json.log" | sort | xargs)" "/502/a /503/b"
not_ok "nothing of another app" in_log follow mine

# shellcheck disable=SC2154 # start_daemon sets it
kill "$router_b_pid" && wait "$router_b_pid"
ok "a list is told by those that answer" wait_until 10 "it" told 3
told 3
is "the other's are gone" "$(grep -c '/502/a$' <<<"$out") $(grep -c '/503/b$' <<<"$out")" "1 0"
start_router router_b "$b_http" "$b_https" "$b_api"
wait_until 10 "the router" asked "$b_http" one.test.local /again
ok "a router that comes back is followed again" wait_until 20 "it" streams "$b_api" 2
ask "$b_http" one.test.local /back >/dev/null
ok "and heard" wait_until 10 "it" in_log follow 'one\.test\.local/back$'
# shellcheck disable=SC2154
kill "$follow_pid" "$json_pid"
ok "routers do not go on for those who left" wait_until 10 "it" streams "$a_api" 0

# shellcheck disable=SC2154
kill "$router_a_pid" "$router_b_pid" && wait "$router_a_pid" "$router_b_pid"
fails_with "no router answers" 1 'the router does not answer|cannot answer just now' flynn -a one requests
fails_with "nor when followed" 1 'the router does not answer|cannot answer just now' flynn -a one requests -f
