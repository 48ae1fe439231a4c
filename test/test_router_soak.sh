#!/bin/bash
# test_router_soak.sh - mixed load, changing routes, dying instances, for SOAK_S seconds (20).
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases soak "$@"
