# lib_cluster.sh - a test that has a whole cluster, on the tests' own engine.
#
# Sourcing it moves the script into the tests' network namespace: from then on `localhost` is the
# cluster's machine, and docker, curl, git and ssh are the real ones. `make test` starts the engine
# once for all; a test that is run by hand starts it for itself and leaves it up.
# shellcheck shell=bash

if [ -z "${TEST_NETNS:-}" ]; then
	"$(dirname "${BASH_SOURCE[0]}")/engine.sh" start >&2 || exit
	eval "$("$(dirname "${BASH_SOURCE[0]}")/engine.sh" env)"
fi
if [ ! "$TEST_NETNS" -ef /proc/self/ns/net ]; then
	exec nsenter --net="$TEST_NETNS" bash "$0" "$@"
fi

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib_engine.sh"

# What `flynn server-add` needs, once cluster_start has returned.
DOMAIN=${DOMAIN:-localhost}
HOST=$TEST_ADDRESS
KEY=
PIN=
LINE=
export FLYNNRC=$HOME/.flynnrc

HOST_TIMEOUT_S=30
BOOTSTRAP_TIMEOUT_S=90

# The daemons' logs are the first thing that one wants of a failed test.
show_logs() {
	local id

	for id in $(docker ps -aq); do
		docker inspect -f '{{.Name}} {{.Config.Image}} {{.State.Status}} {{.State.ExitCode}}' "$id"
		docker logs --tail 25 "$id" 2>&1
	done | sed 's/^/# /'
}

# No daemon of this test may have been caught by a sanitizer.
check_sanitizers() {
	local id found

	for id in $(docker ps -aq); do
		found+=$(docker logs "$id" 2>&1 | grep -E -A 12 'ERROR: AddressSanitizer|: runtime error: ')
	done
	is "no sanitizer found anything in a daemon" "${found:-}" ""
}

host_answers() {
	curl -fsS --max-time 2 http://127.0.0.1:1113/ping
}

# The first of the two commands of the README, as typed but for the engine's socket.
run_host() {
	docker run -d --name flynn-host -v="${DOCKER_HOST#unix://}":/var/run/docker.sock -p=1113:1113 \
		flynn/host -external "$HOST" -force
}

# The second.
run_bootstrap() {
	timeout $BOOTSTRAP_TIMEOUT_S docker run -e CONTROLLER_DOMAIN="$DOMAIN" \
		-e=DISCOVERD="$HOST":1111 flynn/bootstrap
}

# A bootstrapped cluster and a client that knows it; a test cannot go on without.
cluster_start() {
	engine_empty
	run_host >/dev/null || die "flynn/host does not start"
	wait_until $HOST_TIMEOUT_S "flynn-host to answer" host_answers || { show_logs; exit 1; }
	if ! run_bootstrap >"$TMP/bootstrap.log" 2>&1; then
		note "$(cat "$TMP/bootstrap.log")"
		show_logs
		die "bootstrap failed"
	fi
	cluster_line "$(tail -n 1 "$TMP/bootstrap.log")"
	$LINE >/dev/null || die "the line that bootstrap printed does not work: $LINE"
	at_end check_sanitizers
}

# part NAME: the container of a system job.
part() {
	docker ps -q --filter "name=^flynn-$1"
}

controller_answers() {
	flynn apps >/dev/null
}

# cluster_line LINE: take KEY and PIN from the line that bootstrap ends with.
# shellcheck disable=SC2034 # for the tests
cluster_line() {
	LINE=$1
	PIN=$(sed -n 's/.* -p \([^ ]*\) .*/\1/p' <<<"$LINE")
	KEY=${LINE##* }
}

# ---- a developer ------------------------------------------------------------------------------

# A key pair that ssh and `flynn key-add` find, git's identity, and no prompt about host keys.
# ssh takes its home from the password file, so it is told where everything is.
developer() {
	mkdir -m 700 "$HOME/.ssh"
	ssh-keygen -q -t ed25519 -N '' -C test -f "$HOME/.ssh/id_ed25519"
	cat >"$HOME/.ssh/config" <<-EOF
		IdentityFile $HOME/.ssh/id_ed25519
		IdentitiesOnly yes
		UserKnownHostsFile $HOME/.ssh/known_hosts
		StrictHostKeyChecking accept-new
		LogLevel ERROR
	EOF
	export GIT_SSH_COMMAND="ssh -F $HOME/.ssh/config"
	unset SSH_AUTH_SOCK
	git config --global user.name Test
	git config --global user.email test@example.com
	git config --global init.defaultBranch master
	git config --global advice.detachedHead false
}

# new_app FOLDER NAME: a git repository in $TMP/NAME with a copy of test/apps/FOLDER; enters it.
new_app() {
	mkdir "$TMP/$2"
	cp -R "$ROOT/test/apps/$1/." "$TMP/$2"
	cd "$TMP/$2" || die "cannot enter $TMP/$2"
	git init -q .
	git add -A
	git commit -q -m "$1"
}

# get NAME [PATH]: what the app's route answers, through the router.
get() {
	curl -fsS --max-time 5 "http://$1${2:-/}"
}

# greets NAME: the app does, as those of test/apps do.
greets() {
	get "$1.localhost" | grep -q Hello
}

# api METHOD PATH [JSON]: what the controller answers.
api() {
	curl -fsSk -u ":$KEY" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "https://localhost$2"
}

# ---- a steady load ------------------------------------------------------------------------------

# load_start NAME [http]: on the app's route, until load_lost_nothing.
load_start() {
	"$ROOT/test/steady_load.py" "$@" >"$TMP/load" 2>&1 &
	_load=$!
}

# load_lost_nothing WHAT: the load ends, and each of its requests was answered.
load_lost_nothing() {
	kill -TERM "$_load"
	wait "$_load"
	like "$1: no request failed" "$(cat "$TMP/load")" '^[1-9][0-9]* ok, 0 failed$'
	note "$1: $(tail -n 2 "$TMP/load" | paste -sd ' ')"
}
