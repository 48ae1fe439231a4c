#!/bin/bash
# test_router.sh - requests, routes, instances, TLS and the API of the router alone.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases basics "$@"
