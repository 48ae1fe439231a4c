#!/bin/bash
# Deployments in which the controller, which carries them out, or the scheduler is killed, at each step of them: the old or
# the new release serves whole, and nothing is left in the way of the next.
. "$(dirname "$0")/lib_cluster.sh"

cluster_start
developer
flynn key-add 2>/dev/null
new_app sick kills
echo 'release: echo migrating; sleep 0.3' >>Procfile
git commit -q -a -m 'a release phase'
flynn create kills 2>/dev/null
# What starts and what ends takes its time, so that each step can be met.
flynn env set DELAY=0.3 LINGER=0.3 2>/dev/null
out=$(git push flynn master 2>&1) || { note "$out"; show_logs; exit 1; }
flynn route-add-http kills.localhost >/dev/null
flynn scale web=2 >/dev/null
wait_until 10 "the app" get kills.localhost || die "the app does not answer"

containers() {
	docker ps -q --filter "name=^flynn-kills-$1-"
}

# ---- steps of a deployment ----------------------------------------------------------------------------

is_asked_for() {
	flynn deployment | grep -qE ' (pending|running) '
}

runs_its_release_phase() {
	[ -n "$(containers release)" ]
}

starts_a_job() {
	[ "$(containers web | wc -l)" -gt 2 ]
}

# so_many_go N: of the jobs that ran before.
so_many_go() {
	local id n=0

	for id in $old; do
		docker logs "$id" 2>&1 | grep -q '^going$' && n=$((n + 1))
	done
	[ $n -ge "$1" ]
}

ends_the_first_job() {
	so_many_go 1
}

ends_the_last_job() {
	so_many_go 2
}

# ---- what must be true behind each ---------------------------------------------------------------------

# Whatever was to run runs, of one release, which is the app's, and nothing else is asked for.
is_whole() {
	local release

	! is_asked_for || return
	release=$(api GET /apps/kills/release | jq -r .id)
	[ "$(api GET /apps/kills/jobs | jq -c "[.[] | select(.type == \"web\" and (.state | IN(\"starting\", \"up\"))) | .release]")" = \
		"[\"$release\",\"$release\"]" ] &&
		[ "$(api GET /apps/kills/formations | jq -c '[.[] | [.release, .processes]]')" = "[[\"$release\",{\"web\":2}]]" ]
}

phases_of_any_release() {
	api GET /apps/kills/jobs | jq '[.[] | select(.type == "release")] | group_by(.release) | map(length) | max'
}

load_start kills.localhost
n=0
for victim in controller-web controller-scheduler; do
	for step in is_asked_for runs_its_release_phase starts_a_job ends_the_first_job ends_the_last_job; do
		n=$((n + 1))
		old=$(containers web)
		flynn env set KILLED=$n >"$TMP/killed.log" 2>&1 &
		command=$!
		wait_until 20 "a deployment that ${step//_/ }" $step || show_logs
		start=$(now_ms)
		docker kill "$(docker ps -q --filter "name=^flynn-$victim")" >/dev/null
		wait $command
		rc=$?
		ok "$victim is killed when a deployment ${step//_/ }: one release serves whole" wait_until 30 "it to end" is_whole
		note "$(($(now_ms) - start)) ms later; exit status $rc, KILLED is $(flynn env get KILLED 2>&1) and was to be $n"
	done
done 2>/dev/null
load_lost_nothing "killed controllers and schedulers"
is "no release phase ran twice" "$(phases_of_any_release)" 1
ok "another deployment goes through" flynn env set KILLED=no
is "and is what the app has" "$(flynn env get KILLED)" no

# ---- its own ------------------------------------------------------------------------------------------

old=$(docker ps -q --filter name=^flynn-controller-web)
start=$(now_ms)
ok "the controller replaces itself" flynn -a controller env set UPGRADE=1
note "in $(($(now_ms) - start)) ms"
unlike "by another job" "$(docker ps -q --filter name=^flynn-controller-web)" "^$old\$"
is "and knows its apps" "$(flynn env get KILLED)" no
