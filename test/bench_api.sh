#!/bin/bash
# bench_api.sh - `make bench-api`, first half: the controller's API beside a PostgreSQL that syncs to the disk, on the cores
# that both share with who asks. Medians of ROUNDS rounds of ROUND_S seconds.
ROUND_S=${ROUND_S:-2}
APPS=${APPS:-1000}
RELEASES=${RELEASES:-10000}
# shellcheck source=test/lib_controller.sh
. "$(dirname "$0")/lib_controller.sh"
# shellcheck source=test/lib_bench.sh
. "$(dirname "$0")/lib_bench.sh"
# A benchmark asserts nothing: no plan.
_tests=-1

# shellcheck disable=SC2154 # lib_controller.sh sets them
{
	sed -i '/^fsync/d' "$PG/data/postgresql.conf"
	as_postgres "$PG_BIN/pg_ctl" -D "$PG/data" reload >/dev/null
	start_controller a "$a_port" PGHOST=127.0.0.1 PGPORT="$pg_port"
}
wait_until 10 "the controller" listens "$a_port" || die "$(cat "$TMP/a.log")"

# ask OPTIONS... <REQUESTS
ask() {
	"$BUILD/bench/ask" "$@" "$a_port" "$AUTH"
}

all_good() {
	[ "$(awk '{ print $4 }' <<<"$1")" = 0 ] || die "requests were not answered 200: $1"
}

# measure FILE FIELD [OPTIONS]...: the median of a field of what ask prints, in rounds.
measure() {
	local file=$1 field=$2 i out

	shift 2
	for ((i = 0; i < ROUNDS; i++)); do
		out=$(ask -s "$ROUND_S" "$@" <"$file") || exit 1
		all_good "$out"
		awk -v f="$field" '{ print $f }' <<<"$out"
	done | median
}

get() {
	curl -fsS -u ":$AUTH" "http://127.0.0.1:$a_port$1"
}

# id: of the object on standard input.
id() {
	sed -n 's/^{"id":"\([0-9a-f]*\)".*/\1/p'
}

post() {
	curl -fsS -u ":$AUTH" -H 'Content-Type: application/json' -d "$2" "http://127.0.0.1:$a_port$1"
}

# ---- what there is ----------------------------------------------------------------------------

artifact=$(post /artifacts '{"type":"docker","uri":"https://example.com/bench"}' | id)
seq "$APPS" | sed 's|.*|POST /apps {"name":"bench-&","protected":true,"meta":{"a":"b"}}|' >"$TMP/apps"
all_good "$(ask -n "$APPS" <"$TMP/apps")"
seq "$RELEASES" | awk -v artifact="$artifact" -v apps="$APPS" '{
	printf "POST /releases {\"app_id\":\"bench-%d\",\"artifact\":\"%s\",\"env\":{\"SECRET\":\"%064d\"},\"processes\":{\"web\":{\"cmd\":[\"start\",\"web\"]," \
		"\"ports\":[{\"port\":0,\"proto\":\"tcp\"}]},\"worker\":{\"cmd\":[\"start\",\"worker\"]}}}\n", $1 % apps + 1, artifact, $1 }' >"$TMP/releases"
all_good "$(ask -n "$RELEASES" <"$TMP/releases")"
as_postgres "$PG_BIN/vacuumdb" -h 127.0.0.1 -p "$pg_port" -U flynn -q -z postgres

# Half of the apps are asked for by their ids, half by their names.
get /apps | grep -o '"id":"[0-9a-f]*","name":"[^"]*"' | awk -F'"' '{ print "GET /apps/" (NR % 2 ? $4 : $8) }' >"$TMP/gets"
seq 200 | while read -r n; do
	printf 'PUT /apps/bench-%s/formations/%s {"processes":{"web":%d,"worker":1}}\n' "$n" "$(get "/apps/bench-$n/releases" | sed 's/^\[//' | id)" $((n % 9 + 1))
done >"$TMP/puts"

# ---- the table ---------------------------------------------------------------------------------

row figure here "to reach"
row --- --- ---
measure "$TMP/gets" 1 >/dev/null # warm
row "GET /apps/:id, of $APPS apps" "$(measure "$TMP/gets" 1) /s" "5,000 /s"
row "  at 2,500 /s: its 99th percentile" "$(measure "$TMP/gets" 3 -r 2500) ms" "20 ms"
row "PUT of a formation, of 200 apps" "$(measure "$TMP/puts" 1 -c 16) /s" "500 /s"
row "  at 250 /s: its 99th percentile" "$(measure "$TMP/puts" 3 -r 250) ms" "20 ms"
for path in /apps /releases /artifacts /formations?active=true /apps/bench-1/releases /routes; do
	get "$path" >/dev/null
done
# shellcheck disable=SC2154 # start_daemon sets it
row "memory of a controller of $APPS apps and $RELEASES releases" "$(awk '/^VmRSS/ { printf "%.1f MB\n", $2 * 1.024 / 1000 }' "/proc/$a_pid/status")" "24 MB"
