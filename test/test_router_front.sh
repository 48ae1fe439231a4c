#!/bin/bash
# test_router_front.sh - what stands between strangers and instances: headers, proxies, slow clients, limits.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases front "$@"
