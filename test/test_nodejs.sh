#!/bin/bash
# The Node.js buildpack, in the real images: which node, which dependencies, and what the next build is spared.
# shellcheck disable=SC2016 # scripts in single quotes are other shells'
. "$(dirname "$0")/lib_cluster.sh"

KEY=secret
PORT=$(free_port)
URL=http://$HOST:$PORT

start_daemon shelf env CLUSTER_KEY=$KEY flynn-shelf -http-addr "$HOST:$PORT" -dir "$TMP/data"
wait_until 5 "shelf" curl -fsS -o "$TMP/ping" "$URL/ping" || die "no shelf"
ok "the npm registry can be reached" curl -fsS -o "$TMP/registry" https://registry.npmjs.org/ms || die "without it nothing here works"

signed() {
	printf '%s%s?sig=%s%s' "$URL" "$2" "$1" "$(printf '%s %s' "$1" "$2" | openssl dgst -sha256 -hmac $KEY -r | cut -d' ' -f1)"
}

# build FOLDER [VARIABLE=VALUE...]: with the cache of the folder's last build.
build() {
	local folder=$1 name=${1##*/} options=() variable rc

	shift
	for variable; do
		options+=(-e "$variable")
	done
	tar -C "$folder" -cf - . | docker run --rm -i --init -e SLUG_PUT_URL="$(signed w "/$name.slug")" \
		-e CACHE_GET_URL="$(signed r "/$name.cache")" -e CACHE_PUT_URL="$(signed w "/$name.cache")" \
		"${options[@]}" flynn/slugbuilder >"$TMP/build.log" 2>&1
	rc=$?
	sed $'s/^\033\\[1G//' "$TMP/build.log"
	return $rc
}

# slug NAME COMMAND...: run it in the slug of the folder.
slug() {
	local name=$1

	shift
	docker run --rm --init -e SLUG_URL="$(signed r "/$name.slug")" flynn/slugrunner "$@" 2>&1
}

# app NAME: a folder with what comes on stdin as its package.json.
app() {
	mkdir -p "$TMP/$1"
	cat >"$TMP/$1/package.json"
}

# ---- an app with a lock file ------------------------------------------------------------------------

out=$(build "$ROOT/test/apps/node")
is "an app with a lock file builds" $? 0 || note "$out"
like "with the node it asks for" "$out" '^       Fetching Node.js 20\.[0-9]+\.[0-9]+$'
like "by npm ci" "$out" '^       npm ci \(package-lock.json\)$'
like "its Procfile is read" "$out" '^       Procfile declares types -> web$'
start=$(now_ms)
out=$(build "$ROOT/test/apps/node")
note "second build, container and all: $(($(now_ms) - start)) ms"
like "the next build has node" "$out" 'Using Node.js 20\.[0-9.]+ of the last build'
like "and node_modules" "$out" 'Nothing has changed: using node_modules of the last build'
like "node runs, on the path" "$(slug node node --version)" '^v20\.'
like "npm is there, of the generation of that node" "$(slug node npm --version)" '^(9|10)\.'
is "the dependencies are there" "$(slug node node -p 'require("ms")("2 days")')" 172800000
is "in production" "$(slug node sh -c 'echo $NODE_ENV')" production
is "the headers are not" "$(slug node sh -c 'find / -name node_api.h 2>/dev/null | wc -l')" 0

docker run -d --init --name node-app -e PORT=55555 -e SLUG_URL="$(signed r /node.slug)" flynn/slugrunner start web >/dev/null
at_end sh -c 'docker rm -f node-app >/dev/null'
address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' node-app)
ok "the app serves" wait_until 10 "the app" curl -fsS -o "$TMP/page" "http://$address:55555/"
is "and says so" "$(cat "$TMP/page")" "Hello from Flynn on port 55555"

# ---- scripts and development dependencies ---------------------------------------------------------------

app scripts <<'END'
{
  "name": "scripts", "version": "1.0.0", "private": true,
  "engines": { "node": ">=20 <21 || 18.x" },
  "scripts": {
    "heroku-prebuild": "echo before all",
    "build": "node -e 'console.log(require(\"is-number\")(1), require(\"ms\")(60000))' && echo built >built",
    "heroku-cleanup": "echo after all; ls node_modules",
    "start": "node -p 'try { require(\"is-number\") } catch (e) { e.code }'",
    "show": "echo $npm_lifecycle_event of $npm_package_name, started by $PPID",
    "prehooked": "echo hook", "hooked": "echo hooked"
  },
  "dependencies": { "ms": "^2.1.0" },
  "devDependencies": { "is-number": "7.0.0" }
}
END
out=$(build "$TMP/scripts")
is "an app with scripts and no lock file builds" $? 0 || note "$out"
like "heroku-prebuild runs" "$out" '^       before all$'
like "the build script has development dependencies" "$out" '^       true 1m$'
like "heroku-cleanup runs" "$out" '^       after all$'
like "the start script is the default web process" "$out" '^       Default types for Node.js -> web$'
like "which runs, without development dependencies" "$(slug scripts start web)" '^MODULE_NOT_FOUND$'
like "npm runs a script by becoming it" "$(slug scripts npm run show)" '^show of scripts, started by 1$'
unlike "without being unpacked" "$(slug scripts sh -c 'npm run show; ls .flynn/node/lib')" '^npm$'
like "and one with hooks as ever" "$(slug scripts npm run hooked)" '^hook$'
like "it tells of scripts that are not there" "$(slug scripts npm run nothing)" 'Missing script: "nothing"'
is "what was built is there" "$(slug scripts cat built)" built
like "they stay where NPM_CONFIG_PRODUCTION is false" \
	"$(build "$TMP/scripts" 'BUILD_ENV={"NPM_CONFIG_PRODUCTION":"false"}')" '^-----> Compiled slug size'
is "so they do" "$(slug scripts node -p 'require("is-number")(1)')" true

# ---- other wishes -----------------------------------------------------------------------------------------

app plain <<<'{ "name": "plain", "version": "1.0.0", "engines": ["node >= 0.6"] }'
out=$(build "$TMP/plain")
is "an app with no wish and no dependency builds" $? 0 || note "$out"
like "with a node of an even version" "$out" 'Fetching Node.js [0-9]*[02468]\.[0-9]+\.[0-9]+$'
unlike "without npm install" "$out" 'npm (ci|install)'
like "and is told that it has no process type" "$out" 'None found: add a Procfile'

app exact <<'END'
{
  "name": "exact", "version": "1.0.0", "engines": { "node": "18.19.0", "npm": "~9.8.0" },
  "scripts": [], "dependencies": { "ms": "^2.1.0" }, "devDependencies": []
}
END
out=$(build "$TMP/exact")
like "an exact node is taken" "$out" 'Fetching Node.js 18\.19\.0$'
like "and a wish for npm is heard" "$out" 'Using npm 9\.8\.[0-9]+$'
is "dependencies are there beside empty lists" "$(slug exact node -p 'require("ms")("1s")')" 1000
unlike "of which nothing is said" "$out" 'jq: '

# ---- mistakes ---------------------------------------------------------------------------------------------

mistake() {
	local what=$1 sentence=$2

	app mistake
	fails_with "$what" 1 "^ !     $sentence" build "$TMP/mistake"
}
mistake "a package.json that is none is told" 'package.json is not valid: parse error: .* at line 1' <<<'{ "name": }'
mistake "so is a range that is none" 'engines.node in package.json is not a range of versions: "twenty"\.$' \
	<<<'{ "engines": { "node": "twenty" } }'
mistake "so is a node that was never made" 'No version of Node.js fits engines.node in package.json, "999\.x"\.$' \
	<<<'{ "engines": { "node": "999.x" } }'
mistake "a script that fails is told with its status" 'The script build of package.json exited 3\.$' \
	<<<'{ "name": "x", "version": "1.0.0", "engines": { "node": "18.19.0" }, "scripts": { "build": "exit 3" } }'
mistake "a dependency that is not there is told" 'npm install exited [0-9]+; what it says above is the reason\.$' \
	<<<'{ "name": "x", "version": "1.0.0", "engines": { "node": "18.19.0" }, "dependencies": { "ms": "999.0.0" } }'
out=$(build "$ROOT/test/apps/node" NPM_CONFIG_REGISTRY=http://127.0.0.1:9)
is "without the registry, what the last build has will do" $? 0 || note "$out"
app offline <<<'{ "engines": { "node": "20.x" } }'
fails_with "without either, it is told where we looked" 1 \
	'Cannot reach the npm registry at http://127.0.0.1:9, and there is no Node.js of an earlier build that fits' \
	build "$TMP/offline" NPM_CONFIG_REGISTRY=http://127.0.0.1:9
