# lib_postgres.sh - a PostgreSQL of the test's own, on port $pg_port, until the test ends. Its user is flynn, it has no
# password, and it loses what a crash of the machine would lose.
# shellcheck shell=bash
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "PostgreSQL is started as its own user, which only root can"
PG_BIN=$(echo /usr/lib/postgresql/*/bin)
[ -x "$PG_BIN/initdb" ] || skip_all "there is no PostgreSQL"

pg_port=$(free_port)
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
