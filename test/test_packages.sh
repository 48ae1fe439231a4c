#!/bin/bash
# packages.sh leaves nothing behind on the machine, however it ends.
# shellcheck disable=SC2016 # scripts in single quotes are other shells'
. "$(dirname "$0")/lib.sh"

unshare --mount true 2>/dev/null || skip_all "only root can have an /usr/sbin of his own"

# An apt-get that takes its time, and a machine on which nothing is installed.
mkdir "$TMP/sbin" "$TMP/programs"
printf '#!/bin/sh\ncp /usr/sbin/policy-rc.d %s/seen\necho $$ >%s/apt.pid\nexec sleep "${APT_S:-0}"\n' "$TMP" "$TMP" >"$TMP/programs/apt-get"
printf '#!/bin/sh\nexit 1\n' >"$TMP/programs/dpkg-query"
chmod 755 "$TMP/programs/"*

packages() {
	PATH=$TMP/programs:$PATH exec unshare --mount bash -c 'mount --bind "$1" /usr/sbin && exec "$2" build' - "$TMP/sbin" "$ROOT/packages.sh"
}

ok "packages are installed" packages
is "and start no service meanwhile" "$(tail -n 1 "$TMP/seen")" "exit 101"
is "but may afterwards" "$(ls "$TMP/sbin")" ""

rm "$TMP/seen" "$TMP/apt.pid"
# A shell in the background would have it ignore SIGINT.
APT_S=30 packages >/dev/null 2>&1 &
installer=$!
wait_until 5 "apt-get" test -s "$TMP/apt.pid"
kill -TERM $installer
kill "$(cat "$TMP/apt.pid")"
wait $installer
is "also when the installation is given up" "$(ls "$TMP/sbin")" ""

cp "$TMP/seen" "$TMP/sbin/policy-rc.d"
ok "what a killed one left" packages
is "goes with the next" "$(ls "$TMP/sbin")" ""

printf '#!/bin/sh\nexit 104\n' >"$TMP/sbin/policy-rc.d"
ok "a policy of the machine's own" packages
is "stays as it is" "$(tail -n 1 "$TMP/sbin/policy-rc.d")" "exit 104"
