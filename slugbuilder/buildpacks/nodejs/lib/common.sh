# What all steps use. Sourced by bin/compile.
# shellcheck shell=bash

title() {
	echo "-----> $*"
}

say() {
	echo "$*"
}

# fail SENTENCE: the build ends here.
fail() {
	printf ' !     %s\n' "$1" >&2
	exit 1
}

# package FILTER: what jq finds in package.json; nothing for null.
package() {
	jq -r "($1) // empty" package.json
}

# has FILTER: is it there, and neither null nor false nor empty? It is not where the filter does not fit what is there.
has() {
	jq -e "($1) | if type == \"object\" or type == \"array\" then length > 0 else . end" package.json >/dev/null 2>&1
}

# engine NAME: which versions of it package.json wants; nothing when it does not say, or not in an object.
engine() {
	jq -r --arg name "$1" '.engines | objects | .[$name] // empty' package.json
}

check_package_json() {
	local why

	if ! why=$(jq -e 'type == "object"' package.json 2>&1); then
		fail "package.json is not valid: ${why/#false/it holds no object}"
	fi
	if [ -e yarn.lock ] || [ -e pnpm-lock.yaml ]; then
		[ -e package-lock.json ] ||
			say "yarn.lock and pnpm-lock.yaml are not read: dependencies are installed by npm, from package.json"
	fi
}

# read_env_dir DIR: export the app's config variables, but for those that would break the build itself.
read_env_dir() {
	local file name

	[ -n "$1" ] || return 0
	for file in "$1"/*; do
		name=${file##*/}
		case $name in
		'*' | PATH | HOME | SHELL | IFS | ENV | BASH_ENV | GIT_DIR | LD_* | CPATH | LIBRARY_PATH | NODE_OPTIONS) ;;
		*) export "$name=$(cat "$file")" ;;
		esac
	done
}

# major VERSION: its first part.
major() {
	echo "${1%%.*}"
}

# link_or_copy FROM TO: a file of the cache that nothing changes in place.
link_or_copy() {
	ln "$1" "$2" 2>/dev/null || cp -a "$1" "$2"
}
