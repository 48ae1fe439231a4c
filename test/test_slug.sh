#!/bin/bash
# slugbuilder and slugrunner: from a source tar by buildpacks to a slug in shelf, and from there to a process.
# shellcheck disable=SC2016 # scripts in single quotes are other shells'
# shellcheck disable=SC2154 # start_daemon sets NAME_pid

. "$(dirname "$0")/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "only root can give a build to another user"
chmod 711 "$TMP" # that user must get in

KEY=secret
PORT=$(free_port)
URL=http://127.0.0.1:$PORT
export APP_DIR=$TMP/built/app WORK_DIR=$TMP/built/work BUILDPACKS_DIR=$ROOT/slugbuilder/buildpacks

# signed r|w PATH: the URL with the right to read or write it.
signed() {
	printf '%s%s?sig=%s%s' "$URL" "$2" "$1" "$(printf '%s %s' "$1" "$2" | openssl dgst -sha256 -hmac $KEY -r | cut -d' ' -f1)"
}

# build FOLDER [VARIABLE=VALUE...]: build it, with nothing left of the build before; without cursor escapes.
build() {
	local folder=$1 rc

	shift
	rm -rf "$TMP/built"
	tar -C "$folder" -cf - . | env SLUG_PUT_URL="$(signed w /slug)" "$@" flynn-slugbuilder >"$TMP/build.log" 2>&1
	rc=$?
	sed $'s/^\033\\[1G//' "$TMP/build.log"
	return $rc
}

# app NAME: a folder with what comes on stdin as its Procfile.
app() {
	mkdir -p "$TMP/$1"
	cat >"$TMP/$1/Procfile"
}

# buildpack NAME: one whose compile is what comes on stdin, alone in $TMP/NAME.
buildpack() {
	mkdir -p "$TMP/$1/it/bin"
	printf '#!/bin/sh\necho Test\n' >"$TMP/$1/it/bin/detect"
	cat - >"$TMP/$1/it/bin/compile"
	chmod 755 "$TMP/$1/it/bin/"*
}

# run_slug COMMAND...: as the main process of a new container would.
run_slug() {
	env APP_DIR="$TMP/run/app" SLUG_URL="$(signed r /slug)" flynn-slugrunner "$@" </dev/null
}

new_container() {
	rm -rf "$TMP/run"
	mkdir "$TMP/run"
}

# What the buildpacks of this test run for too long.
no_sleepers() {
	! pgrep -x -f "sleep 98765"
}

start_daemon shelf env CLUSTER_KEY=$KEY flynn-shelf -http-addr "127.0.0.1:$PORT" -dir "$TMP/data"
wait_until 5 "shelf" listens "$PORT" || die "no shelf"

# ---- what is said and made ------------------------------------------------------------------------

out=$(build "$ROOT/test/apps/procfile")
is "an app with a Procfile builds" $? 0
is "and this is said" "${out%is *}" "-----> Procfile app detected
-----> Discovering process types
       Procfile declares types -> web, clock, exits, silent
-----> Compiled slug size "
like "with the slug's size" "$out" 'size is [0-9.]+K$'
is "every line begins at the first column" "$(grep -cv $'^\033\\[1G' "$TMP/build.log")" 0
new_container
like "the runner runs it" "$(run_slug sh -c 'echo $0 is in; pwd; cat Procfile' 'an app')" '^an app is in$'
is "words of a command stay as they are" "$(run_slug printf '<%s>' 'a  b' '$HOME' '')" '<a  b><$HOME><>'
is "as another user, at home in the app" "$(run_slug sh -c 'id -u; echo $HOME; pwd')" \
	"$(id -u slug 2>/dev/null || id -u nobody)"$'\n'"$TMP/run/app"$'\n'"$TMP/run/app"
is "without the signed URL" "$(run_slug env | grep -c -e sig= -e SLUG_URL)" 0
fails_with "a status is the app's" 3 leaving run_slug start exits
fails_with "a type that is not there is told, with those that are" 1 \
	'no process type "wbe"; this release has: web, clock, exits, silent' run_slug start wbe
fails_with "nothing to run is wrong usage" 2 'usage: flynn-slugrunner' flynn-slugrunner

app_port=$(free_port)
start_daemon web env APP_DIR="$TMP/run/app" SLUG_URL="$(signed r /slug)" PORT="$app_port" flynn-slugrunner start web
ok "a process type serves" wait_until 5 "the app" listens "$app_port"
like "it has taken the runner's place" "$(ps -o args= -p "$web_pid")" '^perl web.pl'
kill "$web_pid"
wait "$web_pid"
is "so a signal reaches it, and its end is told" "$?" 0

# ---- a slug is fetched once -------------------------------------------------------------------------

kill "$shelf_pid"
wait "$shelf_pid" 2>/dev/null
is "a container that starts again needs no shelf" "$(run_slug echo here)" here
echo another-boot >"$TMP/run/app.ok"
start_daemon shelf env CLUSTER_KEY=$KEY flynn-shelf -http-addr "127.0.0.1:$PORT" -dir "$TMP/data"
rm "$TMP/run/app/web.pl"
wait_until 5 "shelf" listens "$PORT"
is "one that a power cut may have damaged is fetched again" "$(run_slug ls web.pl)" web.pl
new_container
fails_with "a slug that is gone is not waited for" 1 'cannot install the slug: GET .*/gone answered 404' \
	env APP_DIR="$TMP/run/app" SLUG_URL="$(signed r /gone)" flynn-slugrunner true
is "and nothing is left in its place" "$(ls "$TMP/run/app" 2>/dev/null)" ""
echo damaged >"$TMP/damaged"
curl -sS -T "$TMP/damaged" "$(signed w /damaged)"
fails_with "nor is a damaged one" 1 'the archive is damaged' \
	env APP_DIR="$TMP/run/app" SLUG_URL="$(signed r /damaged)" flynn-slugrunner true
fails_with "no slug at all is told" 1 'no SLUG_URL is set' env -u SLUG_URL APP_DIR="$TMP/run/app" flynn-slugrunner true
new_container
curl -sS -o "$TMP/slug" "$(signed r /slug)"
is "a slug may come on standard input" "$(env APP_DIR="$TMP/run/app" flynn-slugrunner ls web.pl <"$TMP/slug")" web.pl

like "a variable of which buildpacks cannot know is left out, and that is said" \
	"$(build "$ROOT/test/apps/procfile" 'BUILD_ENV={"spring.name":"x"}')" 'does not get the variable spring\.name'
is "and the app is built" "$(tail -n 1 "$TMP/build.log" | grep -c 'Compiled slug size')" 1

# ---- volumes inside of the app ------------------------------------------------------------------------

mkdir "$TMP/uploads"
cp -R "$ROOT/test/apps/procfile/." "$TMP/uploads"
mkdir -p "$TMP/uploads/public/uploads"
touch "$TMP/uploads/public/style" "$TMP/uploads/public/uploads/of-the-slug"
build "$TMP/uploads" >/dev/null
new_container
mkdir -p "$TMP/run/app/public/uploads"
touch "$TMP/run/app/public/uploads/kept"
export FLYNN_VOLUMES=$TMP/uploads:$TMP/run/app/public/uploads
is "an app with a volume inside of it is fetched, and the volume left alone" \
	"$(run_slug sh -c 'ls web.pl public public/uploads')" $'web.pl\n\npublic:\nstyle\nuploads\n\npublic/uploads:\nkept'
echo half >"$TMP/run/app.ok"
rm "$TMP/run/app/web.pl"
is "one that was cut short is fetched again" "$(run_slug ls web.pl)" web.pl
is "once" "$(env -u SLUG_URL APP_DIR="$TMP/run/app" flynn-slugrunner ls web.pl </dev/null)" web.pl
new_container
mkdir -p "$TMP/run/app" "$TMP/others/deep/volume"
ln -s "$TMP/others" "$TMP/run/app/link"
export FLYNN_VOLUMES=$TMP/run/app/link/deep/volume
is "where the app has put a link on the way to a volume, what it leads to is not given away" \
	"$(run_slug ls web.pl 2>/dev/null; stat -c %u "$TMP/others/deep" "$TMP/others/deep/volume")" "web.pl
$(id -u)
$(id -u)"
new_container
mkdir "$TMP/run/app"
export FLYNN_VOLUMES=$TMP/run/app
fails_with "a volume in the app's place is refused" 1 'a volume is at .*/app, where the app itself goes' run_slug true
unset FLYNN_VOLUMES

# ---- process types --------------------------------------------------------------------------------

like "CRLF, tabs and comments are read" "$(build "$ROOT/test/apps/procfile-crlf")" 'Procfile declares types -> web, worker$'
app wrong <<<$'web: true\nthis is nothing'
fails_with "a wrong line is told with its number" 1 'Build failed: Procfile line 2 is not TYPE: COMMAND: "this is nothing"' \
	build "$TMP/wrong"
fails_with "an app that nothing fits is told what to add" 1 \
	'No package.json and no Procfile .* or set BUILDPACK_URL' build "$ROOT/test/apps/no-app"

# ---- buildpacks -------------------------------------------------------------------------------------

buildpack packs <<'END'
#!/bin/sh
echo "user $(id -u)"
echo "variable $(cat "$3/NAME")"
env | grep -e sig= -e SLUG -e BUILD_ENV
tr '\0' '\n' </proc/$PPID/environ
mkdir -p "$1/.profile.d"
echo 'export FROM_PROFILE=profile' >"$1/.profile.d/x.sh"
touch "$1/kept" "$1/left-out.tmp"
ls "$2"
echo cached >"$2/file"
sleep 98765 &
END
printf '#!/bin/sh\nprintf "default_process_types:\\n  web: echo by default\\nconfig_vars:\\n  A: a\\n  B: b\\n"\n' >"$TMP/packs/it/bin/release"
chmod 755 "$TMP/packs/it/bin/release"
mkdir -p "$TMP/plain"
echo '*.tmp' >"$TMP/plain/.slugignore"
with_cache=(BUILDPACKS_DIR="$TMP/packs" CACHE_GET_URL="$(signed r /cache)" CACHE_PUT_URL="$(signed w /cache)")
out=$(build "$TMP/plain" "${with_cache[@]}" BUILD_ENV='{"NAME":"value"}')
is "a buildpack builds" $? 0
like "as another user" "$out" "user $(id -u slug 2>/dev/null || id -u nobody)$"
like "which is given the app's variables as files" "$out" 'variable value$'
unlike "and sees no signed URL" "$out" 'sig='
like "its default types are told" "$out" 'Default types for Test -> web$'
ok "what it leaves running is killed" no_sleepers
new_container
is ".slugignore is obeyed" "$(run_slug ls)" kept
is "config_vars are set where unset, profiles sourced" "$(A=mine run_slug sh -c 'echo $A $B $FROM_PROFILE')" "mine b profile"
is "the default type runs" "$(run_slug start web)" "by default"
like "the next build has the cache" "$(build "$TMP/plain" "${with_cache[@]}" BUILD_ENV='{"NAME":"value"}')" '^ +file$'
curl -sS -T "$TMP/damaged" "$(signed w /cache)"
out=$(build "$TMP/plain" "${with_cache[@]}")
is "a broken cache breaks no build" $? 0
like "but is told" "$out" 'The build goes without its cache: the archive is damaged'

buildpack failing <<<$'#!/bin/sh\necho trying\nexit 4'
fails_with "a compile that fails is told with its status" 1 "Build failed: buildpack it's compile exited 4" \
	build "$TMP/plain" BUILDPACKS_DIR="$TMP/failing"
buildpack slow <<<$'#!/bin/sh\nsleep 98765 & sleep 98765'
fails_with "one that takes too long is stopped" 1 'ran for more than 1 s and was stopped' \
	build "$TMP/plain" BUILDPACKS_DIR="$TMP/slow" BUILD_TIMEOUT=1
ok "with all that it started" no_sleepers

rm -rf "$TMP/built"
tar -C "$TMP/plain" -cf "$TMP/plain.tar" .
env SLUG_PUT_URL="$(signed w /slug)" BUILDPACKS_DIR="$TMP/slow" flynn-slugbuilder <"$TMP/plain.tar" >"$TMP/build.log" 2>&1 &
builder=$!
wait_until 5 "the compile to run" pgrep -x -f "sleep 98765"
kill $builder
wait $builder
is "SIGTERM ends a build" $? 143
ok "and what it started" wait_until 5 "the compile to end" no_sleepers

# ---- BUILDPACK_URL ------------------------------------------------------------------------------------

git init -q -b main "$TMP/custom"
cp -R "$TMP/packs/it/." "$TMP/custom"
(cd "$TMP/custom" && printf '#!/bin/sh\nexit 1\n' >bin/detect && printf '#!/bin/sh\necho branch main\n' >bin/compile &&
	git add -A && git -c user.name=x -c user.email=x@x commit -q -m main && git checkout -q -b other &&
	printf '#!/bin/sh\necho branch other\n' >bin/compile && git -c user.name=x -c user.email=x@x commit -q -a -m other &&
	git checkout -q main)
chown -R "$(id -u slug 2>/dev/null || id -u nobody)" "$TMP/custom" # git trusts only its owner
like "a custom buildpack builds what it says it cannot" "$(build "$TMP/plain" BUILDPACK_URL="file://$TMP/custom")" 'branch main$'
like "a config variable names it as well, with a branch" \
	"$(build "$TMP/plain" BUILD_ENV="{\"BUILDPACK_URL\":\"file://$TMP/custom#other\"}")" 'branch other$'
fails_with "a branch that is not there is told" 1 'the buildpack has no such branch, tag or commit' \
	build "$TMP/plain" BUILDPACK_URL="file://$TMP/custom#none"
fails_with "so is a URL without a repository" 1 'cannot fetch the buildpack: git exited' \
	build "$TMP/plain" BUILDPACK_URL="file://$TMP/nowhere"

# ---- broken ends ----------------------------------------------------------------------------------------

fails_with "a source that is cut is not built" 1 'Cannot read the source: the archive is damaged' \
	sh -c "rm -rf '$TMP/built'; head -c 1536 '$TMP/plain.tar' | env SLUG_PUT_URL=x flynn-slugbuilder"
fails_with "nor an empty one" 1 'Cannot read the source: it is empty' \
	sh -c "rm -rf '$TMP/built'; env SLUG_PUT_URL=x flynn-slugbuilder </dev/null"
fails_with "no place for the slug is wrong usage" 2 'set SLUG_PUT_URL, or give -o FILE' flynn-slugbuilder
kill "$shelf_pid"
wait "$shelf_pid" 2>/dev/null
fails_with "a slug that cannot be stored fails the build" 1 "the slug could not be stored: PUT $URL/slug: " \
	build "$ROOT/test/apps/procfile"
unlike "without telling the signature" "$(cat "$TMP/build.log")" 'sig='

# ---- versions ----------------------------------------------------------------------------------------------

is "semver-pick picks the highest" "$(printf '%s\n' 1.0.0 1.10.0 1.9.0 2.0.0 2.0.0-rc.1 junk | flynn-slugbuilder semver-pick '^1')" 1.10.0
is "of those that admit a version" "$(printf '%s\n' '1.0.0 >=4' '2.0.0 >=20' | flynn-slugbuilder semver-pick -admits 18.0.0 '*')" 1.0.0
fails_with "a range that is none is told" 2 '"twenty" is not a range of versions' flynn-slugbuilder semver-pick twenty
fails_with "none that fits is a failure" 1 '' flynn-slugbuilder semver-pick 9
