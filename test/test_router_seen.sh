#!/bin/bash
# test_router_seen.sh - what is told of requests: access log, metrics by route, the last requests and those to come.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases seen "$@"
