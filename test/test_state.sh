#!/bin/bash
# test_state.sh - what is said of an app and what is kept of it: limits, environment files, volumes, images, old releases.
. "$(dirname "$0")/lib_cluster.sh"

api() {
	curl -fsSk -u ":$KEY" -H 'Content-Type: application/json' -X "$1" "https://localhost$2" ${3+-d "$3"}
}

# container APP TYPE: of the newest job.
container() {
	docker ps -q --filter "name=^/flynn-$1-$2-" | head -n 1
}

# answers NAME TEXT
answers() {
	[ "$(get "$1.localhost")" = "$2" ]
}

# image_of VERSION: what the registry has as NAME from now on.
image_of() {
	docker build -q -t "localhost:$registry/hello" --build-arg VERSION="$1" "$TMP/image" >/dev/null 2>&1
	docker save -o "$TMP/registry/hello.tar" "localhost:$registry/hello"
	docker rmi -f "localhost:$registry/hello" >/dev/null
}

slugs() {
	docker exec "$(container shelf web)" find /data -type f -path '*slugs*' | wc -l
}

cluster_start
developer
flynn key-add 2>/dev/null
new_app procfile example
echo 'web: echo $FLYNN_RELEASE_ID >>${FLYNN_VOLUMES:-/tmp}/starts; exec perl web.pl' >Procfile
git commit -q -a -m web
flynn create example 2>/dev/null
out=$(git push flynn master 2>&1) || { note "$out"; show_logs; exit 1; }
flynn route-add-http example.localhost >/dev/null
wait_until 10 "the app" get example.localhost || die "the app does not answer"

# ---- limits ---------------------------------------------------------------------------------------

is "a new app has no limits" "$(flynn limit | tail -n 1)" "web   none    none"
like "limit set makes a release" "$(flynn limit set web memory=96MB cpu=500 2>&1)" '^Created release [0-9a-f]{32}\.$'
is "whose jobs have them" "$(docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}' "$(container example web)")" "100663296 500000000"
is "limit shows them" "$(flynn limit | tail -n 1)" "web   96MB    500"
is "and so it does as JSON" "$(flynn limit --json)" '{"web":{"memory":100663296,"cpu":500}}'
ok "one of them can go" flynn limit-set web cpu=none
is "and the other stays" "$(flynn --json limit -t web)" '{"web":{"memory":100663296}}'
fails_with "a size that is none" 1 'memory=lots is no size: write, say, memory=512MB' flynn limit set web memory=lots
fails_with "too little" 1 'memory=1MB is too little' flynn limit set web memory=1MB
fails_with "a type that is none" 1 'no process type "nope": its release has web' flynn limit set nope memory=64MB
fails_with "a limit that is none" 1 'is no limit: write memory=SIZE or cpu=MILLI' flynn limit set web disk=1

# ---- the environment, in files ------------------------------------------------------------------------

cat >"$TMP/vars" <<-'END'
	# what it needs
	export GREETING='hello # you'
	LINES="one
	two"   # two of them
	EMPTY=
END
before=$(flynn releases --json | jq length)
ok "variables of a file and of the command line are set together" flynn env set --file "$TMP/vars" OTHER=1
is "by one release" "$(($(flynn releases --json | jq length) - before))" 1
is "which has them" "$(flynn env --json | jq -c '[.GREETING, .LINES, .EMPTY, .OTHER]')" '["hello # you","one\ntwo","","1"]'
is "and so have its jobs" "$(get example.localhost /env/GREETING)" "hello # you"
ok "the environment is saved" flynn env save "$TMP/saved"
is "for its owner's eyes" "$(stat -c %a "$TMP/saved")" 600
is "as env export prints it" "$(flynn env export)" "$(cat "$TMP/saved")"
unlike "without what goes with the code" "$(cat "$TMP/saved")" SLUG_URL
# shellcheck disable=SC1091 # as a shell reads it
is "a shell reads it" "$(. "$TMP/saved" && printf '%s|%s' "$GREETING" "$LINES")" $'hello # you|one\ntwo'
ok "it can be loaded" flynn env load - < <(sed s/hello/bye/ "$TMP/saved")
is "again" "$(flynn env get GREETING)" "bye # you"
printf 'A=1\nB 2\n' >"$TMP/vars"
fails_with "a line that is none is named" 1 'vars: line 2 has no =: write NAME=VALUE' flynn env load "$TMP/vars"
is "and nothing is set" "$(flynn env --json | jq .A)" null

# ---- volumes ------------------------------------------------------------------------------------------

is "an app has no volumes" "$(flynn volume)$(flynn volume --json)" "[]"
ok "one is attached" flynn volume attach web
like "volume lists it" "$(flynn volumes)" '^[0-9a-f]{32} +web +/data .* attached$'
ok "the app may write there" docker exec "$(container example web)" grep -q . /data/starts
ok "a new release" flynn env set OTHER=2
is "has what the one before wrote" "$(docker exec "$(container example web)" sh -c 'wc -l </data/starts')" 2
docker kill "$(container example web)" >/dev/null
ok "and so has a job that replaces a dead one" wait_until 15 "a third start" \
	bash -c "[ \"\$(docker exec \$(docker ps -q --filter name=^/flynn-example-web-) sh -c 'wc -l </data/starts')\" = 3 ]"
wait_until 15 "the app" get example.localhost
volume=$(flynn volume --json | jq -r '.[0].id')
fails_with "one that is in use stays" 1 'is in use' flynn volume remove -y "$volume"
fails_with "attached twice" 1 'web of app example has already a volume at /data' flynn volume attach web
fails_with "a path that is none" 1 'is no path for a volume' flynn volume attach web data
ok "it is decommissioned" flynn volume decommission "$volume"
like "as volume tells of it" "$(flynn volume)" "^$volume .* decommissioned\$"
is "the job that runs keeps it" "$(docker exec "$(container example web)" sh -c 'wc -l </data/starts')" 3
ok "the next one" flynn restart
is "has a new one" "$(docker exec "$(container example web)" sh -c 'wc -l </data/starts')" 1
is "beside the old one" "$(flynn volume --json | jq length)" 2
ok "which can be removed" flynn volume-remove -y "$volume"
volume=$(flynn volume --json | jq -r '.[0].id')
ok "it is detached" flynn volume detach web
is "and stays" "$(flynn volume --json | jq length)" 1
like "as volume tells" "$(flynn volume)" ' detached$'
is "nobody is asked about one that is not there" "$(flynn volume remove nosuch <<<example 2>&1)" \
	"flynn: volume nosuch of app example does not exist"
like "remove asks" "$(flynn volume remove "$volume" <<<no 2>&1)" 'Type the app.s name: Nothing deleted\.'
ok "remove it" flynn volume remove "$volume" <<<example
is "and it is gone" "$(flynn volume)$(docker volume ls -q | grep -c -- -web$)" 1

# ---- what there is to know --------------------------------------------------------------------------------

like "info" "$(flynn info)" "^git: +ssh://git@.*/example\\.git\$"
like "tells the release" "$(flynn info)" '^release: +v[0-9]+, [0-9a-f]{32}, '
like "the processes" "$(flynn info)" '^processes: +web=1$'
like "and the routes" "$(flynn info)" ' http:example\.localhost to example-web$'
is "as JSON, too" "$(flynn info --json | jq -c '[.name, .processes.web, (.routes | length), .resources]')" '["example",1,1,[]]'
is "cluster says which is the default" "$(flynn cluster --json | jq -c '[.[] | [.name, .default]]')" '[["default",true]]'

# ---- images -----------------------------------------------------------------------------------------------

# Images outlive a run of the tests.
docker images --format '{{.Repository}}:{{.Tag}}' | grep -E '^(localhost:.*/hello|flynn/pulled|hello):' | xargs -r docker rmi -f >/dev/null
registry=$(free_port)
mkdir "$TMP/image" "$TMP/registry"
cp "$ROOT/test/apps/image/Dockerfile" "$TMP/image"
gcc -O1 -static -o "$TMP/image/httpd" "$ROOT/test/apps/image/httpd.c" || die "no image"
start_daemon registry "$ROOT/test/registry.py" "$registry" "$TMP/registry"
wait_until 10 "the registry" listens "$registry"
docker build -q -t hello:mine --build-arg VERSION=local "$TMP/image" >/dev/null 2>&1
flynn create hello -r '' 2>/dev/null
export FLYNN_APP=hello
flynn route-add-http hello.localhost >/dev/null
api POST /apps/hello '{"meta":{"gc.max_inactive_slug_releases":"1"}}' >/dev/null
out=$(flynn deploy --image hello:mine 2>&1) || note "$out"
like "an image of the engine is deployed" "$out" '^Created release [0-9a-f]{32}\.$'
ok "and serves, by its own command" wait_until 10 "the image" answers hello local
flynn env set KEPT=1 2>/dev/null
image_of one
ok "so does one of a registry" flynn deploy --image "localhost:$registry/hello"
ok "as it says" wait_until 10 "version one" answers hello one
is "what was said of the app stays" "$(flynn env get KEPT)" 1
image_of two
ok "when its tag has moved" flynn deploy --image "localhost:$registry/hello"
ok "it is the new one" wait_until 10 "version two" answers hello two
ok "a release is exactly the image that it was made of" flynn rollback
ok "so the old one comes back" wait_until 10 "version one" answers hello one
flynn deploy --image hello:mine -f - <<<'{"env":{"PIPED_1":"1"}}' 2>"$TMP/at_once" &
first=$!
ok "two with files from a pipe at once" flynn deploy --image hello:mine -f - <<<'{"env":{"PIPED_2":"1"}}'
wait $first || note "$(cat "$TMP/at_once")"
is "are made one after the other" "$(flynn env | grep -c '^PIPED_')" 2
fails_with "an image that is not there" 1 'cannot be pulled' flynn deploy --image "localhost:$registry/nope"
echo '{"processes":{"app":{"cmd":["/httpd"]}},"env":{"A":"1"}}' >"$TMP/config.json"
ok "a release of a file, as in 2014" flynn release add -f "$TMP/config.json" hello:mine
is "is what the file says" "$(flynn env)$(flynn limit --json)" 'A=1{"app":{}}'
ok "old images go by themselves" wait_until 60 "one pulled image" bash -c "[ \$(docker images -q flynn/pulled | wc -l) -le 1 ]"
ok "but those that were made here" docker image inspect hello:mine
printf 'FROM hello:mine\nCMD ["/nope"]\n' | docker build -q -t hello:bad - >/dev/null 2>&1
flynn create -r '' bad 2>/dev/null
fails_with "a first image that does not run says why" 1 '/nope' flynn -a bad deploy --image hello:bad
is "and nothing more is tried of it" "$(flynn -a bad --json scale)" '{"web":0}'
unset FLYNN_APP

# ---- what goes by itself ------------------------------------------------------------------------------------

api POST /apps/example '{"meta":{"gc.max_inactive_slug_releases":"1"}}' >/dev/null
for i in 1 2 3; do
	git commit -q --allow-empty -m "push $i"
	git push -q flynn master 2>"$TMP/push.log" || note "$(cat "$TMP/push.log")"
done
two_slugs() {
	[ "$(slugs)" -eq 2 ]
}
ok "old slugs go, but that of the last release to go back to" wait_until 20 "two slugs" two_slugs
is "as do old releases" "$(flynn releases --json | jq length)" 2
ok "and back it goes" flynn rollback
ok "to what serves" wait_until 10 "the app" get example.localhost
fails_with "there is no more" 1 'has no release to go back to' flynn rollback

# ---- the end of an app ----------------------------------------------------------------------------------------

flynn scale web=2 >/dev/null
ok "a volume is attached where several jobs run" flynn volume attach web
name=$(docker volume ls -q | grep -- "$(flynn --json info | jq -r .id)")
like "delete asks for the name" "$(flynn delete <<<no 2>&1)" 'volumes and what is on them\? Type its name: Nothing deleted\.'
flynn scale web=0 >/dev/null
ok "delete" flynn delete <<<example
volume_is_gone() {
	! docker volume inspect "$name"
}
ok "its volume goes with it" wait_until 45 "the volume to go" volume_is_gone
