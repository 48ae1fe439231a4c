#!/bin/bash
# bench.sh - `make bench`: the figures of the README, medians of 5, on the tests' own engine.
#
# BENCH_NEW_MACHINE=1 adds the time of `make run` on a new machine (new_machine.sh).
IDLE_S=${IDLE_S:-60}

if [ -z "${TEST_NETNS:-}" ]; then
	cd "$(dirname "$0")/.." || exit
	./packages.sh build run test || exit
	make --no-print-directory -s -j"$(nproc)" all || exit
	exec test/engine.sh with test/bench.sh
fi
. "$(dirname "$0")/lib_cluster.sh"
# shellcheck source=test/lib_bench.sh
. "$(dirname "$0")/lib_bench.sh"
# A benchmark asserts nothing: no plan.
_tests=-1

# ---- the figures ----------------------------------------------------------------------------

one_bootstrap() {
	local start

	engine_empty
	run_host >/dev/null
	wait_until 30 "flynn-host to answer" host_answers
	start=$(now_ms)
	run_bootstrap >"$TMP/bootstrap.log" 2>&1 || { cat "$TMP/bootstrap.log" >&2; return 1; }
	echo $(($(now_ms) - start))
}

# The build is what lies between its first line and the one that tells the size of its slug.
one_push() {
	git commit -q --allow-empty -m again
	git push flynn master 2>&1 | perl -MTime::HiRes=time -ne '
		BEGIN { $| = 1; $start = time }
		print STDERR $_ if $ENV{BENCH_VERBOSE};
		$from //= time if /-----> .*app detected/;
		$to = time if /Compiled slug size/;
		$done = 1 if /Application deployed/;
		END { exit 1 unless $done; printf "%d\n", 1000 * (time - $start - ($to - $from)) }'
}

answering() {
	local i seen=

	for ((i = 0; i < 3 * $1; i++)); do
		seen+=$(get bench.localhost 2>/dev/null)$'\n'
	done
	[ "$(sort -u <<<"$seen" | grep -c Hello)" -ge "$1" ]
}

# Their processes, as the machine sees them.
worker_pids() {
	worker_containers | xargs -r docker inspect -f '{{.State.Pid}}'
}

workers() {
	[ "$(worker_pids | wc -l)" -eq "$1" ]
}

one_scale() {
	local start

	flynn scale web=1 >/dev/null || return
	wait_until 20 "one worker" workers 1 >&2 || return
	start=$(now_ms)
	flynn scale web=3 >/dev/null || return
	wait_until 20 "three instances" answering 3 >&2 || return
	echo $(($(now_ms) - start))
}

one_kill() {
	local start pid

	wait_until 20 "one worker" workers 1 >&2 || return
	wait_until 20 "it to answer" answering 1 >&2 || return
	pid=$(worker_pids)
	start=$(now_ms)
	kill -KILL "$pid"
	wait_until 5 "the worker to be gone" gone "$pid" >&2
	wait_until 30 "its replacement" answering 1 >&2 || return
	echo $(($(now_ms) - start))
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

daemons() {
	local id

	for id in $(docker ps -q); do
		docker top "$id" -eo pid,comm | awk '$2 ~ /^flynn-/ { print $1 }'
	done
}

pss_mib() {
	local pid

	for pid in $(daemons); do
		cat "/proc/$pid/smaps_rollup"
	done | awk '/^Pss:/ { kib += $2 } END { printf "%.1f MiB\n", kib / 1024 }'
}

# Nanoseconds: what an idle daemon uses is lost in ticks.
cpu_ns() {
	local pid

	for pid in $(daemons); do
		cut -d' ' -f1 "/proc/$pid/schedstat"
	done | awk '{ ns += $1 } END { printf "%d\n", ns }'
}

idle_cpu() {
	local before

	before=$(cpu_ns)
	sleep "$IDLE_S"
	awk -v before="$before" -v after="$(cpu_ns)" -v s="$IDLE_S" \
		'BEGIN { printf "%.2f %%\n", 100 * (after - before) / 1e9 / s }'
}

# ---- the table ------------------------------------------------------------------------------

row figure here "to reach"
row --- --- ---
bootstrap=$(rounds one_bootstrap) || exit 1
row "bootstrap, images present, until its last line" "$(seconds <<<"$bootstrap")" "5 s"

bench_app
wait_until 20 "the app to answer" answering 1 || die "the app does not answer"

push=$(rounds one_push) || exit 1
row "push of an unchanged small app, without buildpack and upload" "$(seconds <<<"$push")" "1 s"
scale=$(rounds one_scale) || exit 1
row "scale web=3 until three instances answer" "$(seconds <<<"$scale")" "2 s"
flynn scale web=1 >/dev/null
killed=$(rounds one_kill) || exit 1
row "kill -9 of a worker until its replacement answers" "$(seconds <<<"$killed")" "2 s"
sleep 5 # what follows an event is not idleness
row "memory (PSS) of all our daemons, idle, with 1 app" "$(pss_mib)" "48 MiB"
row "CPU of all our daemons, idle, over $IDLE_S s" "$(idle_cpu)" "0.5 %"
if [ -n "${BENCH_NEW_MACHINE:-}" ]; then
	new=$("$ROOT/test/new_machine.sh" 2>"$TMP/new.log" | tail -n 1) || { tail -n 20 "$TMP/new.log" >&2; exit 1; }
	row "make run on a new machine, until the line is printed" "$(seconds <<<"$new")" "4 min"
fi
