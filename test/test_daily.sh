#!/bin/bash
# The commands of every day about what runs: ps, log, exec, restart, kill, run and scale, on a real engine.
. "$(dirname "$0")/lib_cluster.sh"

cluster_start
developer
flynn key-add 2>/dev/null
new_app procfile example
cp "$ROOT/test/apps/sick/web.pl" .
# shellcheck disable=SC2016 # the job's shell expands it
sed -i 's/^web: .*/web: echo "listening on $PORT"; exec perl web.pl/' Procfile
# One that runs for as long as somebody outside allows it to start.
cat >>Procfile <<-'EOF'
	fickle: perl -MIO::Socket::INET -e 'IO::Socket::INET->new("$ENV{EXTERNAL_IP}:8099") or die "nobody is there\n"; sleep 1 while 1'
EOF
git add -A
git commit -q -m daily
flynn create example 2>/dev/null
out=$(git push flynn master 2>&1) || { note "$out"; show_logs; exit 1; }
flynn route-add-http example.localhost >/dev/null

# ids TYPE: of its jobs that are up.
ids() {
	flynn ps --json | jq -r ".[] | select(.type == \"$1\" and .state == \"up\").id" | sort
}

# has TYPE N: so many of them are up.
has() {
	[ "$(ids "$1" | grep -c .)" -eq "$2" ]
}

# short ID: what log shows of it.
short() {
	local uuid=${1#*-}

	printf %s "${uuid:0:8}"
}

# ---- scale -----------------------------------------------------------------------------------

out=$(flynn scale web=2 clock=1)
like "scale shows each job as it starts" "$out" '^web +starting +[^ ]+-[0-9a-f]{32}$'
like "and as it is up" "$out" '^clock +up +[^ ]+-[0-9a-f]{32}$'
ok "it returns when they serve" has web 2
is "without arguments it lists" "$(flynn scale | tr -s ' ' | sort | paste -sd,)" 'TYPE COUNT,clock 1,exits 0,fickle 0,silent 0,web 2'
is "as JSON, too" "$(flynn scale --json | jq -c '[.web, .clock, .silent]')" '[2,1,0]'
is "--no-wait says nothing" "$(flynn scale --no-wait silent=1)" ""
ok "but does it" wait_until 10 "silent" has silent 1
flynn scale -n silent=0

# ---- ps --------------------------------------------------------------------------------------

web=$(ids web | head -n 1)
out=$(flynn ps)
like "ps has columns" "$out" '^ID +TYPE +STATE +AGE +RESTARTS +CPU +MEMORY +HOST +RELEASE$'
like "a row says what a job uses" "$out" "^$web +web +up +[0-9]+ seconds? +0 +[0-9.]+% +[0-9]+ MB +${web%%-*} +v1\$"
is "each that runs does" "$(flynn ps --json | jq -c '[.[] | select(.state == "up") | .memory > 0 and .cpu_seconds >= 0 and .version == 1 and .host_id != ""] | all')" true
flynn exec "$web" perl -e '1 while time < $^T + 8' </dev/null &
computing=$!
busy() {
	flynn ps --json | jq -e ".[] | select(.id == \"$web\") | .cpu_percent > 10"
}
ok "what a job computes is seen while it does" wait_until 10 "percent" busy
kill "$computing"
wait "$computing"
start=$(now_ms)
flynn ps >/dev/null
note "flynn ps took $(($(now_ms) - start)) ms"
like "it can be spelt --all" "$(flynn ps --all | head -n 1)" 'RELEASE  REASON$'
unlike "in a pipe it has no colours" "$(flynn ps | cat -v)" '\^\['

kill -KILL "$(docker inspect -f '{{.State.Pid}}' "$(docker ps -q --filter label=flynn.job="$web")")"
restarted() {
	flynn ps --json | jq -e '[.[] | select(.type == "web" and .state == "up")] | length == 2 and any(.restarts == 1)'
}
ok "the one in the place of one that died counts a restart" wait_until 15 "the replacement" restarted
like "ps -a says of what it died" "$(flynn ps -a)" "^$web +web +crashed .* web was ended by SIGKILL"

# ---- log -------------------------------------------------------------------------------------

clock=$(ids clock)
# lines N OPTION...: so many lines at least are logged.
lines() {
	local n=$1

	shift
	[ "$(flynn log "$@" | wc -l)" -ge "$n" ]
}
wait_until 10 "three lines of the clock" lines 3 -r -t clock
like "a line says when, of which type and job" "$(flynn log -n 1 -t clock)" \
	"^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z app\\[clock\\.$(short "$clock")\\]: ."
is "-n takes the last so many" "$(flynn log -n 2 | wc -l)" 2
out=$(flynn log -n 1000)
like "all jobs' lines are there" "$out" 'app\[web\.[0-9a-f]{8}\]: listening on'
ok "in the order of their times" sort -c <<<"$(cut -d ' ' -f 1 <<<"$out")"
is "one job's only" "$(flynn log --job "$(short "$clock")" -n 1000 | grep -vc "app\\[clock\\.")" 0
is "the long spelling" "$(flynn logs --process-type web --number 1 | wc -l)" 1
like "--since takes a span" "$(flynn log --since 1h -t web)" 'listening on'
is "and a time" "$(flynn log --since 2100-01-01T00:00:00Z)" ""
fails_with "and nothing else" 1 'since "yesterday" is no time: write, say, 10m, 2h or' flynn log --since yesterday
fails_with "a number that is none" 1 'lines' flynn log -n many
fails_with "a source that is none" 1 'source "nowhere" is none: it is app, router or app,router' flynn log --source nowhere
fails_with "a job that is none" 1 'app example has no job nosuch: flynn ps -a lists them' flynn log -j nosuch
fails_with "too many words" 2 '^usage: flynn .*log' flynn log a b
is "--json is an object a line" "$(flynn log --json -n 2 -t clock | jq -r '.process_type + .source + .stream + .job_id' | sort -u)" "clockappstdout$clock"
get example.localhost /path-of-a-request >/dev/null
asked() {
	flynn log --source router | grep -q path-of-a-request
}
wait_until 5 "the router's record" asked
like "--source router has the requests" "$(flynn log --source router)" \
	'^20[^ ]+Z router: GET example\.localhost/path-of-a-request 200 in [0-9.]+ ms, [0-9]+ bytes, from [0-9.]+:55[0-9]{3}$'
unlike "and nothing else" "$(flynn log --source router -n 1000)" ' app\['
out=$(flynn log --source app,router -n 1000)
ok "both come in the order of their times" sort -c <<<"$(cut -d ' ' -f 1 <<<"$out")"
is "and are both there" "$(grep -oE ' (router|app\[web)' <<<"$out" | sort -u | tr -d '\n')" ' app[web router'

start_daemon follow flynn log -f -n 1 --source app,router
wait_until 10 "the first line" grep -q . "$TMP/follow.log"
get example.localhost /while-it-is-followed >/dev/null
ok "log -f shows requests as they come" wait_until 10 "the request" grep -q while-it-is-followed "$TMP/follow.log"
flynn scale clock=2 >/dev/null
other=$(ids clock | grep -v "$clock")
ok "and the lines of a new job" wait_until 10 "the new job" grep -q "clock.$(short "$other")" "$TMP/follow.log"
flynn scale clock=0 >/dev/null
like "a log stays when its job has gone" "$(flynn log -t clock -n 1)" "app\\[clock\\.($(short "$clock")|$(short "$other"))\\]: "
# shellcheck disable=SC2154 # start_daemon sets it
kill "$follow_pid"

id=$(flynn run -d sh -c 'echo out; echo err >&2' 2>&1)
said() {
	[ "$(flynn log -j "$id" -r 2>/dev/null | sort | paste -sd,)" = err,out ]
}
ok "a run's output is in it, --raw-output alone" wait_until 10 "both lines" said
is "-s puts its standard error on ours" "$(flynn log -j "$id" -r -s 2>/dev/null),$(flynn log -j "$id" -r -s 2>&1 >/dev/null)" out,err
is "the form of 2014 is the job's output as it was" "$(flynn log -s "$id" 2>/dev/null),$(flynn log -s "$id" 2>&1 >/dev/null)" out,err
out=$("$ROOT/test/terminal.py" flynn log -n 3 -t web </dev/null)
like "on a terminal a job has a colour" "$(cat -v <<<"$out")" 'Z \^\[\[[0-9]+mapp\[web\.[0-9a-f]{8}\]:\^\[\[0m '

# ---- exec ------------------------------------------------------------------------------------

web=$(ids web | head -n 1)
flynn exec "$web" sh -c 'echo out; echo err >&2; exit 7' >"$TMP/out" 2>"$TMP/err" </dev/null
is "exec ends with the status of the command" $? 7
is "its output is ours" "$(cat "$TMP/out"),$(cat "$TMP/err")" out,err
is "its input is ours, and may be large" "$(head -c 3000000 /dev/zero | flynn exec "$web" wc -c)" 3000000
is "so may its output" "$(flynn exec "$web" head -c 3000000 /dev/zero </dev/null | wc -c)" 3000000
# shellcheck disable=SC2016 # it is to be one word
is "words stay words" "$(flynn exec "$web" printf '%s|' 'a b' '$HOME' '' </dev/null)" 'a b|$HOME||'
# shellcheck disable=SC2016 # the job's shell expands it
is "it is in the job, as its user, with its variables and those given" \
	"$(flynn exec -e 'A=x y' "$web" sh -c 'echo $FLYNN_JOB_ID $(id -un) $(pwd) $A' </dev/null)" "$web slug /app x y"
is "a process type is its newest job" "$(flynn exec web printenv FLYNN_PROCESS_TYPE </dev/null)" web
is "the beginning of an id is enough" "$(flynn exec "$(short "$web")" printenv FLYNN_JOB_ID </dev/null)" "$web"
fails_with "a command that is not there" 127 'no-such-command: not found' flynn exec "$web" no-such-command
fails_with "a job that is not there" 1 'app example has no job nosuch: flynn ps -a lists them' flynn exec nosuch true
fails_with "one that has ended" 1 "job $id is ended and does not run" flynn exec "$id" true
fails_with "no command" 2 '^usage: flynn .*exec' flynn exec "$web"

# trapped NAME COMMAND...: in the background; says "ready", and when it is signalled which it was, with status 3.
# shellcheck disable=SC2016 # the job's shell expands it
trapped() {
	local name=$1

	shift
	start_daemon "$name" "$@" sh -c 'for s in INT TERM USR1; do trap "echo got $s; exit 3" $s; done; echo ready; for i in $(seq 200); do sleep 0.1; done'
	wait_until 10 "$name to begin" grep -q ready "$TMP/$name.log"
}

# passes_signals NAME COMMAND...
passes_signals() {
	local name=$1 signal pid

	shift
	for signal in INT TERM USR1; do
		trapped "$name-$signal" "$@"
		pid=${name}_${signal}_pid
		kill "-$signal" "${!pid}"
		wait "${!pid}"
		is "SIG$signal is sent on by flynn $name" "$?,$(tail -n 1 "$TMP/$name-$signal.log")" "3,got $signal"
	done
}
passes_signals exec flynn exec "$web"
trapped exec-gone flynn exec -e MARK=left-alone "$web"
# shellcheck disable=SC2154 # start_daemon sets it
kill -KILL "$exec_gone_pid"
# shellcheck disable=SC2016 # the job's shell expands it
left() {
	! flynn exec "$web" sh -c 'grep -ls MARK=left-alone /proc/[0-9]*/environ' </dev/null
}
ok "it ends when we are gone" wait_until 10 "it to end" left

# at_terminal COMMAND...: what a shell there says of its terminal, in two sizes, and of Ctrl-C, which a shell that is just
# forking would lose.
at_terminal() {
	"$ROOT/test/terminal.py" "$@" <<-'EOF'
		size 30 100
		type PS1=PRO''MPT
		expect PROMPT
		type tty; until [ "$(stty size)" = "30 100" ]; do sleep 0.1; done; echo sized''1
		expect /dev/
		expect sized1
		size 41 123
		type until [ "$(stty size)" = "41 123" ]; do sleep 0.1; done; echo sized''2
		expect sized2
		expect PROMPT
		type sh -c 'echo sleep""ing; exec sleep 50'; echo not''reached
		expect sleeping
		key 3
		expect PROMPT
		type echo still''here; exit 5
		expect stillhere
	EOF
}
out=$(at_terminal flynn exec web sh)
like "a terminal is the command's, with its size, keys and status" "$out" '^status 5$'
unlike "Ctrl-C interrupts what runs there" "$out" notreached

# ---- run -------------------------------------------------------------------------------------

like "so it is for run" "$(at_terminal flynn run sh)" '^status 5$'

# held NAME COMMAND...: with flynn's second connection, which is that of run, held back until $TMP/NAME.go is there. (To the relay
# it is the third: the first is that of listens.)
held() {
	local name=$1 port

	shift
	port=$(free_port)
	start_daemon "$name" "$ROOT/test/hold.py" "$port" 443 3 "$TMP/$name.asked" "$TMP/$name.go"
	wait_until 5 "the relay" listens "$port"
	sed "s|^  URL = .*|  URL = \"https://localhost:$port\"|" "$FLYNNRC" >"$TMP/$name.rc"
	FLYNNRC=$TMP/$name.rc "$@"
}
# shellcheck disable=SC2016 # the job's shell expands it
resized() {
	"$ROOT/test/terminal.py" flynn run sh -c 'for i in $(seq 50); do [ "$(stty size)" != "33 44" ] || exit 6; sleep 0.1; done' <<-EOF
		size 24 80
		await $TMP/resized.asked
		size 33 44
		make $TMP/resized.go
	EOF
}
held resized resized >"$TMP/resized.out" # not in a subshell, which would leave the relay behind
like "a size that changes before it begins is its size" "$(cat "$TMP/resized.out")" '^status 6$'
interrupted() {
	start_daemon run flynn run sleep 100
	wait_until 10 "the connection" test -e "$TMP/interrupted.asked"
	# shellcheck disable=SC2154 # start_daemon sets it
	kill -INT "$run_pid"
	wait "$run_pid"
}
held interrupted interrupted
is "one that has not begun is interrupted at once" $? 130
limit='cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes'
is "run -s limits its memory" "$(flynn run -s 64MB sh -c "$limit" </dev/null)" 67108864
is "--size in the words of limit, too" "$(flynn run --size memory=128MB sh -c "$limit" </dev/null)" 134217728
fails_with "a size that is none" 1 'memory=huge is no size' flynn run -s huge true
is "--enable-log is taken as the original's" "$(flynn run --enable-log echo logged </dev/null)" logged
passes_signals run flynn run
id=$(flynn run -d -s 64MB sleep 100 2>&1)
limited() {
	flynn ps | grep -E "^$id +run +up .* [0-9]+ of 64 MB "
}
ok "ps says a limit" wait_until 10 "the job" limited

# ---- kill ------------------------------------------------------------------------------------

fails_with "kill says what is not there" 1 'app example has no job nosuch: flynn ps -a lists them' flynn kill nosuch
fails_with "and takes no job for one that is not said" 1 '"" is no job of app example' flynn kill ''
is "kill takes the beginning of an id" "$(flynn kill "$(short "$id")" 2>&1)" "Job $id killed."
ended() {
	flynn ps -a | grep -E "^$id +run +(down|crashed)"
}
wait_until 15 "it to end" ended
fails_with "and says what has ended" 1 "job $id has ended already" flynn kill "$id"
fails_with "and that it takes a job" 2 '^usage: flynn .*kill' flynn kill

# ---- restart ---------------------------------------------------------------------------------

flynn scale web=3 >/dev/null
"$ROOT/test/steady_load.py" example.localhost >"$TMP/load" 2>&1 &
load=$!
old=$(ids web)
out=$(flynn restart web 2>&1)
is "restart succeeds" $? 0
new=$(ids web)
is "there are as many as before" "$(wc -l <<<"$new")" 3
is "and all are others" "$(comm -12 <(echo "$old") <(echo "$new"))" ""
like "it shows each that comes" "$out" "^web +up +$(head -n 1 <<<"$new")\$"
like "and each that goes" "$out" "^web +down +$(head -n 1 <<<"$old")\$"
one=$(head -n 1 <<<"$new")
ok "one job can be restarted" flynn restart "$(short "$one")"
is "and only that one is another" "$(comm -12 <(echo "$new") <(ids web) | wc -l),$(ids web | grep -c "$one")" 2,0
kill -TERM "$load"
wait "$load"
like "no request was lost" "$(cat "$TMP/load")" '^[1-9][0-9]* ok, 0 failed$'
note "$(tail -n 1 "$TMP/load")"
fails_with "a type that does not run" 1 '"silent" has no jobs that could be replaced' flynn restart silent
fails_with "what is neither type nor job" 1 'app example has no job nosuch' flynn restart nosuch
fails_with "too many words" 2 '^usage: flynn .*restart' flynn restart a b

start_daemon blessing perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalPort => 8099, Listen => 9, ReuseAddr => 1) or die; 1 while $s->accept'
wait_until 5 "it to listen" listens 8099
ok "a fickle one runs" flynn scale fickle=1
fickle=$(ids fickle)
# shellcheck disable=SC2154 # start_daemon sets it
kill "$blessing_pid"
wait "$blessing_pid"
fails_with "a restart whose new job fails says why" 1 'fickle exited [0-9]+ after' flynn restart fickle
alone() {
	[ "$(flynn ps --json | jq -r '.[] | select(.type == "fickle" and (.state == "up" or .state == "starting")).id')" = "$fickle" ]
}
ok "and the old one runs on, alone" wait_until 15 "it to be given up" alone
flynn scale fickle=0 >/dev/null
ok "a restart of all replaces all" flynn restart
flynn scale clock=1 >/dev/null
start_daemon resumed flynn log -f -n 1 -t clock
wait_until 10 "a line of the clock" grep -q clock "$TMP/resumed.log"
ok "so it does of the controller that carries it out" flynn -a controller restart web
before=$(wc -l <"$TMP/resumed.log")
goes_on() {
	[ "$(wc -l <"$TMP/resumed.log")" -gt $((before + 1)) ]
}
ok "and log -f goes on with the new one" wait_until 15 "more lines" goes_on
is "without a line twice" "$(sort "$TMP/resumed.log" | uniq -d)" ""
