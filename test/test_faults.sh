#!/bin/bash
# Everything dies, alone and together: apps serve on, and work resumes by itself.
. "$(dirname "$0")/lib_cluster.sh"

cluster_start
developer
flynn key-add 2>/dev/null

part_runs() {
	[ -n "$(part "$1")" ]
}

kill_part() {
	docker kill "$(part "$1")" >/dev/null
}

pause_part() {
	docker pause "$(part "$1")" >/dev/null
}

scale_to() {
	flynn scale web="$1" >/dev/null
}

count_jobs() {
	[ "$(docker ps -q --filter name=flynn-example-web | wc -l)" -eq "$1" ]
}

new_app procfile example
flynn create example 2>/dev/null
out=$(git push flynn master 2>&1) || { note "$out"; show_logs; exit 1; }
flynn route-add-http example.localhost >/dev/null
ok "the app serves" wait_until 10 "the app" greets example

# ---- one after another ------------------------------------------------------------------------------

for name in etcd discoverd postgres controller-web controller-scheduler shelf gitreceive; do
	kill_part $name
	ok "$name killed: the app serves" greets example
	ok "$name is back by itself" wait_until 20 "$name" part_runs $name
	ok "and the controller answers" wait_until 20 "the controller" controller_answers
done 2>/dev/null
kill_part router
ok "router killed: the app serves again" wait_until 10 "the router" greets example
docker kill flynn-host >/dev/null
ok "host killed: the app serves" greets example
docker start flynn-host >/dev/null
ok "work goes on: scale" wait_until 60 "scale to work" scale_to 2
ok "work goes on: push" bash -c 'git commit -q --allow-empty -m again && git push flynn master'

# ---- away for a while ---------------------------------------------------------------------------------

pause_part postgres
fails_with "with postgres away the command says so" 1 'flynn: .*(away|503|database|timed out)' flynn apps
ok "and the app serves" greets example
docker unpause "$(part postgres)" >/dev/null 2>&1 || docker unpause "$(docker ps -q --filter status=paused)" >/dev/null
ok "postgres back: the controller answers" wait_until 20 "the controller" controller_answers

for name in etcd discoverd; do
	id=$(part $name)
	docker pause "$id" >/dev/null
	# Longer than any lease or session lives.
	ok "with $name away the app serves for 15 s" bash -c 'for i in $(seq 30); do curl -fsS --max-time 2 http://example.localhost/ >/dev/null || exit; read -rt 0.5 <> <(:); done; true'
	docker unpause "$id" >/dev/null
	ok "$name back: the app serves" greets example
	ok "$name back: scale works" wait_until 60 "scale to work" scale_to 3
	greets example || show_logs
	ok "$name back: scale down works" wait_until 60 "scale to work" scale_to 1
	ok "and no job was lost or doubled" wait_until 20 "one job" count_jobs 1
done

# ---- everything at once -----------------------------------------------------------------------------------

flynn resource-add postgres 2>/dev/null
database=$(flynn env get DATABASE_URL)
sql() {
	docker exec "$(part postgres)" psql -At "${database/leader.postgres.discoverd/127.0.0.1}" -c "$1"
}
sql 'CREATE TABLE kept (what text)' >/dev/null
sql "INSERT INTO kept VALUES ('survived')" >/dev/null
keys=$(flynn keys)
routes=$(flynn routes)
"$ROOT/test/engine.sh" crash
ok "with all killed nobody answers" wait_until 10 "silence" bash -c '! curl -fsS --max-time 2 http://example.localhost/'
ok "the engine starts again" "$ROOT/test/engine.sh" again
docker start flynn-host >/dev/null 2>&1
ok "the app is back without a person" wait_until 90 "the app" greets example
ok "so is the controller" wait_until 60 "the controller" controller_answers
is "keys are as before" "$(flynn keys)" "$keys"
is "routes are as before" "$(flynn routes)" "$routes"
is "data is as before" "$(wait_until 30 'the database' sql 'SELECT 1' && sql 'SELECT what FROM kept')" survived
ok "a push goes through" bash -c 'git commit -q --allow-empty -m back && git push flynn master'
