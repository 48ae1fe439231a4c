#!/bin/bash
# test_router_balance.sh - which instance gets a request, and what becomes of it when instances fail, come and go.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases balance "$@"
