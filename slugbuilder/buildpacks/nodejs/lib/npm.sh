# npm and what it installs. Sourced by bin/compile. The cache holds few and large files, tars, which are fast
# to restore; each is unpacked only by a build that needs it.
# shellcheck disable=SC2154 # the variables are those of bin/compile
# shellcheck shell=bash

# npm's own cache; a larger one costs more than it saves.
npm_cache_max_mb=300

# The npm of the last build serves while node and the wish for it are the same. It goes into the slug packed.
install_npm() {
	local range for_what

	range=$(engine npm)
	for_what="$node_version ${range:-any}"
	if [ "$(cat "$cache/npm/for" 2>/dev/null)" != "$for_what" ]; then
		fetch_npm "$range"
		echo "$for_what" >"$cache/npm/for"
	fi
	npm_version=$(cat "$cache/npm/version")
	mkdir -p "$node_home/lib"
	link_or_copy "$cache/npm/npm.tgz" "$node_home/lib/npm.tgz"
	cp "$here/lib/npm-in-slug" "$node_home/bin/npm"
	ln -s npm "$node_home/bin/npx"
	say "Using npm $npm_version"
}

# The real one, for those steps that need it, and the headers that it builds native modules with.
need_npm() {
	local program

	[ ! -e "$temp/npm" ] || return 0
	mkdir "$temp/npm" "$temp/npm-bin" "$temp/headers"
	tar -xzf "$cache/npm/npm.tgz" -C "$temp/npm" --strip-components=1 --no-same-owner \
		--exclude=package/man --exclude=package/docs --exclude=package/html
	for program in npm npx; do
		[ -e "$temp/npm/bin/$program-cli.js" ] || continue
		chmod 755 "$temp/npm/bin/$program-cli.js"
		ln -s "../npm/bin/$program-cli.js" "$temp/npm-bin/$program"
	done
	PATH=$temp/npm-bin:$PATH
	tar -xf "$cache/node/headers.tar" -C "$temp/headers" --no-same-owner
}

# resolve_npm PACKUMENT RANGE: unless package.json asks for one, the newest npm that already fits the first release of
# this node's major version. That is the npm its users know; a newer one may behave differently.
resolve_npm() {
	local range=$2 admits=$node_version

	if [ -z "$range" ]; then
		case $(major "$node_version") in # npm told no engines then
		[0-4]) range=2.x ;;
		5) range=3.x ;;
		*) range='*' admits=$(major "$node_version").0.0 ;;
		esac
	fi
	jq -r '.versions | to_entries[] | "\(.key) \(.value.engines.node? // "")"' "$1" | pick "$range" -admits "$admits" ||
		jq -r '.versions | to_entries[] | "\(.key) \(.value.engines.node? // "")"' "$1" | pick "$range" -admits "$node_version"
}

fetch_npm() {
	local version

	packument npm >"$temp/npm.json" || fail "Cannot reach the npm registry at $registry."
	version=$(resolve_npm "$temp/npm.json" "$1") ||
		fail "No version of npm fits \"${1:-*}\" (engines.npm in package.json) and Node.js $node_version."
	rm -rf "$cache/npm"
	mkdir "$cache/npm"
	fetch_package "$temp/npm.json" "$version" "$cache/npm/npm.tgz"
	echo "$version" >"$cache/npm/version"
}

configure_npm() {
	export npm_config_cache=$temp/npm-cache
	export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false npm_config_progress=false
	export npm_config_prefer_offline=true
	export npm_config_fetch_retries=${npm_config_fetch_retries:-3}
	export npm_config_fetch_retry_mintimeout=${npm_config_fetch_retry_mintimeout:-1000}
	export npm_config_fetch_retry_maxtimeout=${npm_config_fetch_retry_maxtimeout:-10000}
	# The headers of this very node, so that native modules need no other server than the registry.
	export npm_package_config_node_gyp_nodedir=$temp/headers
	if [ "$(major "$npm_version")" -ge 7 ]; then
		export npm_config_logs_max=0 # what is printed is all there is to know; older ones fail with none
	fi
	if [ "$(major "$npm_version")" -lt 11 ]; then
		export npm_config_nodedir=$temp/headers # newer ones complain of a setting that is not theirs
	fi
	# From 12 on npm runs no install scripts unless told to, and native modules would be broken without a
	# word at run time. An app that says which ones it trusts is obeyed.
	if [ "$(major "$npm_version")" -ge 12 ] && ! has .allowScripts && ! grep -qs '^[[:blank:]]*allow-scripts' .npmrc; then
		export npm_config_dangerously_allow_all_scripts=true
	fi
	export NODE_ENV=${NODE_ENV:-production}
}

# run_script NAME: of package.json, when there.
run_script() {
	has ".scripts[\"$1\"]" || return 0
	title "Running $1"
	need_npm
	npm run "$1" || fail "The script $1 of package.json exited $?."
}

build_script() {
	if has '.scripts["heroku-postbuild"]'; then
		echo heroku-postbuild
	elif has .scripts.build; then
		echo build
	fi
}

# Some tools write an empty list of them as [].
has_dependencies() {
	has '[.dependencies, .devDependencies, .optionalDependencies, .peerDependencies | objects | keys[]]' ||
		has .workspaces
}

# The config variables by which an app keeps its development dependencies.
keeps_development() {
	[ "${NPM_CONFIG_PRODUCTION:-${npm_config_production:-true}}" = false ] ||
		[[ ${NPM_CONFIG_INCLUDE:-${npm_config_include:-}} == *dev* ]]
}

# development_option omit|include: as this npm spells it.
development_option() {
	if [ "$(major "$npm_version")" -ge 7 ]; then
		echo "--$1=dev"
	elif [ "$1" = omit ]; then
		echo --production
	else
		echo --production=false
	fi
}

# Scripts of the app itself that npm runs when it installs.
has_install_scripts() {
	has '[.scripts // {} | .preinstall, .install, .postinstall, .prepublish, .preprepare, .prepare, .postprepare | values]' ||
		[ -e binding.gyp ]
}

lock_file() {
	local name

	for name in npm-shrinkwrap.json package-lock.json; do
		if [ -e $name ]; then
			echo $name
			return
		fi
	done
}

# Dependencies that are directories of the app or of its surroundings, not packages.
has_local_dependencies() {
	has .workspaces ||
		has '[.dependencies, .devDependencies, .optionalDependencies | values | .[] | select(test("^(file:|link:|[.~/])"))]'
}

# What node_modules is made of, if of nothing else: then the last build's can be taken. Not when the app's own
# scripts or directories take part in it.
modules_key() {
	local lock=$1

	if has_install_scripts || has_local_dependencies; then
		return
	fi
	{
		echo "$node_version $npm_version $(uname -m) $install_options"
		env | grep -i '^npm_config_' | grep -v -e '^npm_config_cache=' -e '^npm_config_nodedir=' | sort # not where we keep what
		cat ${lock:+"$lock"} .npmrc 2>/dev/null || true
		jq -S '{dependencies, devDependencies, optionalDependencies, peerDependencies, overrides, allowScripts}' package.json
	} | sha256sum | cut -d ' ' -f 1
}

install_dependencies() {
	local lock key

	if ! has_dependencies && ! has_install_scripts; then
		return
	fi
	title "Installing dependencies"
	if [ -e node_modules ]; then
		say "node_modules is checked in; it is better left out of git, npm makes it anew"
	fi
	# A build script may need what only development needs; it is taken out afterwards.
	install_options=$(development_option omit)
	if [ -n "$(build_script)" ] || keeps_development; then
		install_options=$(development_option include)
	fi
	lock=$(lock_file)
	key=$(modules_key "$lock")
	if [ -n "$key" ] && [ "$(cat "$cache/modules/key" 2>/dev/null)" = "$key" ]; then
		say "Nothing has changed: using node_modules of the last build"
		rm -rf node_modules
		tar -xf "$cache/modules/modules.tar" --no-same-owner
		return
	fi
	need_npm
	unpack_npm_cache
	if [ -n "$lock" ] && [ "$(major "$npm_version")" -ge 6 ]; then # older ones have no ci, and read no lock of today
		say "npm ci ($lock)"
		npm ci "$install_options" || fail "npm ci exited $?; what it says above is the reason."
	else
		say "npm install"
		[ -n "$lock" ] || say "Commit a package-lock.json for builds that are the same every time."
		npm install "$install_options" --package-lock=false || fail "npm install exited $?; what it says above is the reason."
	fi
	keep_modules "$key"
	keep_npm_cache
}

unpack_npm_cache() {
	[ ! -e "$cache/npm-cache.tar" ] || tar -xf "$cache/npm-cache.tar" -C "$temp" --no-same-owner
}

keep_npm_cache() {
	rm -f "$cache/npm-cache.tar"
	[ -d "$npm_config_cache/_cacache" ] || return 0
	[ "$(du -sm "$npm_config_cache/_cacache" | cut -f 1)" -le $npm_cache_max_mb ] || return 0
	tar -cf "$cache/npm-cache.tar" -C "$temp" npm-cache/_cacache
}

# keep_modules KEY: for the next build; no key, no modules.
keep_modules() {
	rm -rf "$cache/modules"
	[ -n "$1" ] && [ -d node_modules ] || return 0
	mkdir "$cache/modules"
	tar -cf "$cache/modules/modules.tar" node_modules
	echo "$1" >"$cache/modules/key"
}

run_build() {
	local script

	script=$(build_script)
	[ -z "$script" ] || run_script "$script"
}

prune_dependencies() {
	if [ -z "$(build_script)" ] || ! has '.devDependencies // {}' || keeps_development; then
		return
	fi
	say "Leaving out what only development needs"
	need_npm
	npm prune "$(development_option omit)" --no-package-lock --ignore-scripts || fail "npm prune exited $?."
}

# Scripts that the slug's npm can run by itself: those that npm runs nothing before or after, in its usual shell.
write_scripts() {
	local name script

	mkdir "$node_home/lib/scripts"
	jq -r '"export npm_package_name=\(.name // "" | @sh) npm_package_version=\(.version // "" | @sh)"' package.json \
		>"$node_home/lib/package.env"
	! grep -qs -e script-shell -e node-options .npmrc || return 0
	jq -r '.scripts // {} | keys[] as $name
		| select($name | test("^[A-Za-z0-9][A-Za-z0-9:._-]*$"))
		| select(.["pre" + $name] == null and .["post" + $name] == null)
		| "\($name) \(.[$name] | @base64)"' package.json |
		while read -r name script; do
			base64 -d <<<"$script" >"$node_home/lib/scripts/$name"
		done
}

# Sourced by the runner before the app starts.
write_profile() {
	mkdir -p .profile.d
	cat >.profile.d/nodejs.sh <<-'PROFILE'
		export PATH="$HOME/.flynn/node/bin:$PATH:$HOME/bin:$HOME/node_modules/.bin"
		export NODE_HOME="$HOME/.flynn/node"
		export NODE_ENV="${NODE_ENV:-production}"
	PROFILE
}
