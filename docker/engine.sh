#!/bin/bash
# engine.sh - a Docker Engine that answers: the machine's own, or one that we start.
#
#   engine.sh start     return once an engine answers, starting one if none does
#   engine.sh stop      stop the engine, if it is one that `start` started
#
# An engine of ours has its pid in $FLYNN_STATE/dockerd.pid and its log in $FLYNN_ENGINE_LOG.
# ENGINE_ARGS and ENGINE_ENTER ("nsenter --net=...") make it a private one: the tests use that.
set -euo pipefail

FLYNN_STATE=${FLYNN_STATE:-/var/lib/flynn}
FLYNN_ENGINE_LOG=${FLYNN_ENGINE_LOG:-/var/log/flynn-dockerd.log}
ENGINE_RUN=${ENGINE_RUN:-/var/run}
ENGINE_ARGS=${ENGINE_ARGS:-}
ENGINE_ENTER=${ENGINE_ENTER:-}
START_TIMEOUT_S=60
STOP_TIMEOUT_S=60

pid_file=$FLYNN_STATE/dockerd.pid

die() {
	printf 'engine: %s\n' "$*" >&2
	exit 1
}

answers() {
	timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null
}

# runs PID NAME: whether PID is a living process whose program is NAME. A pid alone may since
# have become anybody's, or be that of a dead process which nobody has waited for.
runs() {
	local program

	program=$(readlink "/proc/${1:-none}/exe") && [ "${program##*/}" = "$2" ]
}

our_pid() {
	local pid

	pid=$(cat "$pid_file" 2>/dev/null) && runs "$pid" dockerd && printf '%s' "$pid"
}

# A killed engine leaves pid files behind, and the next one refuses to start when the pid in them
# has been given to any other process.
remove_stale_pid_files() {
	local file name pid

	for file in docker.pid docker/containerd/containerd.pid; do
		name=$([ $file = docker.pid ] && echo dockerd || echo containerd)
		pid=$(cat "$ENGINE_RUN/$file" 2>/dev/null) || continue
		runs "$pid" "$name" || rm -f "$ENGINE_RUN/$file"
	done
}

# Packets of the bridge must fit through the machine's own link; engines assume 1500.
link_mtu() {
	local dev

	dev=$(ip -o route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
	cat "/sys/class/net/${dev:-lo}/mtu" 2>/dev/null || echo 1500
}

start_ours() {
	local mtu

	command -v dockerd >/dev/null || die "no engine answers and there is no dockerd: apt-get install docker.io"
	[ "$(id -u)" = 0 ] || die "no engine answers, and starting one takes root"
	remove_stale_pid_files
	mkdir -p "$FLYNN_STATE"
	mtu=$(link_mtu)
	[ "$mtu" -le 1500 ] || mtu=1500
	# shellcheck disable=SC2086 # both are lists of words
	setsid $ENGINE_ENTER dockerd --mtu "$mtu" $ENGINE_ARGS </dev/null >>"$FLYNN_ENGINE_LOG" 2>&1 &
	echo $! >"$pid_file"
}

wait_for_answer() {
	local deadline=$((SECONDS + START_TIMEOUT_S)) version

	until version=$(answers); do
		[ $SECONDS -lt $deadline ] ||
			die "waited $START_TIMEOUT_S s for the engine to answer on ${DOCKER_HOST:-its socket}: see $FLYNN_ENGINE_LOG"
		if [ -s "$pid_file" ] && ! our_pid >/dev/null; then
			tail -n 5 "$FLYNN_ENGINE_LOG" >&2
			die "the engine ended while starting: see $FLYNN_ENGINE_LOG"
		fi
		sleep 0.1
	done
	printf 'engine: Docker %s answers\n' "$version"
}

start() {
	local version

	if version=$(answers); then
		printf 'engine: Docker %s answers\n' "$version"
		return
	fi
	if [ -d /run/systemd/system ] && [ -z "$ENGINE_ARGS" ] && systemctl cat docker.service >/dev/null 2>&1; then
		printf 'engine: starting docker.service\n'
		systemctl start docker.service || die "docker.service does not start: journalctl -u docker"
	elif our_pid >/dev/null; then
		printf 'engine: ours is on its way up\n'
	else
		printf 'engine: none answers, starting dockerd, log in %s\n' "$FLYNN_ENGINE_LOG"
		start_ours
	fi
	wait_for_answer
}

stop() {
	local deadline=$((SECONDS + STOP_TIMEOUT_S)) pid

	if ! pid=$(our_pid); then
		rm -f "$pid_file"
		return
	fi
	printf 'engine: stopping the one that we started\n'
	kill -TERM "$pid"
	while runs "$pid" dockerd; do
		[ $SECONDS -lt $deadline ] || die "waited $STOP_TIMEOUT_S s for dockerd $pid to end: see $FLYNN_ENGINE_LOG"
		sleep 0.1
	done
	rm -f "$pid_file"
}

case ${1:-} in
start | stop) "$1" ;;
*) die "usage: engine.sh start|stop" ;;
esac
