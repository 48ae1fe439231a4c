#!/bin/bash
# test_router_tunnel.sh - upgrades, TCP routes, half-closed, slow and dying peers.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases tunnel "$@"
