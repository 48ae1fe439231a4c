# lib_bench.sh - what benchmarks share: medians, and rows of the README's tables.
# shellcheck shell=bash
ROUNDS=${ROUNDS:-5}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# row FIGURE REACHED GOAL
row() {
	printf '| %-62s | %12s | %10s |\n' "$@"
}

seconds() {
	awk '{ printf "%.2f s\n", $1 / 1000 }'
}

# rounds FUNCTION: the median of what it prints, in milliseconds; it is told which round it is, from 0.
rounds() {
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		"$1" "$i" || die "$1 failed in round $((i + 1))"
	done | median
}

# ---- a small app, for who has a cluster -------------------------------------------------------

# A new cluster with the app of test/apps/procfile, which a developer has pushed and which is at bench.localhost.
bench_app() {
	cluster_start
	_cleanups=()
	developer
	flynn key-add >/dev/null
	new_app procfile bench
	flynn create bench >/dev/null
	git push -q flynn master >"$TMP/push.log" 2>&1 || { cat "$TMP/push.log" >&2; die "the first push failed"; }
	flynn route-add-http bench.localhost >/dev/null
}

# The containers of its workers, the newest first.
worker_containers() {
	docker ps -q --no-trunc --filter label=flynn.host | while read -r id; do
		! docker inspect -f '{{json .Config.Env}}' "$id" | grep -q SLUG_URL || echo "$id"
	done
}
