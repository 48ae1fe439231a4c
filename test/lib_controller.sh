# lib_controller.sh - a PostgreSQL of the test's own, and small stand-ins for host, router and discoverd, and
# flynn-shelf: all that flynn-controller lives on, without an engine.
# shellcheck shell=bash
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "PostgreSQL is started as its own user, which only root can"
PG_BIN=$(echo /usr/lib/postgresql/*/bin)
[ -x "$PG_BIN/initdb" ] || skip_all "there is no PostgreSQL"

AUTH=5e5e5e5e00000000000000000000aaaa
CLUSTER=c1c1c1c100000000000000000000bbbb
HOST_ID=host0

# ---- what the controller lives on -----------------------------------------------------------

pg_port=$(free_port) discoverd_port=$(free_port)
# shellcheck disable=SC2034 # a_port and b_port are for the controllers of who sources this
host_port=$(free_port) router_port=$(free_port) a_port=$(free_port) b_port=$(free_port)
PG=$(mktemp -d /tmp/flynn-test-pg.XXXXXX)
chown postgres "$PG"
at_end rm -rf "$PG"

as_postgres() {
	setpriv --reuid postgres --regid postgres --init-groups "$@"
}

pg_start() {
	as_postgres "$PG_BIN/pg_ctl" -D "$PG/data" -l "$PG/log" -w start >/dev/null
}

pg_stop() {
	as_postgres "$PG_BIN/pg_ctl" -D "$PG/data" -m immediate stop >/dev/null
}

as_postgres "$PG_BIN/initdb" -D "$PG/data" -A trust -U flynn >/dev/null || die "no database"
cat >>"$PG/data/postgresql.conf" <<-CONF
	port = $pg_port
	listen_addresses = '127.0.0.1'
	unix_socket_directories = ''
	fsync = off
CONF
pg_start || die "PostgreSQL does not start"
at_end pg_stop

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
