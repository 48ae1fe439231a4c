#!/bin/bash
# cluster.sh - the cluster of this machine: make it, stop it, remove it.
#
#   cluster.sh run       a living cluster, from whatever is there; ends with the line to paste
#   cluster.sh stop      stop it, engine excepted, and keep its data
#   cluster.sh destroy   remove all that `run` made, and nothing else
#
# HOST_IP_ADDRESS     the address that the cluster is known by (default: that of the default route)
# CONTROLLER_DOMAIN   the name that the controller and apps without a domain live under
#                     (default: localhost, which needs no DNS on this machine)
# FLYNN_KEEP_IMAGES   use the images that are there, and leave them: neither build nor remove any
# FLYNN_STATE         where this script remembers what it made (default /var/lib/flynn)
set -euo pipefail

cd "$(dirname "$0")/.."
export FLYNN_STATE=${FLYNN_STATE:-/var/lib/flynn}
export BUILD=${BUILD:-build}
export CACHE=${CACHE:-/var/cache/flynn}
MAKE=${MAKE:-make}
SOCKET=${DOCKER_HOST:-unix:///var/run/docker.sock}
SOCKET=${SOCKET#unix://}

# The names that `run` gives to the two containers of the README's two commands.
HOST_NAME=flynn-host
BOOTSTRAP_NAME=flynn-bootstrap
# Instances live in this range, which overlaps the one that outgoing connections take ports from.
APP_PORTS=55000-60999

HOST_TIMEOUT_S=30
CONTROLLER_TIMEOUT_S=120
STOP_TIMEOUT_S=30

# Secret, so root's alone: the id of the host container, the domain, and the line to paste.
line_file=$FLYNN_STATE/cluster
# The id of a host container whose bootstrap has not ended: only such a one may be removed unasked.
unfinished_file=$FLYNN_STATE/unfinished
ports_file=$FLYNN_STATE/reserved-ports

started_at=$SECONDS

say() {
	printf '%4d s  %s\n' $((SECONDS - started_at)) "$*"
}

die() {
	printf 'flynn: %s\n' "$*" >&2
	exit 1
}

host_container() {
	docker container inspect -f '{{.Id}} {{.State.Running}}' $HOST_NAME 2>/dev/null
}

# ---- what runs already ------------------------------------------------------------------------

# remembered: whether the bootstrapped cluster that we remember is the one whose host container
# is here. Sets domain, line, running.
remembered() {
	local known id

	[ -r "$line_file" ] || return 1
	{ read -r known && read -r domain && read -r line; } <"$line_file" || return 1
	read -r id running < <(host_container) || return 1
	[ "$id" = "$known" ]
}

# The controller as developers reach it: by name, through the router of this machine.
controller_answers() {
	curl -fsk --max-time 1 --connect-to "::127.0.0.1:443" "https://$1/ping" >/dev/null 2>&1
}

host_answers() {
	curl -fs --max-time 1 http://127.0.0.1:1113/ping >/dev/null 2>&1
}

print_line() {
	printf '\n%s\n' "$line"
}

# ---- the pieces of a new cluster ----------------------------------------------------------------

choose_address() {
	local route='ip -4 route get 1.1.1.1'

	[ -z "${HOST_IP_ADDRESS:-}" ] || return 0
	HOST_IP_ADDRESS=$($route 2>/dev/null | sed -n 's/.* src \([^ ]*\).*/\1/p')
	[ -n "$HOST_IP_ADDRESS" ] ||
		HOST_IP_ADDRESS=$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' bridge)
	[ -n "$HOST_IP_ADDRESS" ] || die "this machine has neither a default route nor a docker bridge: set HOST_IP_ADDRESS"
	say "address $HOST_IP_ADDRESS (set HOST_IP_ADDRESS for another)"
}

choose_domain() {
	[ -z "${CONTROLLER_DOMAIN:-}" ] || return 0
	CONTROLLER_DOMAIN=localhost
	say "domain localhost: it and NAME.localhost reach this machine without any DNS (set CONTROLLER_DOMAIN for another)"
}

# So that no outgoing connection sits on the port that an instance is to get. A kernel that does
# not let us is no obstacle: host moves on to the next port.
reserve_ports() {
	local file=/proc/sys/net/ipv4/ip_local_reserved_ports before

	before=$(cat $file 2>/dev/null) || return 0
	[[ ",$before," != *",$APP_PORTS,"* ]] || return 0
	printf '%s\n' "${before:+$before,}$APP_PORTS" 2>/dev/null >$file || return 0
	[ -e "$ports_file" ] || printf '%s\n' "$before" >"$ports_file"
}

build() {
	local images

	if [ -n "${FLYNN_KEEP_IMAGES:-}" ]; then
		return
	fi
	say "building binaries, and Debian's part of the images"
	docker/images.sh system &
	images=$!
	$MAKE --no-print-directory -s -j"$(nproc)" all || { wait $images || true; die "the build failed, see above"; }
	wait $images || die "the images' Debian part failed, see above"
	say "building images"
	docker/images.sh
}

# A host that was never claimed by a whole bootstrap holds nothing that anybody could miss. Any other
# has somebody's apps and data, whatever became of what we remember.
remove_unfinished() {
	local id rest

	read -r id rest < <(host_container) || id=
	if [ -n "$id" ] && [ "$id" != "$(cat "$unfinished_file" 2>/dev/null)" ]; then
		die "there is a container $HOST_NAME, and nothing in $FLYNN_STATE says of which cluster: 'make destroy' removes" \
			"it with all its data; to keep it, docker rename $HOST_NAME, or bring back $line_file"
	fi
	docker rm -f -v $BOOTSTRAP_NAME >/dev/null 2>&1 || true
	[ -n "$id" ] || return 0
	say "removing a cluster whose bootstrap did not end"
	docker stop -t $STOP_TIMEOUT_S $HOST_NAME >/dev/null
	remove_jobs
	docker rm -f -v $HOST_NAME >/dev/null
}

# A host that was started by hand is somebody's. Two of them would fight over the engine, and jobs
# bear no sign of which one started them.
refuse_another() {
	[[ "$(host_container)" != *true ]] && host_answers || return 0
	die "a flynn-host that 'make run' did not start answers on port 1113; if nobody needs it: docker rm -f" \
		"$(docker ps --filter publish=1113 --format '{{.Names}}' | head -n 1)"
}

remove_jobs() {
	local ids

	ids=$(docker ps -aq --filter label=flynn.host)
	# shellcheck disable=SC2086 # a list of words
	[ -z "$ids" ] || docker rm -f -v $ids >/dev/null
	ids=$(docker volume ls -q --filter label=flynn.host)
	# shellcheck disable=SC2086 # a list of words
	[ -z "$ids" ] || docker volume rm -f $ids >/dev/null
}

start_host() {
	say "starting flynn/host"
	rm -f "$unfinished_file"
	docker run -d --name $HOST_NAME --cidfile "$unfinished_file" -v="$SOCKET":/var/run/docker.sock -p=1113:1113 flynn/host \
		-external "$HOST_IP_ADDRESS" -force >/dev/null ||
		die "flynn/host does not start, see above; is port 1113 taken?"
	wait_for host_answers $HOST_TIMEOUT_S "flynn-host to answer on port 1113"
}

# wait_for COMMAND SECONDS WHAT [ARG]
wait_for() {
	local deadline=$((SECONDS + $2))

	until "$1" "${4:-}"; do
		if [ $SECONDS -ge $deadline ] || [[ "$(host_container)" != *true ]]; then
			docker logs --tail 10 $HOST_NAME >&2 || true
			die "waited $2 s for $3; above is the end of: docker logs $HOST_NAME"
		fi
		sleep 0.1
	done
}

bootstrap() {
	local log=$FLYNN_STATE/bootstrap.log id

	(umask 077 && : >"$log")
	docker run --name $BOOTSTRAP_NAME -e CONTROLLER_DOMAIN="$CONTROLLER_DOMAIN" \
		-e=DISCOVERD="$HOST_IP_ADDRESS:1111" flynn/bootstrap 2>&1 | tee "$log" ||
		die "bootstrap failed, see above; 'make run' tries again, 'make destroy' removes what there is"
	line=$(grep '^flynn server-add ' "$log" | tail -n 1) || die "bootstrap ended without a line to paste: see $log"
	rm -f "$log"
	docker rm -v $BOOTSTRAP_NAME >/dev/null
	id=$(docker container inspect -f '{{.Id}}' $HOST_NAME)
	(umask 077 && printf '%s\n%s\n%s\n' "$id" "$CONTROLLER_DOMAIN" "$line" >"$line_file.new")
	sync "$line_file.new" # else a power cut may leave an empty one
	mv "$line_file.new" "$line_file"
	sync "$FLYNN_STATE"
	rm -f "$unfinished_file"
}

# ---- the commands -----------------------------------------------------------------------------

run() {
	local domain line running

	if remembered && [ "$running" = true ] && controller_answers "$domain"; then
		printf 'The cluster of this machine is alive. To use it:\n'
		print_line
		return
	fi
	[ "$(id -u)" = 0 ] || die "make run takes root: it starts containers and keeps its state in $FLYNN_STATE"
	mkdir -p "$FLYNN_STATE"
	chmod 700 "$FLYNN_STATE"
	./packages.sh build run
	docker/engine.sh start
	if remembered; then
		say "starting the cluster that is here"
		reserve_ports
		docker start $HOST_NAME >/dev/null || die "$HOST_NAME does not start: docker logs $HOST_NAME"
		wait_for controller_answers $CONTROLLER_TIMEOUT_S "the controller to answer at https://$domain" "$domain"
		say "the cluster is back, with all it ran"
		print_line
		return
	fi
	refuse_another
	choose_address
	choose_domain
	build
	reserve_ports
	remove_unfinished
	start_host
	say "starting flynn/bootstrap, whose last line is for you to paste; bin/flynn is the tool"
	bootstrap
}

# Host first: it would start again what it sees ending.
stop() {
	local ids

	docker version >/dev/null 2>&1 || { echo "No engine answers: nothing runs."; return; }
	refuse_another
	docker stop -t $STOP_TIMEOUT_S $HOST_NAME >/dev/null 2>&1 || true
	ids=$(docker ps -q --filter label=flynn.host)
	# shellcheck disable=SC2086 # a list of words
	[ -z "$ids" ] || docker stop -t $STOP_TIMEOUT_S $ids >/dev/null
	echo "Stopped; all data is kept, and 'make run' brings it back."
}

destroy() {
	[ "$(id -u)" = 0 ] || die "make destroy takes root"
	if docker version >/dev/null 2>&1 || { [ -d "$FLYNN_STATE" ] && docker/engine.sh start; }; then
		refuse_another
		docker rm -f -v $HOST_NAME $BOOTSTRAP_NAME >/dev/null 2>&1 || true
		remove_jobs
		[ -n "${FLYNN_KEEP_IMAGES:-}" ] || docker/images.sh remove
	fi
	# Somebody else's containers on an engine of ours keep it.
	[ -n "$(docker ps -q 2>/dev/null)" ] || docker/engine.sh stop
	[ ! -e "$ports_file" ] || cat "$ports_file" 2>/dev/null >/proc/sys/net/ipv4/ip_local_reserved_ports ||
		echo "The kernel keeps the ports $APP_PORTS from outgoing connections until the machine starts again."
	rm -rf "$FLYNN_STATE"
	rm -rf "$BUILD"
	[ "$BUILD" != build ] || rm -rf bin
	rm -rf "$CACHE"/*-rootfs.tar* "$CACHE"/rootfs.* "$CACHE/debootstrap.log"
	rmdir "$CACHE" 2>/dev/null || true
	echo "Removed the cluster, its data and its images. Debian packages stay."
}

case ${1:-} in
run | stop | destroy) "$1" ;;
*) die "usage: cluster.sh run|stop|destroy" ;;
esac
