#!/bin/bash
# test_router_strict.sh - malformed and ambiguous requests, judged at the instance.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases strict "$@"
