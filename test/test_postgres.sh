#!/bin/bash
# test_postgres.sh - flynn-postgres with a real PostgreSQL: databases that are nobody else's, and data that stays.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "PostgreSQL runs as its own user, which only root can become"
PG_BIN=/usr/lib/postgresql/15/bin
[ -x "$PG_BIN/initdb" ] || skip_all "there is no PostgreSQL 15"

KEY=c1c1c1c100000000000000000000bbbb
PORT=$(free_port) API_PORT=$(free_port)
API=http://127.0.0.1:$API_PORT
# What user postgres may read and write.
PLACE=$(mktemp -d /tmp/flynn-test-pg.XXXXXX)
at_end rm -rf "$PLACE"
mkdir "$PLACE"/{bin,lib,data,socket}
cp "$BUILD/bin/flynn-postgres" "$PLACE/bin"
cp "$BUILD"/lib/libflynn.so.1 "$PLACE/lib"
chown -R postgres "$PLACE"

start() {
	start_daemon postgres setpriv --reuid postgres --regid postgres --init-groups env PATH="$PG_BIN:$PATH" CLUSTER_KEY=$KEY \
		PORT_0="$PORT" PORT_1="$API_PORT" "$PLACE/bin/flynn-postgres" -data "$PLACE/data" -socket-dir "$PLACE/socket"
	wait_until 60 "the API" curl -fs "$API/ping" || die "$(tail -n 20 "$TMP/postgres.log")"
}

api() {
	local method=$1 path=$2

	shift 2
	curl -s -u ":$KEY" -X "$method" "$@" "$API$path"
}

# member TEXT NAME: a member of the JSON that holds no quotes.
member() {
	grep -o "\"$2\":\"[^\"]*\"" <<<"$1" | cut -d '"' -f 4
}

# psql_as USER PASSWORD DATABASE SQL
psql_as() {
	PGPASSWORD=$2 "$PG_BIN/psql" -X -q -A -t -h 127.0.0.1 -p "$PORT" -U "$1" -d "$3" -c "$4" 2>&1
}

# ---- what is wrong at the start ----------------------------------------------------------------------

fails_with "without a key it does not start" 2 'CLUSTER_KEY must be set' env PORT_0=1 PORT_1=2 flynn-postgres
fails_with "without ports it does not start" 2 'PORT_0 and PORT_1 must be set' env CLUSTER_KEY=k flynn-postgres

# ---- databases -----------------------------------------------------------------------------------------

mkdir "$PLACE/data/15.new" # left by one that was killed in initdb
start
is "the API wants the key" "$(curl -s -o /dev/null -w '%{http_code}' -X POST "$API/databases")" 401
one=$(api POST /databases) two=$(api POST /databases)
id=$(member "$one" id) user=$(member "$one" PGUSER) password=$(member "$one" PGPASSWORD) name=$(member "$one" PGDATABASE)
like "a database is its user, password and name" "$one" \
	'"id":"/databases/[0-9a-f]{32}:[0-9a-f]{32}","env":.*"PGHOST":"leader.postgres.discoverd".*"DATABASE_URL":"postgres://'
is "its user may use it" "$(psql_as "$user" "$password" "$name" 'create table t (n int); insert into t values (7); select n from t')" 7
like "not another's" "$(psql_as "$user" "$password" "$(member "$two" PGDATABASE)" 'select 1')" 'permission denied for database'
for own in postgres template1; do
	like "nor $own" "$(psql_as "$user" "$password" $own 'select 1')" 'pg_hba.conf rejects'
done
like "nor with another's password" "$(psql_as "$user" "$(member "$two" PGPASSWORD)" "$name" 'select 1')" 'password authentication failed'
like "the superuser comes by no network" "$(psql_as postgres '' "$name" 'select 1')" 'pg_hba.conf rejects'
unlike "no password is in the log" "$(cat "$TMP/postgres.log")" "$password"

for bad in '' '/databases/x' "$id'" '/databases/postgres:postgres'; do
	is "\"$bad\" is no id" "$(api DELETE /databases -G --data-urlencode "id=$bad" -o /dev/null -w '%{http_code}')" 404
done
is "another is dropped" "$(api DELETE "/databases?id=$(member "$two" id)" -o /dev/null -w '%{http_code}')" 200
like "it is gone" "$(psql_as "$(member "$two" PGUSER)" "$(member "$two" PGPASSWORD)" "$(member "$two" PGDATABASE)" 'select 1')" 'failed'
is "dropping twice is fine" "$(api DELETE "/databases?id=$(member "$two" id)" -o /dev/null -w '%{http_code}')" 200

# ---- ends ------------------------------------------------------------------------------------------------

# shellcheck disable=SC2154 # set by start_daemon
kill -TERM "$postgres_pid"
wait "$postgres_pid"
is "SIGTERM ends it well" $? 0
ok "PostgreSQL was shut down" test ! -e "$PLACE/data/15/postmaster.pid"
start
is "the data is still there" "$(psql_as "$user" "$password" "$name" 'select n from t')" 7
kill -KILL "$(head -n 1 "$PLACE/data/15/postmaster.pid")"
wait "$postgres_pid"
is "it ends with its PostgreSQL" $? 1
start
is "which recovers" "$(psql_as "$user" "$password" "$name" 'select n from t')" 7
kill -TERM "$postgres_pid"
wait "$postgres_pid"
