#!/bin/bash
# test_router_handover.sh - a new router takes over from the old one, and no connection is lost.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases handover "$@"
