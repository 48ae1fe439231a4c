# lib_router.sh - the router alone: its own etcd, a discoverd and instances of the test's own, and
# clients that write bytes. The cases of a topic are in router/TOPIC.py.
# shellcheck shell=bash
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# router_cases TOPIC [CASE...]: run them; they print the TAP.
router_cases() {
	local tool

	for tool in python3 etcd openssl; do
		command -v "$tool" >/dev/null || skip_all "$tool is not installed"
	done
	# They have a plan of their own.
	_tests=-1
	TMP=$TMP python3 "$ROOT/test/router/suite.py" "$@"
}
