# lib_controller.sh - a PostgreSQL of the test's own, and small stand-ins for host, router and discoverd, and
# flynn-shelf: all that flynn-controller lives on, without an engine.
# shellcheck shell=bash
# shellcheck source=test/lib_postgres.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib_postgres.sh"

AUTH=5e5e5e5e00000000000000000000aaaa
CLUSTER=c1c1c1c100000000000000000000bbbb
HOST_ID=host0

# ---- what the controller lives on -----------------------------------------------------------

discoverd_port=$(free_port)
# shellcheck disable=SC2034 # a_port, b_port and c_port are for the controllers of who sources this
host_port=$(free_port) router_port=$(free_port) a_port=$(free_port) b_port=$(free_port) c_port=$(free_port)

start_daemon host "$ROOT/test/fake_host.pl" "$host_port" $CLUSTER
start_daemon router "$ROOT/test/fake_router.pl" "$router_port" $CLUSTER
shelf_port=$(free_port)
start_daemon shelf env CLUSTER_KEY=$CLUSTER flynn-shelf -http-addr "127.0.0.1:$shelf_port" -dir "$TMP/shelf"
start_daemon discoverd "$ROOT/test/fake_discoverd.pl" "$discoverd_port" "shelf=127.0.0.1:$shelf_port" "flynn-host=127.0.0.1:$host_port=$HOST_ID" \
	"router-api=127.0.0.1:$router_port" "postgres-api=127.0.0.1:$router_port" "database=127.0.0.1:$pg_port"
for port in "$host_port" "$router_port" "$discoverd_port" "$shelf_port"; do
	wait_until 10 "a stand-in" listens "$port" || die "$(cat "$TMP"/*.log)"
done

# start_controller NAME PORT [VARIABLE=VALUE...]
start_controller() {
	local name=$1 port=$2

	shift 2
	start_daemon "$name" env AUTH_KEY="other,$AUTH" CLUSTER_KEY=$CLUSTER DISCOVERD="127.0.0.1:$discoverd_port" PORT="$port" \
		PGUSER=flynn PGDATABASE=postgres DEFAULT_ROUTE_DOMAIN=test.local "$@" flynn-controller
}

# ---- asking it, at $PORT -------------------------------------------------------------------------

# api METHOD PATH [BODY]: sets $status and $body.
# shellcheck disable=SC2153 # whoever sources this says which of them PORT is
api() {
	local data=()

	[ $# -lt 3 ] || data=(--data-binary "$3")
	body=$(curl -s -m 20 -u ":$AUTH" -H 'Content-Type: application/json' -X "$1" "${data[@]}" \
		-w '\n%{http_code}' "http://127.0.0.1:$PORT$2")
	status=${body##*$'\n'}
	body=${body%$'\n'*}
}

# expect 'what' STATUS METHOD PATH [BODY]
expect() {
	local what=$1 want=$2

	shift 2
	api "$@"
	is "$what" "$status" "$want" || note "$body"
}

# get JQ-FILTER: of the last answer's body.
get() {
	jq -r "$1" <<<"$body" 2>/dev/null
}
