#!/bin/bash
# test_router_answers.sh - malformed and ambiguous answers of instances, judged at the client.
# shellcheck source=test/lib_router.sh
. "$(dirname "$0")/lib_router.sh"
router_cases answers "$@"
