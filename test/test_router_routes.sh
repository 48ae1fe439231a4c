#!/bin/bash
# test_router_routes.sh - what routes say: paths, leaders, redirections, maintenance, stickiness, TCP ports.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases routes "$@"
