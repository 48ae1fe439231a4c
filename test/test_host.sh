#!/bin/bash
# flynn-host on a real engine: jobs, ports, health, attach, volumes, claim, and the death of everybody involved.
. "$(dirname "$0")/lib_cluster.sh"

IMAGE=flynn/base
STATE=$TMP/state/state.json
API=http://127.0.0.1:1113
ID=h1
NO_ID=$(printf '%064d' 0 | tr 0 f)

# ---- the daemon -------------------------------------------------------------------------------

host_start() {
	start_daemon host flynn-host -external "$HOST" -id $ID -state "$STATE" -docker "${DOCKER_HOST#unix://}" \
		-manifest "$ROOT/host/manifest.json"
	wait_until 20 "host to answer" curl -fsS "$API/ping" || { cat "$TMP/host.log"; die "host does not start"; }
	KEY=$(jq -r .key "$STATE")
	wait_until 20 "host to know what runs" knows || { cat "$TMP/host.log"; die "host does not start"; }
}

knows() {
	get_json /host/status
	[ "$(get_json /host/status | jq .ready)" = true ]
}

# host_end SIGNAL
host_end() {
	# shellcheck disable=SC2154 # set by start_daemon
	kill "-$1" "$host_pid"
	wait "$host_pid"
}

# api METHOD PATH [BODY]: the answer; its status in the last line.
api() {
	curl -sS --max-time 20 -u ":$KEY" -X "$1" ${3:+-d "$3"} -w '\n%{http_code}\n' "$API$2"
}

get_json() {
	curl -sS --max-time 20 -u ":$KEY" "$API$1"
}

# ---- jobs --------------------------------------------------------------------------------------

new_id() {
	printf '%s-%s' $ID "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
}

# job ID CMD [CONFIG [MEMBERS]]: its JSON. CMD is a shell's; CONFIG and MEMBERS are more of it.
job() {
	jq -nc --arg id "$1" --arg cmd "$2" --arg image "docker:///$IMAGE?tag=latest" --argjson config "{${3:-}}" --argjson more "{${4:-}}" \
		'{id: $id, artifact: {uri: $image}, config: ({entrypoint: ["/bin/sh", "-c"], cmd: [$cmd]} + $config)} * $more'
}

# add ID CMD [CONFIG [MEMBERS]]
add() {
	api PUT "/host/jobs/$1" "$(job "$@")" | tail -n 1
}

# of ID JQ: something of the active job.
of() {
	get_json "/host/jobs/$1" | jq -r "$2"
}

# becomes ID STATUS: for wait_until.
becomes() {
	of "$1" .status
	[ "$(of "$1" .status)" = "$2" ]
}

has_ended() {
	of "$1" '"\(.status) \(.error)"'
	[[ $(of "$1" .status) = @(done|crashed|failed) ]]
}

# serves PORT
serves() {
	curl -fsS --max-time 2 "http://$HOST:$1"
}

is_healthy() {
	of "$1" '"\(.status) \(.error)"'
	[ "$(of "$1" .healthy)" = true ]
}

has_event() {
	sed -n 's/^data: //p' "$TMP/events" | jq -es "any(.event == \"$1\" and .job_id == \"$2\")" >/dev/null
}

instances() {
	curl -sS -u ":$KEY" "http://$HOST:1111/services/$1/instances" | jq -r '.[].addr' 2>/dev/null | sort | paste -sd' '
}

instances_are() {
	instances "$1"
	[ "$(instances "$1")" = "$2" ]
}

# A server for a job: it says its port to whoever connects.
# shellcheck disable=SC2016 # the job's shell and perl expand it
SERVER='exec perl -e '\''use IO::Socket::INET; $| = 1; my $s = IO::Socket::INET->new(LocalAddr => $ENV{AT} // "0.0.0.0", LocalPort => $ENV{LISTEN} // $ENV{PORT}, Listen => 9, ReuseAddr => 1) or die "listen: $!\n"; print "listening\n"; while (my $c = $s->accept) { print $c "HTTP/1.0 200 OK\r\n\r\n$ENV{PORT}\n"; close $c }'\'

# app TYPE: metadata of an app's job.
app() {
	printf '"metadata":{"flynn-controller.app":"a1","flynn-controller.app_name":"example","flynn-controller.release":"r1","flynn-controller.type":"%s"}' "$1"
}

# service NAME [CHECK]: a port that is one.
service() {
	printf '"ports":[{"port":0,"service":{"name":"%s","check":%s}}]' "$1" "${2:-{\}}"
}

attach() {
	timeout 30 "$ROOT/test/attach.pl" 127.0.0.1:1113 "$KEY" "$@"
}

# later SECONDS COMMAND...: in the background, once somebody can be waiting.
later() {
	sleep "$1"
	shift
	"$@"
}

at_end engine_empty
engine_empty

# ---- flags -------------------------------------------------------------------------------------

like "-h prints usage" "$(flynn-host -h)" '-external'
like "-version prints the version" "$(flynn-host -version)" '[0-9]+\.[0-9]+\.[0-9]+'
fails_with "without -external" 2 'external is missing' flynn-host
fails_with "-external that is no address" 2 'banana is no IPv4 address' flynn-host -external banana
fails_with "an id with a dash" 1 'a host id is of a-z and 0-9' flynn-host -external "$HOST" -id a-b -state "$STATE" -manifest ''
printf '[{"id":"x","args":["{{ .Nope }}"]}]' >"$TMP/bad.json"
fails_with "a manifest with an unknown value" 1 'layer 0, x: \{\{ \.Nope \}\} is unknown' \
	flynn-host -external "$HOST" -state "$STATE" -manifest "$TMP/bad.json"
mkdir "$TMP/state"
echo '{"jobs":[' >"$STATE"
fails_with "a state that cannot be understood is not overwritten" 1 'cannot understand the state' \
	flynn-host -external "$HOST" -state "$STATE" -manifest ''
rm "$STATE"

# ---- claim -------------------------------------------------------------------------------------

host_start
is "no key, no entry" "$(curl -s -o /dev/null -w '%{http_code}' $API/host/status)" 401
curl -sN -X POST $API/host/claim >"$TMP/claim" &
claim_pid=$!
claim_key() { grep -o '"key":"[0-9a-f]*"' "$TMP/claim" | cut -d'"' -f4 | grep .; }
ok "a claim is granted once layer 0 is up" wait_until 30 "the claim's answer" claim_key
first_key=$(claim_key)
KEY=$first_key
is "the key opens" "$(api GET /host/status | tail -n 1)" 200
is "the state is root's alone" "$(stat -c %a "$STATE")" 600
like "a second claim has to wait" "$(curl -s -X POST $API/host/claim)" 'another bootstrap'
void=$(new_id)
add "$void" 'echo kept >/v/file; sleep 600' '"volumes":[{"name":"void","target":"/v"}]' >/dev/null
ok "a job of the claim runs" wait_until 10 "the job" is_healthy "$void"
kill $claim_pid
wait $claim_pid 2>/dev/null

curl -sN -X POST $API/host/claim >"$TMP/claim" &
claim_pid=$!
ok "the next claim is granted" wait_until 40 "the claim's answer" claim_key
KEY=$(claim_key)
ok "with another key" [ "$KEY" != "$first_key" ]
is "the old key opens nothing" "$(curl -s -o /dev/null -w '%{http_code}' -u ":$first_key" $API/host/status)" 401
is "jobs of the void claim are gone" "$(api GET "/host/jobs/$void" | tail -n 1)" 404
is "and their volumes" "$(docker volume ls -q --filter label=flynn.volume=void)" ""
is "complete" "$(api PUT /host/claim '{"complete":true}' | tail -n 1)" 200
kill $claim_pid
wait $claim_pid 2>/dev/null
like "nobody is handed the key any more" "$(curl -s -X POST $API/host/claim)" 'belongs to a cluster already: use the flynn server-add line'

curl -sN -u ":$KEY" -H 'Accept: text/event-stream' $API/host/jobs >"$TMP/events" &
events_pid=$!
# shellcheck disable=SC2016 # at the end, there is another one
at_end eval 'end $events_pid'

# ---- a job that serves ---------------------------------------------------------------------------

web=$(new_id)
is "a job is accepted" "$(add "$web" "$SERVER" "$(service example-web)" "$(app web)")" 200
ok "it comes up" wait_until 10 "health" is_healthy "$web"
port=$(of "$web" '.ports[0]')
ok "its port is from 55000 up" [ "$port" -ge 55000 ]
is "the number is the same inside and outside" "$(curl -s "http://$HOST:$port")" "$port"
ok "it is registered" wait_until 5 "the instance" instances_are example-web "$HOST:$port"
for event in create start up; do
	ok "event $event" wait_until 5 "event $event" has_event $event "$web"
done
is "the same id again is refused" "$(add "$web" true)" 409

starts=$(new_id)
add "$starts" "until [ -e /tmp/go ]; do sleep 0.1; done; $SERVER" "$(service late-web)" "$(app web)" >/dev/null
runs() { becomes "$starts" starting && docker exec "$(of "$starts" .container_id)" true; }
wait_until 10 "it to run" runs
late_port=$(of "$starts" '.ports[0]')
ok "one that is starting is announced" wait_until 5 "the announcement" instances_are late-web-starting "$HOST:$late_port"
is "and not registered" "$(instances late-web)" ""
docker exec "$(of "$starts" .container_id)" touch /tmp/go
ok "it is registered once it is healthy" wait_until 10 "the instance" instances_are late-web "$HOST:$late_port"
ok "and announced no more" wait_until 5 "the announcement's end" instances_are late-web-starting ""
api DELETE "/host/jobs/$starts" >/dev/null

env_of=$(new_id)
add "$env_of" 'env; sed s/^/RESERVED=/ /proc/sys/net/ipv4/ip_local_reserved_ports; sleep 600' "$(service env '{"type":"none"}')" "$(app env)" >/dev/null
wait_until 10 "the job" is_healthy "$env_of"
seen=$(docker logs "$(of "$env_of" .container_id)")
like "EXTERNAL_IP" "$seen" "^EXTERNAL_IP=$HOST$"
like "DISCOVERD" "$seen" "^DISCOVERD=$HOST:1111$"
like "FLYNN_JOB_ID" "$seen" "^FLYNN_JOB_ID=$env_of$"
like "FLYNN_HOST_ID" "$seen" "^FLYNN_HOST_ID=$ID$"
like "PORT" "$seen" "^PORT=$(of "$env_of" '.ports[0]')$"
like "PORT_0" "$seen" "^PORT_0=$(of "$env_of" '.ports[0]')$"
like "no connection of the job's own gets it" "$seen" "^RESERVED=$(of "$env_of" '.ports[0]')$"
unlike "an app never sees the cluster key" "$seen" "$KEY"
limits=$(docker inspect "$(of "$env_of" .container_id)" | jq -c '.[0].HostConfig | [.CapDrop, .SecurityOpt, .PidsLimit, .LogConfig.Config["max-size"], .Init]')
is "an app is confined, its log bounded" "$limits" '[["ALL"],["no-new-privileges"],4096,"10m",true]'

# ---- jobs that do not get there ------------------------------------------------------------------

# refused WHAT SENTENCE CMD CONFIG MEMBERS
failed() {
	local id

	id=$(new_id)
	add "$id" "$3" "${4:-}" "${5:-$(app web)}" >/dev/null
	wait_until 15 "$1" becomes "$id" failed
	like "$1" "$(of "$id" .error)" "$2"
	ok "$1: event error" has_event error "$id"
}

short='{"timeout_s":2}'
failed "listens on the wrong port" '^web listens on 3000, but PORT is 550[0-9]+$' "LISTEN=3000; export LISTEN; $SERVER" "$(service x "$short")"
failed "listens on loopback only" '^web listens only on 127\.0\.0\.1, so nobody can reach it: listen on 0\.0\.0\.0$' \
	"AT=127.0.0.1; export AT; $SERVER" "$(service x "$short")"
failed "never listens" '^web did not listen on PORT 550[0-9]+ within 2 s$' 'sleep 600' "$(service x "$short")"
ok "none of those is announced any more" wait_until 5 "the announcements' end" instances_are x-starting ""
failed "answers badly" '^GET /nope answered 404 for 2 s$' \
	"exec perl -e 'use IO::Socket::INET; my \$s = IO::Socket::INET->new(LocalPort => \$ENV{PORT}, Listen => 9); while (my \$c = \$s->accept) { sysread \$c, my \$x, 999; print \$c \"HTTP/1.0 404 No\\r\\n\\r\\n\"; close \$c }'" \
	"$(service x '{"type":"http","path":"/nope","timeout_s":2}')"
failed "exits at once" '^web exited 3 after [0-9.]+ s$' 'echo first; echo last words >&2; exit 3' "$(service x)"
id=$(new_id)
add "$id" 'echo last words; exit 3' "$(service x)" "$(app web)" >/dev/null
wait_until 10 "the end" becomes "$id" failed
like "its last words are told" "$(of "$id" .error)" '^last words$'
failed "a program that is not there" 'exec nothing-like-that failed' true "\"entrypoint\":[\"nothing-like-that\"],$(service x)"
failed "a missing image, by id" '^image flynn/nope \(id f+\) is not on this host: build it with make images' true '' \
	"$(app web),\"artifact\":{\"uri\":\"https://registry.hub.docker.com/flynn/nope?id=$NO_ID\"}"
failed "a missing image, by tag" '^image flynn/nope:x is not on this host and cannot be pulled: build it with make images' true '' \
	"$(app web),\"artifact\":{\"uri\":\"https://registry.hub.docker.com/flynn/nope?tag=x\"}"
failed "a port that another job has" "^web wants port $port, which web \\(job $web\\) has$" true "\"ports\":[{\"port\":$port}]"

next=$((port + 200))
perl -e 'use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => '"$next"', Listen => 1) or die; sleep 60' &
squatter=$!
wait_until 5 "the squatter" listens "$next"
failed "a port that another program has" "^web wants port $next, which another program on this machine has" 'sleep 600' "\"ports\":[{\"port\":$next}]"
# The file is host's memory of where to go on: the next number is the squatter's.
host_end TERM
jq ".next_port = $next" "$STATE" >"$TMP/edited" && cp "$TMP/edited" "$STATE"
end $events_pid
host_start
curl -sN -u ":$KEY" -H 'Accept: text/event-stream' $API/host/jobs >"$TMP/events" &
events_pid=$!
id=$(new_id)
add "$id" "$SERVER" "$(service moved)" "$(app moved)" >/dev/null
ok "a taken port is passed by" wait_until 10 "the job" is_healthy "$id"
is "with the next one" "$(of "$id" '.ports[0]')" $((next + 1))
end $squatter

id=$(new_id)
# shellcheck disable=SC2016 # perl's
add "$id" 'perl -e '\''$x = "a" x 300000000; sleep 9'\' '' "$(app web),\"resources\":{\"memory\":33554432}" >/dev/null
wait_until 10 "its end" has_ended "$id"
like "a memory limit is kept, and told" "$(of "$id" .error)" '^web was killed at its memory limit of 32 MB after'

# ---- what cannot be asked -------------------------------------------------------------------------

bad() {
	like "$1" "$(api "${4:-PUT}" "$2" "$3")" "$5"
}
zero=$(printf '%032d' 0)
bad "malformed JSON" "/host/jobs/$ID-$zero" '{"id":' PUT 'the body is not valid JSON'
bad "a wrong type" "/host/jobs/$ID-$zero" "{\"id\":\"$ID-$zero\",\"artifact\":7}" PUT '\\"artifact\\" must be an object'
bad "no artifact" "/host/jobs/$ID-$zero" "{\"id\":\"$ID-$zero\"}" PUT 'a job needs an artifact'
bad "an artifact that is no image" "/host/jobs/$ID-$zero" "{\"id\":\"$ID-$zero\",\"artifact\":{\"uri\":\"x\"}}" PUT 'the artifact x names no image'
bad "a job of another host" "/host/jobs/other-$zero" "{\"id\":\"other-$zero\",\"artifact\":{\"uri\":\"docker:///x\"}}" PUT "is for host other, this is $ID"
bad "another id in the path" "/host/jobs/$ID-$zero" "$(job "$(new_id)" true)" PUT 'the path says'
bad "a job that nobody added" "/host/jobs/$ID-$zero" '' DELETE 'no job .* on this host'
bad "a signal that is none" "/host/jobs/$web/signal/99" '' PUT '99 is no signal number'
bad "to stop layer 0" "/host/jobs/$(get_json /host/jobs | jq -r '.[] | select(.job.metadata["flynn-host.manifest"] == "etcd") | .job.id')" '' DELETE \
	'etcd is layer 0'
head -c 3000000 /dev/zero | tr '\0' ' ' >"$TMP/huge"
is "a body of 3 MB" "$(curl -s -o /dev/null -w '%{http_code}' -u ":$KEY" -X PUT --data-binary "@$TMP/huge" "$API/host/jobs/$ID-$zero")" 413

# ---- attach ---------------------------------------------------------------------------------------

id=$(new_id)
later 0.3 add "$id" 'echo out; echo err >&2; cat; exit 7' '"stdin":true' >/dev/null &
out=$(echo fed | attach "$id" 23 2>"$TMP/err")
is "an attached job's exit status is the client's" $? 7
is "its output, from the first byte, and its stdin" "$out" $'out\nfed'
like "its stderr is another stream" "$(cat "$TMP/err")" '^err$'
like "a client that came first was told to wait" "$(cat "$TMP/err")" '^waiting$'

id=$(new_id)
head -c 20000000 /dev/urandom >"$TMP/big"
later 0.2 add "$id" 'cat' '"stdin":true,"stop_on_detach":true' >/dev/null &
ok "20 MB through a job and back" cmp <(attach "$id" 23 <"$TMP/big") "$TMP/big"

id=$(new_id)
later 0.2 add "$id" 'sleep 0.3; stty size; exit 5' '"stdin":true,"tty":true' >/dev/null &
is "a terminal has the client's size" "$(sleep 2 | attach "$id" 23 33 77 2>/dev/null | tr -d '\r')" "33 77"

id=$(new_id)
later 0.2 add "$id" 'trap "echo got it; exit 9" INT; echo ready; while :; do sleep 0.1; done' >/dev/null &
out=$(attach "$id" 19 0 0 2 2>/dev/null)
is "a signal reaches the job" "$out:$?" $'ready\ngot it:9'

like "history of a running job" "$(attach "$web" 11 2>&1)" '^listening$'
id=$(new_id)
add "$id" 'echo printed before; exit 4' '' "$(app old)" >/dev/null
wait_until 10 "its end" has_ended "$id"
out=$(attach "$id" 27 2>/dev/null)
is "history and end of a job that ended" "$out:$?" "printed before:4"

id=$(new_id)
later 0.2 add "$id" true '"stdin":true' '"artifact":{"uri":"docker:///flynn/nope?id='"$NO_ID"'"}' >/dev/null &
fails_with "an attacher hears of a failed launch" 125 'is not on this host' attach "$id" 23

id=$(new_id)
"$ROOT/test/attach.pl" 127.0.0.1:1113 "$KEY" "$id" 19 2>/dev/null &
client=$!
later 0.3 add "$id" 'sleep 600' '"stdin":true,"stop_on_detach":true' >/dev/null
wait_until 10 "the job" becomes "$id" running
kill -KILL $client
ok "a job whose client goes is stopped" wait_until 8 "its end" becomes "$id" 'done'

# ---- volumes -----------------------------------------------------------------------------------

vol='"volumes":[{"name":"data","target":"/data"}]'
one=$(new_id)
add "$one" 'echo precious >/data/file; sleep 600' "$vol" "$(app db)" >/dev/null
wait_until 10 "the job" becomes "$one" running
like "volumes are listed" "$(get_json /host/volumes)" '"name":"data"'
like "one in use stays" "$(api DELETE /host/volumes/data)" "volume data is in use by db: stop job $one first"
api DELETE "/host/jobs/$one" >/dev/null
ok "a stopped job is done" wait_until 15 "its end" becomes "$one" 'done'
two=$(new_id)
add "$two" 'cat /data/file; sleep 600' "$vol" "$(app db)" >/dev/null
wait_until 10 "the job" becomes "$two" running
is "data outlives its job" "$(attach "$two" 11 2>/dev/null)" precious
api DELETE "/host/jobs/$two" >/dev/null
wait_until 15 "its end" becomes "$two" 'done'
is "a volume that nobody uses goes" "$(api DELETE /host/volumes/data | tail -n 1)" 200
is "and is gone" "$(api DELETE /host/volumes/data | tail -n 1)" 404

# ---- deaths ------------------------------------------------------------------------------------

sys=$(new_id)
add "$sys" "$SERVER" "$(service part)" "$(app part),\"system\":true" >/dev/null
wait_until 10 "the job" is_healthy "$sys"
sys_port=$(of "$sys" '.ports[0]')
part=$HOST:$sys_port

docker kill "$(of "$web" .container_id)" >/dev/null
ok "an app that dies is reported" wait_until 5 "event stop" has_event stop "$web"
like "with how" "$(of "$web" .error)" '^web was ended by SIGKILL after'
ok "and out of discoverd" wait_until 5 "no instance" instances_are example-web ""

start=$(now_ms)
docker kill "$(of "$sys" .container_id)" >/dev/null
restarted() { [ "$(of "$sys" .restarts)" -ge "$1" ] && curl -fsS --max-time 1 "http://$part"; }
ok "a part of the platform is started again" wait_until 10 "it to answer again" restarted 1
took=$(($(now_ms) - start))
ok "soon ($took ms)" [ $took -lt 5000 ]
is "on the same port" "$(of "$sys" '.ports[0]')" "$sys_port"

web=$(new_id)
add "$web" "$SERVER" "$(service example-web)" "$(app web)" >/dev/null
wait_until 10 "the job" is_healthy "$web"
port=$(of "$web" '.ports[0]')
container=$(of "$web" .container_id)
end $events_pid

host_end KILL
is "containers live on without host" "$(curl -s "http://$HOST:$port")" "$port"
host_start
wait_until 10 "the job" is_healthy "$web"
is "host takes them over as they are" "$(of "$web" .container_id)" "$container"
ok "and registers them" wait_until 10 "the instance" instances_are example-web "$HOST:$port"

start=$(now_ms)
host_end TERM
is "SIGTERM ends it well" $? 0
ok "and soon ($(($(now_ms) - start)) ms)" [ $(($(now_ms) - start)) -lt 1000 ]
# shellcheck disable=SC2046 # a list of words
docker kill $(docker ps -q) >/dev/null
host_start
ok "what died meanwhile runs again" wait_until 20 "the app" is_healthy "$web"
is "in its old container" "$(of "$web" .container_id)" "$container"
ok "the platform too" wait_until 20 "the part" is_healthy "$sys"

host_end KILL
# shellcheck disable=SC2046 # a list of words
docker rm -f $(docker ps -aq) >/dev/null
host_start
ok "what was removed meanwhile is made again" wait_until 20 "the app" is_healthy "$web"
is "on its old port" "$(curl -s "http://$HOST:$port")" "$port"

host_end KILL
cp "$STATE" "$TMP/lost"
rm "$STATE"
host_start
ok "jobs are known by their labels when the state is lost" wait_until 20 "the app" is_healthy "$web"
is "the key is found again" "$(jq -r .key "$STATE")" "$(jq -r .key "$TMP/lost")"
like "and that the cluster is complete" "$(curl -s -X POST $API/host/claim)" 'belongs to a cluster already'

"$ROOT/test/engine.sh" crash
like "without an engine new work is refused" "$(api PUT "/host/jobs/$ID-$zero" "$(job "$ID-$zero" true)")" 'the Docker engine at .* does not answer'
"$ROOT/test/engine.sh" again >/dev/null
ok "when the engine is back, so is the app" wait_until 40 "the app" serves "$port"
ok "and the platform" wait_until 20 "the part" serves "$sys_port"
is "each on its old port" "$(curl -s "http://$HOST:$port") $(curl -s "http://$part")" "$port $sys_port"
id=$(new_id)
add "$id" 'sleep 600' '' "$(app late)" >/dev/null
ok "and new work is done" wait_until 10 "the job" is_healthy "$id"

# What ends with the engine has not crashed, though the engine still tells of it.
"$ROOT/test/engine.sh" rest
"$ROOT/test/engine.sh" again >/dev/null
ok "after a shutdown of the engine the app is back too" wait_until 40 "the app" serves "$port"
ok "and the platform" wait_until 20 "the part" serves "$sys_port"
is "neither has crashed" "$(of "$web" .restarts) $(of "$sys" .restarts)" "0 0"

api DELETE "/host/jobs/$sys" >/dev/null
ok "a part of the platform that is told to stop stays so" wait_until 15 "its end" becomes "$sys" 'done'

like "metrics" "$(get_json /metrics)" '^flynn_host_jobs\{status="running"\} [1-9]'
unlike "the key is in no log" "$(cat "$TMP/host.log")" "$KEY"
host_end TERM
is "it ends well, at last" $? 0
