#!/bin/bash
# test_router_tls.sh - certificates by name, the default one, and session tickets that all routers share.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases tls "$@"
