#!/bin/bash
# engine.sh - the tests' own Docker Engine, in a network namespace of its own.
#
#   engine.sh start    up, empty of containers and volumes, whatever an earlier run left
#   engine.sh stop     containers, volumes, engine and network gone; images stay as a cache
#   engine.sh rest     end it as a shutdown of the machine does, its containers with it
#   engine.sh kill     SIGKILL to the engine alone
#   engine.sh crash    SIGKILL to it and to all that it runs, as when the power goes
#   engine.sh again    start it on what rest or crash left
#   engine.sh with COMMAND...  start, the images made on it, COMMAND, stop; ends with its exit status
#   engine.sh env      the variables by which it is reached, for a shell to eval
#
# It shares no address, port, socket or folder with an engine of this machine. The namespace has
# a loopback of its own, so a cluster inside is `localhost` to whoever enters it.
# TEST_NAME and TEST_NET (two octets) let two of them live side by side.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib_engine.sh"
TEST_NAME=${TEST_NAME:-flynn-test}
TEST_NET=${TEST_NET:-10.199}

state=/var/lib/$TEST_NAME
run=/run/$TEST_NAME
netns=/run/netns/$TEST_NAME
link=flynn-${TEST_NET#*.}-out
outside=$TEST_NET.0.1
inside=$TEST_NET.0.2
bridge=$TEST_NET.1.1/24
pools=base=$TEST_NET.16.0/20,size=24

export DOCKER_HOST=unix://$run/docker.sock

die() {
	printf 'test engine: %s\n' "$*" >&2
	exit 1
}

engine() {
	FLYNN_STATE=$state FLYNN_ENGINE_LOG=$state/dockerd.log ENGINE_RUN=$run \
		ENGINE_ENTER="nsenter --net=$netns" \
		ENGINE_ARGS="--host $DOCKER_HOST --data-root $state/docker --exec-root $run/docker --pidfile $run/docker.pid --bip $bridge --default-address-pool $pools" \
		"$here/../docker/engine.sh" "$1"
}

# ---- network ------------------------------------------------------------------------------

# rules -I|-D: packets of the namespace reach the package mirrors as this machine's own. An
# engine of the machine drops what it forwards unless told.
rules() {
	iptables -w -t nat "$1" POSTROUTING -s "$outside/30" ! -o "$link" -j MASQUERADE
	iptables -w "$1" FORWARD -i "$link" -j ACCEPT
	iptables -w "$1" FORWARD -o "$link" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
}

network_up() {
	local mtu

	[ ! -e "$netns" ] || return 0
	mtu=$(cat "/sys/class/net/$(ip -o route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)/mtu" 2>/dev/null || echo 1500)
	ip netns add "$TEST_NAME"
	ip link add "$link" mtu "$mtu" type veth peer name eth0 mtu "$mtu" netns "$TEST_NAME"
	ip addr add "$outside/30" dev "$link"
	ip link set "$link" up
	ip -n "$TEST_NAME" addr add "$inside/30" dev eth0
	ip -n "$TEST_NAME" link set eth0 up
	ip -n "$TEST_NAME" link set lo up
	ip -n "$TEST_NAME" route add default via "$outside"
	if [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 0 ]; then
		touch "$state/forwarding"
		echo 1 >/proc/sys/net/ipv4/ip_forward
	fi
	rules -I
}

network_down() {
	[ -e "$netns" ] || return 0
	rules -D 2>/dev/null || true
	ip netns del "$TEST_NAME"
	ip link del "$link" 2>/dev/null || true
	if [ -e "$state/forwarding" ]; then
		rm "$state/forwarding"
		# An engine that came up since needs it as much as we did.
		ip link show docker0 >/dev/null 2>&1 || echo 0 >/proc/sys/net/ipv4/ip_forward
	fi
}

# ---- engine -------------------------------------------------------------------------------

# The shims of this engine, by its socket in their arguments, and what they run; then what both
# have mounted.
kill_leftovers() {
	local shim

	for shim in $(pgrep -f "^[^ ]*containerd-shim.* -address $run/"); do
		pkill -KILL -P "$shim" || true
		kill -KILL "$shim" || true
	done
	awk -v run="$run/" -v state="$state/" 'index($5, run) == 1 || index($5, state) == 1 { print $5 }' \
		/proc/self/mountinfo | sort -r | xargs -r umount -l
}

# An engine that was killed is started again on what it left: it knows its containers, and its
# shims, best. What it cannot start on is thrown away: nothing here is worth keeping.
start() {
	[ "$(id -u)" = 0 ] || die "end-to-end tests take root"
	mkdir -p "$state" "$run"
	network_up
	if ! engine start >"$state/start.log" 2>&1; then
		cat "$state/start.log" >&2
		printf 'test engine: starting again on an empty data folder\n' >&2
		engine stop
		kill_leftovers
		rm -rf "$state/docker" "$run/docker"
		engine start
	fi
	engine_empty
}

stop() {
	[ -d "$state" ] || return 0
	if docker version >/dev/null 2>&1; then
		engine_empty
	fi
	engine stop >/dev/null
	kill_leftovers
	network_down
	rm -rf "$run"
}

crash() {
	local pid

	pid=$(cat "$state/dockerd.pid")
	pkill -KILL -P "$pid" || true
	kill -KILL "$pid"
	kill_leftovers
}

end_engine() {
	kill -KILL "$(cat "$state/dockerd.pid")"
}

rest() {
	engine stop >/dev/null
}

again() {
	engine start
}

# Whoever runs on it finds it by these.
variables() {
	printf 'export DOCKER_HOST=%s TEST_NETNS=%s TEST_ADDRESS=%s\n' "$DOCKER_HOST" "$netns" "$inside"
}

with() {
	local rc=0

	start >&2
	eval "$(variables)"
	{ "$here/../docker/images.sh" >&2 && "$@"; } || rc=$?
	stop
	return $rc
}

case ${1:-} in
kill) end_engine ;;
start | stop | rest | crash | again) "$1" ;;
with) "$@" ;;
env) variables ;;
*) die "usage: engine.sh start|stop|rest|kill|crash|again|with|env" ;;
esac
