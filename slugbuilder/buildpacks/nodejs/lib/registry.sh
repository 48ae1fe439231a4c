# The npm registry: where it is, what it has, and its packages, checked. Sourced by bin/compile.
# shellcheck disable=SC2154 # the variables are those of bin/compile
# shellcheck shell=bash

default_registry=https://registry.npmjs.org

# As npm: the environment beats .npmrc. Sets $registry.
find_registry() {
	local from_file=

	if [ -f .npmrc ]; then
		from_file=$(sed -n 's/^[[:blank:]]*registry[[:blank:]]*=[[:blank:]]*//p' .npmrc | tail -n 1 | tr -d '\r"'\')
	fi
	registry=${npm_config_registry:-${NPM_CONFIG_REGISTRY:-${from_file:-$default_registry}}}
	registry=${registry%/}
}

fetch() {
	curl --silent --show-error --fail --location --compressed --connect-timeout "${CURL_CONNECT_TIMEOUT:-30}" \
		--max-time 600 --speed-limit 1000 --speed-time 30 --retry 3 --retry-delay 1 --retry-connrefused "$@"
}

# packument NAME: the registry's short description of all versions.
packument() {
	fetch --header 'Accept: application/vnd.npm.install-v1+json' "$registry/$1"
}

# fetch_package PACKUMENT VERSION FILE: the package's tarball, which must have the digest that the registry tells.
fetch_package() {
	local url want algorithm got

	url=$(jq -r --arg v "$2" '.versions[$v].dist.tarball' "$1")
	# An old version may have only a SHA-1; the strongest of several comes first.
	want=$(jq -r --arg v "$2" '.versions[$v].dist | .integrity // empty' "$1" | tr ' ' '\n' | sort -r | head -n 1)
	fetch --output "$3" "$url" || fail "Cannot fetch $url."
	if [ -n "$want" ]; then
		algorithm=${want%%-*}
		got=$algorithm-$(openssl dgst "-$algorithm" -binary "$3" | base64 -w 0)
	else
		want=$(jq -r --arg v "$2" '.versions[$v].dist.shasum' "$1")
		got=$(sha1sum "$3" | cut -d ' ' -f 1)
	fi
	[ "$got" = "$want" ] || fail "$url is not what the registry describes: its digest is $got instead of $want."
}

# pick RANGE [OPTION...] <versions: the highest that fits.
pick() {
	local range=$1

	shift
	"${FLYNN_SLUGBUILDER:-flynn-slugbuilder}" semver-pick "$@" "$range"
}
