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
