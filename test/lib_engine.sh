# shellcheck shell=bash
# lib_engine.sh - sourced by what has an engine to itself.

# No container and no volume is left on it.
engine_empty() {
	local ids

	ids=$(docker ps -aq)
	# shellcheck disable=SC2086 # a list of words
	[ -z "$ids" ] || docker rm -f -v $ids >/dev/null
	ids=$(docker volume ls -q)
	# shellcheck disable=SC2086 # a list of words
	[ -z "$ids" ] || docker volume rm -f $ids >/dev/null
}
