#!/bin/bash
# test_router_acme.sh - certificates got and renewed from an ACME server of the test's own.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases acme "$@"
