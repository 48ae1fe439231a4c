#!/bin/bash
# test_controller.sh - the controller's API, by curl, on a PostgreSQL of its own. Host, router and discoverd are
# small stand-ins (lib_controller.sh), so that each case can be had without an engine.
# shellcheck source=test/lib_controller.sh
. "$(dirname "$0")/lib_controller.sh"

# ---- asking it --------------------------------------------------------------------------------

PORT=$a_port

# refuses 'what' FIELD REGEX METHOD PATH [BODY]: a 400 in the shape that clients print.
refuses() {
	local what=$1 field=$2 regex=$3

	shift 3
	api "$@"
	is "$what: status, field" "$status $(get '.field // ""')" "400 $field" || note "$body"
	like "$what: sentence" "$(get .message)" "$regex"
}

# stream NAME PATH [CURL-OPTIONS]: in the background into $TMP/NAME.
stream() {
	local name=$1 path=$2

	shift 2
	: >"$TMP/$name"
	start_daemon "curl-$name" curl -sN -u ":$AUTH" -o "$TMP/$name" "$@" "http://127.0.0.1:$PORT$path"
}

# in_stream NAME N REGEX: at least N lines of it match.
in_stream() {
	[ "$(grep -Ec -e "$3" "$TMP/$1")" -ge "$2" ]
}

metrics() {
	curl -s -u ":$AUTH" "http://127.0.0.1:$PORT/metrics"
}

# ---- start: two at once on an empty database ----------------------------------------------------

# One is told where PostgreSQL is, the other finds the leader of a service.
start_controller a "$a_port" PGHOST=127.0.0.1 PGPORT="$pg_port"
start_controller b "$b_port" FLYNN_POSTGRES=database
for PORT in "$b_port" "$a_port"; do
	wait_until 10 "controller" listens "$PORT" || die "$(cat "$TMP/a.log" "$TMP/b.log")"
	expect "a controller makes its schema and answers" 200 GET /apps
done
is "no apps are an empty array" "$body" "[]"

# ---- keys, paths, bodies ----------------------------------------------------------------------

head_of() {
	curl -s -i -o - "$@" | tr -d '\r'
}
url=http://127.0.0.1:$PORT
like "ping is open" "$(head_of "$url/ping")" '^HTTP/1.1 200'
for path in / /apps /nothing/there /metrics; do
	out=$(head_of "$url$path")
	like "$path wants a key" "$out" '^HTTP/1.1 401'
	unlike "$path does not ask for one" "$out" '^WWW-Authenticate'
	like "$path: 401 has no body" "$out" '^Content-Length: 0'
done
like "a wrong key is refused" "$(head_of -u ":${AUTH}x" "$url/apps")" '^HTTP/1.1 401'
like "a second key of the list is taken" "$(head_of -u :other "$url/apps")" '^HTTP/1.1 200'
like "any user name will do" "$(head_of -u "me:$AUTH" "$url/apps")" '^HTTP/1.1 200'
like "json is announced as clients know it" "$(head_of -u ":$AUTH" "$url/apps")" '^Content-Type: application/json; charset=UTF-8$'
expect "an unknown path is 404" 404 GET /nothing
is "and says so in words" "$body" "404 page not found"
expect "a trailing slash is taken" 200 GET /apps/
like "metrics are there" "$(metrics)" '^# EOF'
refuses "malformed JSON" "" '^The provided JSON input is invalid: ' POST /apps '{"name":'
refuses "an array for an object" "" '^The provided JSON input is invalid' POST /apps '[]'
refuses "no body at all" "" '^The provided JSON input is invalid' POST /apps
refuses "duplicate keys" "" '^The provided JSON input is invalid' POST /apps '{"name":"a","name":"b"}'
refuses "a NUL in a string" "" '^The provided JSON input is invalid' POST /apps '{"name":"a\u0000b"}'
refuses "invalid UTF-8" "" '^The provided JSON input is invalid' POST /apps $'{"name":"\xff\xfe"}'
refuses "deep nesting" "" '^The provided JSON input is invalid' POST /apps \
	"{\"meta\":$(printf '[%.0s' {1..200})$(printf ']%.0s' {1..200})}"
head -c 1100000 /dev/zero | tr '\0' ' ' >"$TMP/big"
echo '{}' >>"$TMP/big"
refuses "a body over 1 MiB" "" 'too big' POST /apps "@$TMP/big"
head -c 5000000 /dev/zero | tr '\0' ' ' >"$TMP/huge"
refuses "a body over all bounds" "" 'larger than 4194304 bytes' POST /apps "@$TMP/huge"

# ---- apps ---------------------------------------------------------------------------------------

expect "an app is made" 200 POST /apps '{"name":"example","protected":false,"created_at":"2001-01-01T00:00:00Z"}'
app=$(get .id)
like "its id has 32 digits" "$app" '^[0-9a-f]{32}$'
like "an app is written as clients know it" "$body" \
	"^\{\"id\":\"$app\",\"name\":\"example\",\"protected\":false,\"created_at\":\"20[0-9T:.-]+Z\",\"updated_at\":\"20[0-9T:.-]+Z\"\}$"
unlike "what a client says of times is ignored" "$body" '"2001-'
dashed=$(sed -E 's/(.{8})(.{4})(.{4})(.{4})/\1-\2-\3-\4-/' <<<"$app")
for ref in example "$app" "$dashed" "${dashed^^}"; do
	expect "an app is found as $ref" 200 GET "/apps/$ref"
	is "and it is the one" "$(get .id)" "$app"
done
expect "an unknown app is 404" 404 GET /apps/nobody
is "without a body" "$body" ""
expect "a duplicate app is a conflict" 409 POST /apps '{"name":"example"}'
is "said in a sentence" "$body" '{"code":"conflict","message":"app \"example\" exists already: choose another name"}'
for name in 'Ex ample' -a a- a--b a_b ä ../x "$app" "$(printf 'a%.0s' {1..101})"; do
	refuses "name ${name:0:20}" name 'is no app name' POST /apps "{\"name\":\"$name\"}"
done
refuses "a name that is no string" "name" 'name' POST /apps '{"name":1}'
refuses "protected that is no bool" "protected" 'protected' POST /apps '{"name":"p","protected":"yes"}'
refuses "meta that is no map of strings" "meta" 'meta must be an object of strings' POST /apps '{"name":"p","meta":{"a":1}}'
refuses "an id that is none" "id" 'is no id' POST /apps '{"name":"p","id":"zzz"}'
expect "a blank name is generated" 200 POST /apps '{"name":""}'
like "of three words" "$(get .name)" '^[a-z]+-[a-z]+-[a-z]+$'
generated=$(get .name)
expect "each name is another one" 200 POST /apps '{}'
[ "$generated" != "$(get .name)" ]
_report $? "generated names differ"
expect "the newest app is listed first" 200 GET /apps
is "of three" "$(get 'length, .[2].name' | xargs)" "3 example"
expect "an id may be given" 200 POST /apps '{"id":"11111111-2222-4333-8444-555555555555","name":"given","meta":{"k":"v"}}'
is "and comes back without hyphens" "$(get '.id, .meta.k' | xargs)" "11111111222243338444555555555555 v"
expect "an app is changed" 200 POST /apps/given '{"meta":{"b":"2","a":"1"},"protected":true,"name":"ignored"}'
is "meta as a whole" "$(jq -c '[.name, .meta, .protected]' <<<"$body")" '["given",{"b":"2","a":"1"},true]'
refuses "meta with a number" "meta" 'meta' POST /apps/given '{"meta":{"a":1}}'
expect "what is not said stays" 200 POST /apps/given '{}'
is "as it was" "$(get '.meta.b, .protected' | xargs)" "2 true"
expect "an unknown app cannot be changed" 404 POST /apps/nobody '{}'
refuses "a protected app is not deleted" "" 'is protected' DELETE /apps/given
expect "a part of the platform" 200 POST /apps '{"name":"part","meta":{"flynn-system-app":"true"}}'
refuses "is not deleted" "" "is a part of the platform" DELETE /apps/part
expect "it has no route of its own" 200 GET /apps/part/routes
is "at all" "$body" "[]"

# ---- artifacts, releases --------------------------------------------------------------------------

expect "an empty artifact is taken" 200 POST /artifacts '{}'
empty=$(get .id)
expect "an artifact is made" 200 POST /artifacts '{"type":"docker","uri":"https://registry.hub.docker.com/flynn/slugrunner?id=ab12"}'
artifact=$(get .id)
expect "the same artifact again" 200 POST /artifacts '{"type":"docker","uri":"https://registry.hub.docker.com/flynn/slugrunner?id=ab12"}'
is "is the same" "$(get .id)" "$artifact"
expect "an artifact is found" 200 GET "/artifacts/$artifact"
is "with its type" "$(get .type)" docker
expect "an unknown artifact is 404" 404 GET /artifacts/00000000000000000000000000000000
expect "what is no id is 404" 404 GET /artifacts/x
refuses "a release without artifact" artifact 'is missing' POST /releases '{}'
refuses "a release of an unknown artifact" "" 'there is no artifact 0000' POST /releases '{"artifact":"00000000000000000000000000000000"}'
refuses "a release whose env is no map of strings" env 'env must be' POST /releases "{\"artifact\":\"$artifact\",\"env\":{\"A\":1}}"
refuses "an env name with =" env 'is no name' POST /releases "{\"artifact\":\"$artifact\",\"env\":{\"A=B\":\"1\"}}"
refuses "a process type that is wrong" processes 'process type web: cmd' POST /releases "{\"artifact\":\"$artifact\",\"processes\":{\"web\":{\"cmd\":\"x\"}}}"
processes='{"web":{"cmd":["start","web"],"env":{"SD_NAME":"example-web"},"ports":[{"port":0,"proto":"tcp","range_end":0}]},"worker":{"cmd":["start","worker"]}}'
expect "a release is made" 200 POST /releases \
	"{\"artifact\":\"$artifact\",\"env\":{\"Z\":\"1\",\"A\":\"é\"},\"processes\":$processes,\"created_at\":\"2001-01-01T00:00:00Z\"}"
release=$(get .id)
like "and comes back in its order" "$body" "^\{\"id\":\"$release\",\"artifact\":\"$artifact\",\"env\":\{\"Z\":\"1\",\"A\":\"é\"\},\"processes\":"
is "with its processes" "$(jq -c .processes <<<"$body")" "$processes"
expect "a release without processes is taken" 200 POST /releases "{\"artifact\":\"$empty\",\"env\":{\"A\":\"1\"}}"
bare=$(get .id)
expect "releases are listed" 200 GET /releases
is "the newest first" "$(get '.[0].id')" "$bare"
expect "an app without release has none" 404 GET /apps/example/release
refuses "an unknown release cannot be set" "" 'there is no release 0000' PUT /apps/example/release '{"id":"00000000000000000000000000000000"}'
refuses "no release cannot be set" id 'is missing' PUT /apps/example/release
expect "a release is set" 200 PUT /apps/example/release "{\"id\":\"$release\"}"
is "and answered" "$(get .id)" "$release"
expect "the app has it" 200 GET /apps/example/release
is "and no other" "$(get .id)" "$release"
expect "an unknown app gets no release" 404 PUT /apps/nobody/release "{\"id\":\"$release\"}"

# ---- formations ---------------------------------------------------------------------------------

stream formations /formations -H 'Accept: text/event-stream'
ok "an empty formation says that all were told" wait_until 5 "the sign" in_stream formations 1 '^data: \{"updated_at":"0001-01-01T00:00:00Z"\}$'
formation=/apps/example/formations/$release
expect "there is no formation yet" 404 GET "$formation"
expect "nor any" 200 GET /apps/example/formations
is "in an array" "$body" "[]"
refuses "an unknown process type" processes '"foo" is no process type of the release: it has web, worker' PUT "$formation" '{"processes":{"foo":1}}'
refuses "a negative count" processes 'web cannot be -1' PUT "$formation" '{"processes":{"web":-1}}'
refuses "half a job" processes 'whole number' PUT "$formation" '{"processes":{"web":1.5}}'
refuses "a million jobs" processes 'whole number' PUT "$formation" '{"processes":{"web":1000000}}'
expect "nothing of that was written" 404 GET "$formation"
expect "an app is scaled" 200 PUT "$formation" '{"processes":{"web":3,"worker":0}}'
like "what was sent is echoed" "$body" "^\{\"app\":\"$app\",\"release\":\"$release\",\"processes\":\{\"web\":3,\"worker\":0\},\"created_at\":"
expect "a formation is read" 200 GET "$formation"
is "without its zeros" "$(jq -c .processes <<<"$body")" '{"web":3}'
ok "the stream tells of it" wait_until 5 "the formation" in_stream formations 1 \
	"^data: \{\"app\":\{\"id\":\"$app\",\"name\":\"example\".*\"release\":\{\"id\":\"$release\".*\"artifact\":\{\"id\":\"$artifact\".*\"processes\":\{\"web\":3\}"
PORT=$b_port
stream formations-b /formations
ok "so does another controller's" wait_until 5 "the formation" in_stream formations-b 1 "\"processes\":\{\"web\":3\}"
PORT=$a_port
stream since "/formations?since=2100-01-01T00:00:00Z"
ok "nothing has changed since a time to come" wait_until 5 "the sign" in_stream since 1 '"0001-01-01'
not_ok "so nothing is told" in_stream since 1 '"app"'
refuses "since must be a time" since 'is no time' GET '/formations?since=yesterday'
expect "an unknown release has no formation" 404 PUT /apps/example/formations/00000000000000000000000000000000 '{"processes":{}}'
expect "an unknown app has no formation" 404 PUT "/apps/nobody/formations/$release" '{"processes":{}}'

expect "a second release" 200 POST /releases "{\"artifact\":\"$artifact\",\"processes\":{\"web\":{\"cmd\":[\"start\",\"web\"]}}}"
second=$(get .id)
expect "a new release moves the formation" 200 PUT /apps/example/release "{\"id\":\"$second\"}"
expect "to itself" 200 GET /apps/example/formations
is "and to nothing else" "$(jq -c '[.[] | [.release, .processes]]' <<<"$body")" "[[\"$second\",{\"web\":3}]]"
ok "the stream tells of the new one" wait_until 5 "it" in_stream formations 1 "\"release\":\{\"id\":\"$second\".*\"processes\":\{\"web\":3\}"
ok "and of the end of the old one" wait_until 5 "it" in_stream formations 1 "\"release\":\{\"id\":\"$release\".*\"artifact\":\{[^}]*\},\"updated_at\""
expect "with two formations" 200 PUT "$formation" '{"processes":{"worker":1}}'
expect "a new release" 200 PUT /apps/example/release "{\"id\":\"$bare\"}"
expect "moves none" 200 GET /apps/example/formations
is "of the two" "$(get length)" 2
expect "a formation is deleted" 200 DELETE "$formation"
expect "and gone" 404 GET "$formation"
expect "and cannot be deleted again" 404 DELETE "$formation"
expect "but can be made again" 200 PUT "$formation" '{"processes":{"web":1}}'
expect "a protected app is scaled up" 200 PUT "/apps/given/formations/$release" '{"processes":{"web":1,"worker":1}}'
refuses "but not to 0" "" 'is protected: worker cannot be scaled to 0' PUT "/apps/given/formations/$release" '{"processes":{"web":1}}'
expect "its formation stays" 200 GET "/apps/given/formations/$release"
is "as it was" "$(jq -c .processes <<<"$body")" '{"web":1,"worker":1}'
refuses "and is not deleted" "" 'is protected' DELETE "/apps/given/formations/$release"

# ---- jobs as the scheduler records them -----------------------------------------------------------

job=$HOST_ID-8cb1212f582f498eaed467fede768d6f
stream events /apps/example/jobs -H 'Accept: text/event-stream' -H 'Last-Event-Id: 0'
wait_until 5 "the stream" in_stream events 1 '^:' || die "no event stream"
expect "a job is recorded" 200 PUT "/apps/example/jobs/$job" "{\"id\":\"$job\",\"release\":\"$release\",\"type\":\"web\",\"state\":\"starting\"}"
expect "its next state too" 200 PUT "/apps/$app/jobs/$job" "{\"id\":\"$job\",\"release\":\"$release\",\"type\":\"web\",\"state\":\"up\"}"
like "a job is written as clients know it" "$body" \
	"^\{\"id\":\"$job\",\"app\":\"$app\",\"release\":\"$release\",\"type\":\"web\",\"state\":\"up\",\"created_at\":\"[^\"]+\",\"updated_at\":\"[^\"]+\"\}$"
expect "the same state again" 200 PUT "/apps/$app/jobs/$job" "{\"id\":\"$job\",\"release\":\"$release\",\"type\":\"web\",\"state\":\"up\"}"
expect "a failure with its reason" 200 PUT "/apps/example/jobs/$job" \
	"{\"id\":\"$job\",\"type\":\"web\",\"state\":\"failed\",\"exit_status\":7,\"host_error\":\"no such image\",\"restarts\":2}"
is "is recorded" "$(get '.release, .exit_status, .host_error, .restarts' | xargs)" "$release 7 no such image 2"
ok "a failure is an event" wait_until 5 "it" in_stream events 1 '^event: failed$'
is "each change is one" "$(grep -c '^event:' "$TMP/events")" 3
like "an event is written as clients know it" "$(grep '"up"' "$TMP/events")" \
	"^data: \{\"id\":[0-9]+,\"job_id\":\"$job\",\"app\":\"$app\",\"release\":\"$release\",\"type\":\"web\",\"state\":\"up\",\"created_at\""
first=$(sed -n 's/^id: //p' "$TMP/events" | head -1)
stream again /apps/example/jobs -H 'Accept: text/event-stream' -H "Last-Event-Id: $first"
ok "a stream goes on behind an event" wait_until 5 "the events" in_stream again 2 '^event: '
not_ok "and not before it" in_stream again 1 '^event: starting'
stream last '/apps/example/jobs?count=1' -H 'Accept: text/event-stream'
ok "the last one can be asked for" wait_until 5 "it" in_stream last 1 '^event: failed'
is "alone" "$(grep -c '^event:' "$TMP/last")" 1
expect "an unknown app has no events" 404 GET "/apps/nobody/jobs"
expect "jobs are listed" 200 GET /apps/example/jobs
is "all states" "$(get 'length, .[0].state' | xargs)" "1 failed"
expect "a job is read" 200 GET "/apps/example/jobs/$job"
expect "but not as another app's" 404 GET "/apps/given/jobs/$job"
expect "nor taken by it" 409 PUT "/apps/given/jobs/$job" "{\"release\":\"$release\",\"state\":\"up\"}"
refuses "a state that is none" state 'is no state' PUT "/apps/example/jobs/$job" '{"state":"happy"}'
refuses "an id that is none" id 'is no job id' PUT /apps/example/jobs/x "{\"state\":\"up\",\"release\":\"$release\"}"
refuses "an unknown release" "" 'there is no release' PUT "/apps/example/jobs/$HOST_ID-11111111222243338444555555555555" '{"state":"up","release":"00000000000000000000000000000000"}'
refuses "no release" release 'is missing' PUT "/apps/example/jobs/$HOST_ID-11111111222243338444555555555555" '{"state":"up"}'
expect "an unknown app has no jobs" 404 PUT "/apps/nobody/jobs/$job" "{\"state\":\"up\",\"release\":\"$release\"}"

# ---- jobs that run on the host --------------------------------------------------------------------

expect "a job runs detached" 200 POST /apps/example/jobs "{\"release\":\"$release\",\"cmd\":[\"echo\",\"hi\"],\"env\":{\"A\":\"b\"}}"
detached=$(get .id)
like "and is answered" "$body" "^\{\"id\":\"$HOST_ID-[0-9a-f]{32}\",\"release\":\"$release\",\"cmd\":\[\"echo\",\"hi\"\]\}$"
on_host() {
	curl -sf -u ":$CLUSTER" "http://127.0.0.1:$host_port/host/jobs/$1"
}
is "the host got it with its environment" \
	"$(on_host "$detached" | jq -c '.job | [.config.cmd, .config.env.A, .config.env.Z, .config.env.FLYNN_APP_NAME, .metadata["flynn-controller.app"]]')" \
	"[[\"echo\",\"hi\"],\"b\",\"1\",\"example\",\"$app\"]"
is "with the image" "$(on_host "$detached" | jq -r .job.artifact.uri)" "https://registry.hub.docker.com/flynn/slugrunner?id=ab12"
refuses "an unknown release" "" 'there is no release' POST /apps/example/jobs '{"release":"00000000000000000000000000000000"}'
refuses "a release without image" "" 'has no image' POST /apps/example/jobs '{"cmd":["x"]}'
refuses "an app without release" "" 'has no release: push code first' POST "/apps/$generated/jobs" '{"cmd":["x"]}'
refuses "cmd that is no array" "" 'cmd must be' POST /apps/example/jobs '{"cmd":"ls"}'
refuses "what the host refuses" "" 'image x is not here' POST /apps/example/jobs "{\"release\":\"$release\",\"cmd\":[\"refuse\"]}"
expect "an unknown app runs nothing" 404 POST /apps/nobody/jobs '{"cmd":["x"]}'

# attach 'HEADER': says two lines to a job and prints what comes.
attach() {
	local sent="{\"release\":\"$release\",\"cmd\":[\"cat\"],\"tty\":${2:-false}}"

	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'POST /apps/example/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n\r\n%s' \
		"$(printf ':%s' $AUTH | base64)" ${#sent} "$1" "$sent" >&5
	printf '\x03\x00\x00\x00\x00\x03abc\x03\x00\x00\x00\x00\x00' >&5
	timeout 10 cat <&5
	exec 5<&-
}
attach 'Accept: application/vnd.flynn.attach' >"$TMP/attached"
is "attached as in 2014" "$(head -3 "$TMP/attached" | tr -d '\r')" \
	$'HTTP/1.1 101 Switching Protocols\nContent-Type: application/vnd.flynn.attach\nContent-Length: 0'
ok "the job hears and answers in frames" grep -qaP '\x03\x01\x00\x00\x00\x0dyou said: abc' "$TMP/attached"
ok "and its exit status is the last" grep -qaP '\x05\x00\x00\x00\x03$' "$TMP/attached"
attach 'Connection: upgrade\r\nUpgrade: flynn-attach/0' true >"$TMP/attached"
is "attached by an upgrade" "$(head -3 "$TMP/attached" | tr -d '\r')" \
	$'HTTP/1.1 101 Switching Protocols\nConnection: upgrade\nUpgrade: flynn-attach/0'
ok "the job hears and answers" grep -qaP 'you said: abc' "$TMP/attached"
out=$(curl -s -i -u ":$AUTH" -H 'Accept: application/vnd.flynn.attach' -H 'Content-Type: application/json' -d "{\"release\":\"$release\",\"cmd\":[\"refuse\"]}" "$url/apps/example/jobs")
like "a job that cannot start is an answer" "$out" 'image x is not here"'

log=/apps/example/jobs/$detached/log
out=$(head_of -u ":$AUTH" "$url$log" | tr -d '\0')
like "a log comes in frames" "$out" '^Content-Type: application/vnd.flynn.attach$'
like "with what the job wrote" "$out" 'hello'
out=$(curl -s -u ":$AUTH" -H 'Accept: text/event-stream' "$url$log")
like "as events if asked for" "$out" '^data: \{"stream":"stdout","data":"hello\\nw"\}$'
like "with characters whole" "$out" '^data: \{"stream":"stdout","data":"örld\\n"\}$'
like "both streams" "$out" '^data: \{"stream":"stderr","data":"oops\\n"\}$'
is "until the end" "$(grep -v '^$' <<<"$out" | tail -2)" $'event: eof\ndata: {}'
unlike "without the exit" "$out" '^event: exit'
out=$(curl -s -m 5 -u ":$AUTH" -H 'Accept: text/event-stream' "$url$log?tail=true")
like "which a tail has" "$out" '^data: \{"status":0\}$'
expect "an unknown job has no log" 404 GET "/apps/example/jobs/$HOST_ID-00000000000000000000000000000000/log"
expect "nor has one of an unknown host" 404 GET "/apps/example/jobs/nohost-00000000000000000000000000000000/log"
expect "nor what is no job id" 404 GET "/apps/example/jobs/x/log"
expect "another app's job has none" 404 GET "/apps/given/jobs/$detached/log"
stream waiting "/apps/example/jobs/$HOST_ID-00000000000000000000000000000001/log?wait=true" -D "$TMP/waiting.head"
ok "a log is waited for" wait_until 5 "the stream" grep -q '200 OK' "$TMP/waiting.head"
is "with nothing in it" "$(cat "$TMP/waiting")" ""
curl -s -u ":$CLUSTER" -X PUT -d "{\"id\":\"$HOST_ID-00000000000000000000000000000001\",\"config\":{}}" \
	"http://127.0.0.1:$host_port/host/jobs/$HOST_ID-00000000000000000000000000000001" >/dev/null
ok "until the job is there" wait_until 5 "the log" grep -q hello "$TMP/waiting"
expect "another app's job is not stopped" 404 DELETE "/apps/given/jobs/$detached"
expect "a job is stopped" 200 DELETE "/apps/example/jobs/$detached"
not_ok "on its host" on_host "$detached"
expect "and cannot be stopped again" 404 DELETE "/apps/example/jobs/$detached"

# ---- keys -----------------------------------------------------------------------------------------

key='ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtN3obDx3DMMraWNnOIjxp/P9yZmEJTPgIx+2bRiwkK'
fingerprint=ad58f281490ce5cbe313e1a005cd5941
for round in first second; do
	expect "a key is added, $round time" 200 POST /keys "{\"key\":\"$key me@laptop\\n\"}"
	is "with fingerprint and comment apart" "$(jq -c '[.fingerprint, .key, .comment]' <<<"$body")" "[\"$fingerprint\",\"$key\",\"me@laptop\"]"
done
expect "keys are listed" 200 GET /keys
is "once each" "$(get length)" 1
expect "a key is found with colons" 200 GET "/keys/$(sed 's/../&:/g; s/:$//' <<<$fingerprint)"
refuses "what is no key" key 'is no SSH public key' POST /keys '{"key":"hello"}'
refuses "a private key" key 'is a private key' POST /keys '{"key":"-----BEGIN OPENSSH PRIVATE KEY-----"}'
expect "a key is removed" 200 DELETE /keys/$fingerprint
is "without words" "$body" ""
expect "and gone" 404 GET /keys/$fingerprint
expect "and cannot be removed again" 404 DELETE /keys/$fingerprint

# ---- routes ---------------------------------------------------------------------------------------

expect "an app has its default route" 200 GET /apps/example/routes
is "to its web service" "$(jq -c '[.[] | [.type, .config.domain, .config.service, .parent_ref]]' <<<"$body")" \
	"[[\"http\",\"example.test.local\",\"example-web\",\"controller/apps/$app\"]]"
expect "a route is added" 200 POST /apps/example/routes \
	'{"type":"http","parent_ref":"controller/apps/other","config":{"domain":"www.example.com","service":"example-web"}}'
route=$(get .id)
is "to its app" "$(get .parent_ref)" "controller/apps/$app"
expect "a route that exists is a conflict" 409 POST /apps/example/routes '{"type":"http","config":{"domain":"www.example.com"}}'
is "in a sentence" "$(get .message)" "route www.example.com exists already"
refuses "the router's own refusals" config.domain 'must not be blank' POST /apps/example/routes '{"type":"http","config":{}}'
expect "a route is read" 200 GET "/apps/example/routes/$route"
expect "but not as another app's" 404 GET "/apps/given/routes/$route"
expect "nor removed" 404 DELETE "/apps/given/routes/$route"
expect "a route is changed" 200 PUT "/apps/example/routes/$route" '{"parent_ref":"x","config":{"sticky":true,"path":"/x"}}'
is "as the router says" "$(get '[.parent_ref, .config.domain, .config.sticky, .config.path] | join(" ")')" "controller/apps/$app www.example.com true /x"
expect "but not as another app's" 404 PUT "/apps/given/routes/$route" '{"config":{}}'
expect "nor one that is not there" 404 PUT /apps/example/routes/http/00000000000000000000000000000000 '{"config":{}}'
expect "nor by what is no object" 400 PUT "/apps/example/routes/$route" '[]'
expect "a route is removed" 200 DELETE "/apps/example/routes/$route"
expect "and gone" 404 GET "/apps/example/routes/$route"
expect "an unknown app has no routes" 404 GET /apps/nobody/routes

# ---- providers, resources -------------------------------------------------------------------------

expect "a provider is added" 200 POST /providers '{"name":"postgres","url":"http://postgres-api.discoverd/databases"}'
provider=$(get .id)
expect "a duplicate one is a conflict" 409 POST /providers '{"name":"postgres","url":"http://x/y"}'
refuses "a blank name" name 'must not be blank' POST /providers '{"url":"http://x/y"}'
refuses "an URL that is none" url 'is no URL' POST /providers '{"name":"x","url":"x"}'
refuses "an URL of another scheme" url 'another scheme' POST /providers '{"name":"x","url":"ftp://x/y"}'
expect "a provider is found by name" 200 GET /providers/postgres
is "and it is the one" "$(get .id)" "$provider"
expect "it has no resources" 200 GET /providers/postgres/resources
is "yet" "$body" "[]"
expect "a resource is made" 200 POST /providers/postgres/resources "{\"apps\":[\"example\"],\"config\":null}"
resource=$(get .id)
is "with its env" "$(jq -c '[.provider_id, .external_id, .env.PGUSER, .apps]' <<<"$body")" "[\"$provider\",\"/databases/1\",\"u\",[\"$app\"]]"
expect "the app has it" 200 GET /apps/example/resources
is "too" "$(get '.[0].id')" "$resource"
refuses "for an unknown app" "" 'there is no app "nobody"' POST /providers/postgres/resources '{"apps":["nobody"]}'
expect "of an unknown provider" 404 POST /providers/nobody/resources '{}'
expect "a resource is recorded" 200 PUT "/providers/$provider/resources/99999999999949999999999999999999" \
	'{"external_id":"/databases/x","env":{"A":"b"},"apps":["given"]}'
expect "but never changed" 409 PUT "/providers/$provider/resources/99999999999949999999999999999999" '{"external_id":"/databases/x"}'
expect "a provider the cluster does not know" 200 POST /providers '{"name":"nowhere","url":"discoverd+http://nowhere/x"}'
expect "is unavailable" 503 POST /providers/nowhere/resources '{}'
like "and that is said" "$(get .message)" "no instance of the provider's service nowhere is there"

# ---- deleting -------------------------------------------------------------------------------------

expect "an app is deleted by name" 200 DELETE /apps/example
expect "and gone" 404 GET "/apps/$app"
ok "its formations end" wait_until 5 "it" in_stream formations 2 "\"app\":\{\"id\":\"$app\".*\"release\":\{\"id\":\"$second\""
like "its last formation has no processes" "$(grep "\"release\":{\"id\":\"$second\"" "$TMP/formations" | tail -1)" '"artifact":\{[^}]*\},"updated_at"'
is "its routes are gone" "$(curl -s -u ":$CLUSTER" "http://127.0.0.1:$router_port/routes?parent_ref=controller/apps/$app")" "[]"
expect "its name is free again" 200 POST /apps '{"name":"example"}'

# ---- PostgreSQL away and back ---------------------------------------------------------------------

pg_stop
start=$(now_ms)
expect "without a database it is unavailable" 503 GET /apps
[ $(($(now_ms) - start)) -lt 5000 ]
_report $? "within 5 seconds"
like "and says why" "$(get '.code + ": " + .message')" '^unavailable: .*(postgres|database)'
like "it lives" "$(head_of "$url/ping")" '^HTTP/1.1 200'
pg_start
comes_back() {
	api GET /apps
	[ "$status" = 200 ]
}
ok "with a database it goes on" wait_until 10 "an answer" comes_back
# Streams that broke off are opened again by their clients; those that had no work live on.
stream formations-after /formations
ok "streams too" wait_until 5 "the sign" in_stream formations-after 1 '"0001-01-01'
listening() {
	api PUT "/apps/given/formations/$release" "{\"processes\":{\"web\":$((RANDOM % 90 + 2)),\"worker\":1}}"
	sleep 0.2
	in_stream formations-after 2 '"name":"given"' && in_stream formations 2 '"name":"given"'
}
ok "changes are heard of again" wait_until 10 "a change" listening

# ---- what is old is forgotten, in batches ---------------------------------------------------------

sql() {
	"$PG_BIN/psql" -h 127.0.0.1 -p "$pg_port" -U flynn -d postgres -qtAc "$1"
}

sql "INSERT INTO events (event_id, app_id, object_type, object_id, data, created_at)
	SELECT -n, NULL, 'key', n::text, '{}', now() - CASE WHEN n > 1 THEN interval '31 days' ELSE interval '29 days' END
	FROM generate_series(1, 2500) n;
INSERT INTO jobs (job_id, host_id, app_id, release_id, type, state, updated_at)
	SELECT 'old-' || n, 'old', a.app_id, '$release', 'x', 'down', now() - interval '31 days' FROM generate_series(1, 2500) n, apps a
	WHERE a.name = 'given';
INSERT INTO jobs (job_id, host_id, app_id, release_id, type, state, updated_at)
	SELECT 'old-' || CASE WHEN deleted_at IS NULL THEN 'lives' ELSE 'of-none' END, 'old', app_id, '$release', 'x', 'up',
	now() - interval '31 days' FROM apps WHERE name = 'given' OR app_id = '$app';
UPDATE apps SET deleted_at = now() - interval '31 days' WHERE app_id = '$app'"
# shellcheck disable=SC2154
start_controller c "$c_port" PGHOST=127.0.0.1 PGPORT="$pg_port"
forgotten() {
	[ "$(sql "SELECT (SELECT count(*) FROM events WHERE event_id < 0), (SELECT string_agg(job_id, ' ') FROM jobs WHERE host_id = 'old')")" = '1|old-lives' ]
}
ok "old events and jobs go when a controller starts, what is younger or lives does not" wait_until 10 "it" forgotten || sql "SELECT (SELECT count(*) FROM events WHERE event_id < 0), (SELECT count(*) FROM jobs WHERE host_id = 'old')"

# ---- its end --------------------------------------------------------------------------------------

# shellcheck disable=SC2154 # start_daemon sets it
kill -TERM "$a_pid"
status=0
wait "$a_pid" || status=$?
is "SIGTERM ends it" "$status" 0
fails_with "without AUTH_KEY it does not start" 2 'AUTH_KEY is not set' flynn-controller
fails_with "an unknown flag is refused" 2 'nonsense' env AUTH_KEY=x flynn-controller -nonsense
like "-version says it" "$(flynn-controller -version)" '^flynn-controller '
