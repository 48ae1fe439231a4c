#!/bin/bash
# test_router_h2.sh - HTTP/2: requests, flow control, malformed messages and frames, floods, drain.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases h2 "$@"
