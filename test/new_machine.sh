#!/bin/bash
# new_machine.sh - `make run` on a Debian 12 that holds git, gcc and make and nothing of ours.
#
# The machine is a container of the tests' engine with an engine inside; the tree in it is a clone
# of HEAD. Prints what `make run` prints, then its duration in milliseconds; the machine is removed
# in the end, unless KEEP=1 (`docker exec -it flynn-new-machine bash`).
set -euo pipefail

cd "$(dirname "$0")/.."
test/engine.sh start >&2
eval "$(test/engine.sh env)"
docker/images.sh system >&2

NAME=flynn-new-machine
# What an engine needs of a machine; a machine has more.
CAPS=(DAC_READ_SEARCH IPC_LOCK LINUX_IMMUTABLE NET_ADMIN SYS_ADMIN SYS_NICE SYS_PTRACE SYSLOG)

finish() {
	[ -n "${KEEP:-}" ] || docker rm -f -v $NAME >/dev/null
}
trap finish EXIT

docker rm -f -v $NAME >/dev/null 2>&1 || true
docker run -d --name $NAME "${CAPS[@]/#/--cap-add=}" --device-cgroup-rule 'a *:* rwm' \
	--security-opt seccomp=unconfined --security-opt apparmor=unconfined \
	--security-opt systempaths=unconfined -v /sys/fs/cgroup:/sys/fs/cgroup:rw \
	-v /var/lib/docker -v "$PWD":/src:ro flynn/debian:bookworm sleep infinity >/dev/null
docker exec $NAME sh -c 'apt-get update -q && apt-get install -y -q --no-install-recommends gcc git libc6-dev make &&
	git config --global --add safe.directory "*" && git clone -q /src /root/flynn' >&2
start=$(date +%s%3N)
docker exec -w /root/flynn $NAME make run
echo $(($(date +%s%3N) - start))
