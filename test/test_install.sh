#!/bin/bash
# make install: everybody can use what root installs, whatever root's umask is.
. "$(dirname "$0")/lib.sh"

umask 077
ok "make install" make --no-print-directory -s -C "$ROOT" BUILD="${BUILD#"$ROOT"/}" SAN="${SAN:-}" install DESTDIR="$TMP/root" PREFIX=/usr
is "everybody can read all of it, and only root write" \
	"$(find "$TMP/root/usr" ! -type l '(' ! -perm -044 -o -perm /022 ')')" ""
like "what it installs runs" "$("$TMP/root/usr/bin/flynn" version)" '^flynn [0-9]'
ok "bash has its completion" bash -c "source '$TMP/root/usr/share/bash-completion/completions/flynn' && complete -p flynn"
