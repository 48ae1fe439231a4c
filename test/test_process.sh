#!/bin/bash
# test_process.sh - the processes of an app: those that do not serve and the sentence that says why,
# scaling, logs, one-off jobs, the environment, and a worker that is killed.
. "$(dirname "$0")/lib_cluster.sh"

# begin_scale TYPE: in the background, for the host looks at a sick type for half a minute before it
# gives up. Returns once it is under way, for a formation is written whole: two at once would lose one.
begin_scale() {
	start_daemon "$1" flynn -a sick scale "$1=1"
	wait_until 20 "$1 to be starting" grep -q starting "$TMP/$1.log"
}

# end_scale TYPE SENTENCE: it has failed by now or will, and said so.
end_scale() {
	local pid=${1//-/_}_pid

	wait "${!pid}"
	is "scale $1=1 fails" $? 1
	like "and says: $2" "$(cat "$TMP/$1.log")" "$2"
}

worker_pids() {
	docker ps -q --filter "name=^/flynn-$1-$2-" | xargs -r docker inspect -f '{{.State.Pid}}'
}

# env_is NAME VALUE: what the app's worker has in its environment.
env_is() {
	[ "$(get "example.localhost" "/env/$1")" = "$2" ]
}

workers() {
	[ "$(worker_pids "$1" "$2" | wc -l)" -eq "$3" ]
}

cluster_start
developer
flynn key-add 2>/dev/null
new_app sick sick
flynn create sick 2>/dev/null
fails_with "a scale before the first push says what to do" 1 'app sick has no release yet: git push flynn master makes one' \
	flynn scale web=1
fails_with "a run before the first push, too" 1 'app sick has no release yet: git push flynn master makes one' flynn run true
ok "the app is pushed" git push -q flynn master

# ---- that cannot be scaled ------------------------------------------------------------------

formation=$(flynn scale)
fails_with "an unknown type" 1 'app sick has no process type "nope": its release has web, exits-web, ' flynn scale nope=1
fails_with "a known and an unknown type" 1 'no process type "nope"' flynn scale web=2 nope=1
fails_with "a negative number" 1 '"web=-1": a count is a number from 0 to 1000' flynn scale web=-1
fails_with "too many" 1 '"web=1001": a count is a number from 0 to 1000' flynn scale web=1001
fails_with "more than a number holds" 1 '"web=99999999999999999999": a count is a number' flynn scale web=99999999999999999999
for word in web web= =1 web=x web=1x 'web=1 2' 3; do
	fails_with "'$word' is malformed" 1 'is no TYPE=COUNT: write, say, web=3' flynn scale "$word"
done
fails_with "a type that is given twice" 1 'web is given twice' flynn scale web=2 web=3
fails_with "an unknown option" 2 'usage: flynn' flynn scale --nope
is "nothing of it changed the formation" "$(flynn scale)" "$formation"

# ---- that do not serve ----------------------------------------------------------------------

fails_with "a process that exits at once is told with its status" 1 'exits-web exited 7 after [0-9.]+ s$' flynn scale exits-web=1
log=$(flynn ps -a)
like "flynn ps -a keeps the reason" "$log" 'exits-web +(failed|crashed) .*exits-web exited 7'
fails_with "so are its last words" 1 '^ +cannot go on: no database$' flynn scale exits-web=2
ok "it can be given up" flynn scale exits-web=0
fails_with "so is one that nobody can connect to" 1 'missing exited 127 after [0-9.]+ s$' flynn scale missing=1
fails_with "with its last words" 1 'no-such-program: (command )?not found' flynn scale missing=2
ok "and given up" flynn scale missing=0
begin_scale never-web
begin_scale wrong-web
begin_scale local-web

# ---- one-off jobs, while those are looked at ------------------------------------------------

new_app procfile example
flynn create example 2>/dev/null
git push -q flynn master 2>/dev/null
flynn route-add-http example.localhost >/dev/null
ok "another app serves" wait_until 10 "example to answer" get example.localhost
flynn run sh -c 'echo out; echo err >&2; exit 7' >"$TMP/out" 2>"$TMP/err" </dev/null
is "run ends with the status of the command" $? 7
is "its standard output is ours" "$(cat "$TMP/out")" out
is "its standard error is ours" "$(cat "$TMP/err")" err
is "its standard input is ours" "$(printf 'one\ntwo\n' | flynn run sed 's/o/0/')" $'0ne\ntw0'
is "and may be large" "$(head -c 3000000 /dev/zero | flynn run sh -c 'wc -c')" 3000000
is "so may its output" "$(flynn run sh -c 'head -c 3000000 /dev/zero' </dev/null | wc -c)" 3000000
is "words stay words" "$(flynn run printf '%s|' 'a b' "it's" '$HOME' '' '*' </dev/null)" "a b|it's|\$HOME||*|"
is "a shell's script is one word" "$(flynn run sh -c 'echo "$0" "a  b"' zero </dev/null)" "zero a  b"
is "a variable can be given" "$(flynn run -e 'A=x y' sh -c 'echo $A' </dev/null)" "x y"
is "one that is closed is an empty one" "$(timeout -k 1 20 flynn run cat <&- 2>&1),$?" ",0"
fails_with "no release is none" 1 '"" is no release of app' flynn run -r '' true
fails_with "what is no release is none" 1 '"master" is no release of app .*: flynn releases lists them, as v3' flynn run -r master true
fails_with "a scale by one more is none" 1 '"web=\+1" is no TYPE=COUNT' flynn scale web=+1
fails_with "a command that is not there" 127 'no-such-command: not found' flynn run no-such-command
flynn run sh -c 'kill -9 $$' >/dev/null 2>&1 </dev/null
is "one that is killed" $? 137
fails_with "run without a command is a usage error" 2 'usage: flynn .*run' flynn run
id=$(flynn run -d sh -c 'echo detached; exit 3' 2>&1)
like "run -d prints the job's id" "$id" '^[^-]+-[0-9a-f]{32}$'
job_ended() {
	flynn ps -a | grep -q "^$id .*exited 3"
}
ok "and flynn ps -a what came of it" wait_until 10 "the job to end" job_ended
is "flynn log what it said" "$(flynn log "$id")" detached

# ---- logs ------------------------------------------------------------------------------------

like "flynn log shows what the newest web job says" "$(flynn log "$(flynn ps | awk '$2 == "web" { print $1 }')")" '^listening on [0-9]+$'
ok "a clock is started" flynn scale clock=1
clock=$(flynn ps | awk '$2 == "clock" { print $1 }')
start_daemon follow flynn log -f "$clock"
ok "flynn log -f follows" wait_until 10 "three lines" bash -c "[ \$(wc -l <'$TMP/follow.log') -ge 3 ]"
ok "the clock is stopped" flynn scale clock=0
# shellcheck disable=SC2154 # start_daemon sets it
follow_ended() {
	! kill -0 "$follow_pid" 2>/dev/null
}
ok "which ends what follows it" wait_until 15 "flynn log -f to end" follow_ended
fails_with "the log of an unknown job" 1 'vm-00000000000000000000000000000000' flynn log vm-00000000000000000000000000000000

# ---- environment -----------------------------------------------------------------------------

old=$(worker_pids example web)
like "env set makes a release" "$(flynn env set GREETING='hello you' OTHER=1 2>&1)" '^Created release [0-9a-f]{32}\.$'
ok "whose jobs have the variable" wait_until 20 "the variable" env_is GREETING "hello you"
ok "and replace the old ones" wait_until 20 "one worker" workers example web 1
unlike "which are gone" "$(worker_pids example web)" "^$old\$"
is "env get" "$(flynn env get GREETING)" "hello you"
like "env lists them" "$(flynn env)" '^GREETING=hello you$'
ok "env unset" flynn env unset GREETING
ok "takes it from new jobs" wait_until 20 "no variable" env_is GREETING ""
is "and leaves the others" "$(get example.localhost /env/OTHER)" 1
fails_with "env get of what is not there" 1 'the app has no variable GREETING: flynn env lists' flynn env get GREETING
fails_with "env set without a value" any 'NAME=VALUE|usage' flynn env set GREETING
is "a one-off job has the variables" "$(flynn run sh -c 'echo $OTHER' </dev/null)" 1

# ---- a worker that is killed -----------------------------------------------------------------

for round in 1 2; do
	ok "one worker runs" wait_until 10 "one worker" workers example web 1
	pid=$(worker_pids example web)
	start=$(now_ms)
	kill -KILL "$pid"
	wait_until 10 "the worker to be gone" bash -c "! kill -0 $pid"
	ok "after kill -9 a replacement answers (round $round)" wait_until 15 "the replacement" get example.localhost
	note "kill -9 until the replacement answered: $(($(now_ms) - start)) ms"
done
get example.localhost /exit >/dev/null
ok "so it does after a worker that ended by itself" wait_until 15 "the replacement" get example.localhost
like "flynn ps -a says how it died" "$(flynn ps -a)" ' web +crashed .*SIGKILL'

# ---- an image that is not there --------------------------------------------------------------

flynn create imageless 2>/dev/null
ok "a release of an image that nobody has" flynn -a imageless release add flynn/nowhere
fails_with "its jobs say that it is missing" 1 \
	'image flynn/nowhere:latest is not on this host and cannot be pulled: build it with make images, or push it' \
	flynn -a imageless run true
ok "a release by image and tag, as in 2014" flynn -a imageless release-add-docker flynn/nowhere v2
fails_with "says the tag" 1 'image flynn/nowhere:v2 is not on this host' flynn -a imageless run true
flynn -a imageless release add 'no image' 2>/dev/null
fails_with "and a name that no image can have is refused" 1 'has an image name, tag or id that Docker does not allow' \
	flynn -a imageless run true

# ---- what the sick ones came to ----------------------------------------------------------------

end_scale wrong-web 'wrong-web listens on 8123, but PORT is 55[0-9]{3}$'
end_scale local-web 'local-web listens only on 127\.0\.0\.1, so nobody can reach it: listen on 0\.0\.0\.0$'
end_scale never-web 'never-web did not listen on PORT 55[0-9]{3} within 30 s$'
ok "they are given up together" flynn -a sick scale never-web=0 wrong-web=0 local-web=0
none_left() {
	! flynn -a sick ps | grep -Eq '(never|wrong|local|exits)-web'
}
ok "and none of them is left" wait_until 20 "them to be gone" none_left
like "the healthy type has run all the time" "$(flynn -a sick ps)" ' web +up '
