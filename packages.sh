#!/bin/bash
# packages.sh - install what is missing of the groups of packages.txt that are named.
#
#   ./packages.sh build run
#
# A machine that has everything is left untouched, in milliseconds, without the network or root.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

die() {
	printf 'packages: %s\n' "$*" >&2
	exit 1
}

# wanted GROUP...: the packages of these groups, without those that another program stands in for.
wanted() {
	local package unless command

	awk -v groups=" $* " '
		/^\[/ { on = index(groups, " " substr($1, 2, length($1) - 2) " ") }
		on && /^[a-z]/' "$here/packages.txt" |
		while read -r package unless command; do
			[ -n "$unless" ] && command -v "$command" >/dev/null && continue
			printf '%s\n' "$package"
		done
}

missing() {
	local have

	# It fails when it does not know one of them, and tells of the others.
	have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/ installed$//p') || true
	printf '%s\n' "$@" | grep -vxF -e "$have" || true
}

# Debian starts what it installs. Of these, we start what we need, where and when we need it:
# a second etcd on the machine's own ports would be in a cluster's way.
without_starting_services() {
	local policy=/usr/sbin/policy-rc.d mark="# of Flynn's packages.sh, while it installs" rc=0

	# One of ours was left by a run that was killed.
	if [ -e $policy ] && ! grep -qxF "$mark" $policy; then
		"$@"
		return
	fi
	# Ctrl-C, too: the machine's own services would not start any more.
	# shellcheck disable=SC2064 # the variable is gone by then
	trap "rm -f $policy" EXIT
	printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >$policy
	chmod 755 $policy
	"$@" || rc=$?
	rm -f $policy
	trap - EXIT
	return $rc
}

not_at_boot() {
	local unit

	[ -d /run/systemd/system ] || return 0
	for unit in etcd postgresql; do
		! printf '%s\n' "$@" | grep -q "^$unit-" || systemctl disable --quiet $unit || true
	done
}

install() {
	local log

	[ "$(id -u)" = 0 ] || die "as root: apt-get install $*"
	log=$(mktemp)
	printf 'packages: installing %s\n' "$*"
	export DEBIAN_FRONTEND=noninteractive
	if ! without_starting_services apt-get install -y -q --no-install-recommends --no-upgrade "$@" >"$log" 2>&1; then
		# Without package lists, or with old ones, names or versions are not found.
		apt-get update -q >"$log" 2>&1 || { cat "$log" >&2; die "apt-get update failed: is the package mirror reachable?"; }
		without_starting_services apt-get install -y -q --no-install-recommends --no-upgrade "$@" >"$log" 2>&1 ||
			{ tail -n 20 "$log" >&2; die "apt-get install failed, see above"; }
	fi
	rm -f "$log"
	not_at_boot "$@"
}

[ $# -gt 0 ] || die "usage: packages.sh GROUP..."
mapfile -t packages < <(wanted "$@" | sort -u)
[ ${#packages[@]} -gt 0 ] || die "no such group in packages.txt: $*"
mapfile -t packages < <(missing "${packages[@]}")
[ ${#packages[@]} -eq 0 ] || install "${packages[@]}"
