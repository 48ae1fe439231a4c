# lib.sh - what every end-to-end test needs: TAP, waiting with an end, a private folder.
#
# A test is a bash script that sources this file (or lib_cluster.sh, which does) and calls ok, is,
# like and fails_with. The plan is printed at its end; one that dies before that has failed.
# shellcheck shell=bash

set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-$ROOT/build}
[[ $BUILD = /* ]] || BUILD=$ROOT/$BUILD
PATH=$BUILD/bin:$PATH

# Gone at the end, with all that start_daemon started.
TMP=$(mktemp -d "/tmp/flynn-test.XXXXXX")
export HOME=$TMP/home
mkdir -p "$HOME"
# By hand, whatever comes.
export TEST_PORTS=${TEST_PORTS:-$((20 + $$ % 12))000}
: >"$TMP/ports"

_tests=0
_cleanups=()
_daemons=()

# ---- TAP ----------------------------------------------------------------------------------

note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

_report() {
	local rc=$1

	shift
	_tests=$((_tests + 1))
	if [ "$rc" -eq 0 ]; then
		printf 'ok %d - %s\n' $_tests "$*"
	else
		printf 'not ok %d - %s\n' $_tests "$*"
	fi
	return "$rc"
}

# ok 'what is asserted' COMMAND...: it succeeds; its output is shown only when it does not.
ok() {
	local what=$1 out rc=0

	shift
	out=$("$@" 2>&1) || rc=$?
	_report $rc "$what" || note "exit status $rc from: $*"$'\n'"$out"
}

# not_ok 'what' COMMAND...: it fails.
not_ok() {
	local what=$1 out rc=0

	shift
	out=$("$@" 2>&1) && rc=1
	_report $rc "$what" || note "succeeded: $*"$'\n'"$out"
}

# is 'what' GOT WANT
is() {
	[ "$2" = "$3" ]
	_report $? "$1" || note "got:  $2"$'\n'"want: $3"
}

# like 'what' TEXT REGEX: some line of it matches the extended regular expression.
like() {
	grep -Eq -e "$3" <<<"$2"
	_report $? "$1" || note "got:  $2"$'\n'"want: $3"
}

unlike() {
	! grep -Eq -e "$3" <<<"$2"
	_report $? "$1" || note "got:     $2"$'\n'"without: $3"
}

# fails_with 'what' STATUS REGEX COMMAND...: it ends with STATUS and says the sentence, on either
# stream. Status "any" is every one but 0.
fails_with() {
	local what=$1 status=$2 regex=$3 out rc=0

	shift 3
	out=$("$@" 2>&1) || rc=$?
	if [ "$status" = any ]; then
		[ $rc -ne 0 ]
	else
		[ $rc -eq "$status" ]
	fi && grep -Eq -e "$regex" <<<"$out"
	_report $? "$what" || note "got status $rc from: $*"$'\n'"got:  $out"$'\n'"want: status $status, $regex"
}

# A test short of a privilege or a tool is skipped, and says of which.
skip_all() {
	printf '1..0 # SKIP %s\n' "$*"
	_tests=-1
	exit 77
}

die() {
	note "$*"
	exit 1
}

# ---- waiting ------------------------------------------------------------------------------

# wait_until SECONDS 'what' COMMAND...: silent when it comes true in time, else says what was
# waited for and what was last seen, and fails.
wait_until() {
	local limit=$1 what=$2 deadline out

	shift 2
	deadline=$(($(date +%s%N) + limit * 1000000000))
	until out=$("$@" 2>&1); do
		if [ "$(date +%s%N)" -gt $deadline ]; then
			note "waited $limit s for $what; last seen from '$*': $out"
			return 1
		fi
		sleep 0.05
	done
}

# Milliseconds since boot, for measuring.
now_ms() {
	awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}

# ---- daemons outside containers -------------------------------------------------------------

# free_port: one of the first 400 of the test's thousand (exec), each once; the others are for Python (world.py).
free_port() {
	local port

	while :; do
		port=$((TEST_PORTS + $(wc -c <"$TMP/ports") % 400))
		printf . >>"$TMP/ports"
		ss -Hltn "sport = :$port" | grep -q . || break
	done
	printf '%s\n' $port
}

# start_daemon NAME COMMAND...: in the background, its output in $TMP/NAME.log, its pid in $NAME_pid.
start_daemon() {
	local name=$1

	shift
	"$@" >>"$TMP/$name.log" 2>&1 &
	_daemons+=($!)
	printf -v "${name//-/_}_pid" %s $!
}

# end PID...: of what was started in the background, what still runs: the number of what has ended may be another's by now.
end() {
	local pid running

	running=$(jobs -pr)
	for pid; do
		[[ " ${running//$'\n'/ } " != *" $pid "* ]] || kill "$pid" 2>/dev/null
	done
}

# listens PORT: somebody accepts there.
listens() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# ---- the end ------------------------------------------------------------------------------

# at_end COMMAND...: run when the test is over, whatever came of it; the last one first.
at_end() {
	_cleanups=("$(printf '%q ' "$@")" "${_cleanups[@]}")
}

_finish() {
	local rc=$? cleanup

	trap - EXIT
	for cleanup in "${_cleanups[@]}"; do
		eval "$cleanup"
	done
	[ ${#_daemons[@]} -eq 0 ] || end "${_daemons[@]}"
	wait 2>/dev/null
	rm -rf "$TMP"
	if [ $_tests -ge 0 ] && [ "$rc" -ne 0 ]; then
		_report 1 "the test runs to its end (exit status $rc)"
	fi
	[ $_tests -lt 0 ] || printf '1..%d\n' $_tests
	exit "$rc"
}
trap _finish EXIT
trap 'exit 130' INT TERM
