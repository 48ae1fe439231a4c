#!/bin/bash
# test_api.sh - the controller's API by its contract, route by route: the cases are in api/. Arguments choose topics or
# cases.
# shellcheck source=test/lib_controller.sh
. "$(dirname "$0")/lib_controller.sh"

command -v python3 >/dev/null || skip_all "python3 is not installed"

# shellcheck disable=SC2154 # lib_controller.sh sets them
start_controller a "$a_port" PGHOST=127.0.0.1 PGPORT="$pg_port"
start_controller b "$b_port" FLYNN_POSTGRES=database
start_controller c "$c_port" FLYNN_POSTGRES=database READER_TIMEOUT=1
for port in "$a_port" "$b_port" "$c_port"; do
	wait_until 10 "a controller" listens "$port" || die "$(cat "$TMP/a.log" "$TMP/b.log" "$TMP/c.log")"
done

# Beside the cases, a schema that takes longer than statements otherwise may: it waits for a lock, as it would for large tables.
d_port=$(free_port)
"$PG_BIN/createdb" -h 127.0.0.1 -p "$pg_port" -U flynn slow || die "no second database"
start_daemon holder "$PG_BIN/psql" -h 127.0.0.1 -p "$pg_port" -U flynn -d slow -qtAc "SELECT 'locked' FROM pg_advisory_lock(732904817)" \
	-c "SELECT pg_sleep(33)"
wait_until 10 "the lock" grep -q locked "$TMP/holder.log"
start_controller d "$d_port" PGHOST=127.0.0.1 PGPORT="$pg_port" PGDATABASE=slow

# The cases have a plan of their own.
_tests=-1
rc=0
# shellcheck disable=SC2154
API_PORT=$a_port OTHER_API_PORT=$b_port API_KEY=$AUTH HOST_PORT=$host_port ROUTER_PORT=$router_port SHELF_PORT=$shelf_port HOST_ID=$HOST_ID \
	API_PID=$a_pid OTHER_API_PID=$b_pid HASTY_API_PORT=$c_port HASTY_API_PID=$c_pid HASTY_API_LOG=$TMP/c.log PG_CTL=$PG_BIN/pg_ctl PG_DATA=$PG/data PG_PORT=$pg_port CLUSTER_KEY=$CLUSTER PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/test/api/suite.py" "$@" || rc=$?

if [ $# = 0 ]; then
	wait_until 40 "a controller" listens "$d_port" || rc=1
	! grep 'cannot make the schema' "$TMP/d.log" || rc=1
fi

# What they were asked has left nothing behind.
# shellcheck disable=SC2154 # start_daemon sets them
for pid in "$a_pid" "$b_pid" "$c_pid"; do
	kill -TERM "$pid"
	wait "$pid" || { rc=1; note "a controller ended with $?"; tail -n 60 "$TMP/a.log" "$TMP/b.log" "$TMP/c.log" | sed 's/^/# /'; }
done
exit $rc
