#!/bin/bash
# test_router.sh - the router alone: its own etcd, a discoverd and instances of the test's own, and
# clients that write bytes. The cases are in router/cases.py; it prints the TAP.
# shellcheck source=test/lib.sh
. "$(dirname "$0")/lib.sh"

for tool in python3 etcd openssl; do
	command -v "$tool" >/dev/null || skip_all "$tool is not installed"
done
# What follows has its own plan.
_tests=-1
TMP=$TMP python3 "$ROOT/test/router/cases.py" "$@"
