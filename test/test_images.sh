#!/bin/bash
# Every image is there, holds what it should and nothing that it should not.
. "$(dirname "$0")/lib_cluster.sh"

PARTS=(host etcd discoverd postgres controller router gitreceive slugbuilder slugrunner shelf bootstrap)
# image, program, and the user that it runs as ("" is root; the Dockerfile says why)
DAEMONS='
host flynn-host
discoverd flynn-discoverd flynn-discoverd
postgres flynn-postgres postgres
controller flynn-controller flynn-controller
controller flynn-scheduler flynn-controller
router flynn-router flynn-router
gitreceive flynn-gitreceive
slugbuilder flynn-slugbuilder
slugrunner flynn-slugrunner
shelf flynn-shelf flynn-shelf
bootstrap flynn-bootstrap flynn-bootstrap
'

# in_image IMAGE COMMAND: a shell's command, in a container of the image.
in_image() {
	docker run --rm --entrypoint /bin/sh "flynn/$1" -c "exec 2>&1; $2"
}

# A part of what a container printed: the lines from "== NAME" to the next "==".
section() {
	sed -n "/^== $1\$/,/^== /{/^== /!p}" <<<"$2"
}

for part in "${PARTS[@]}"; do
	ok "flynn/$part is built" docker image inspect "flynn/$part"
done
is "strowger is the router by its old name" \
	"$(docker image inspect -f '{{.Id}}' flynn/strowger)" "$(docker image inspect -f '{{.Id}}' flynn/router)"

while read -r part program user; do
	[ -n "$part" ] || continue
	said=$(in_image "$part" "
		echo == version; $program -version; echo == help; $program -h; rc=\$?
		echo == helped; echo \$rc; echo == refusal; $program -no-such-flag; rc=\$?; echo == refused; echo \$rc")
	like "$program -version names program and version" "$(section version "$said")" "^$program [0-9]+\.[0-9]+"
	is "$program -h succeeds" "$(section helped "$said")" 0
	like "$program -h shows how to use it" "$(section help "$said")" "$program"
	# All arguments of slugrunner are the app's.
	if [ "$program" != flynn-slugrunner ]; then
		like "$program refuses an unknown flag" "$(section refusal "$said")" no-such-flag
		is "$program calls that a usage error" "$(section refused "$said")" 2
	fi
	is "flynn/$part runs as ${user:-root}" "$(docker image inspect -f '{{.Config.User}}' "flynn/$part")" "$user"
done <<<"$DAEMONS"

like "etcd is Debian's" "$(in_image etcd 'dpkg -s etcd-server; etcd --version')" '^etcd Version: 3'
like "postgres is version 15" "$(in_image postgres 'postgres --version')" 'PostgreSQL\) 15'

for part in "${PARTS[@]}"; do
	wanted=$(awk -v part="$part" '$1 == part { print $2 }' <<<"$DAEMONS" | sort | tr '\n' ' ')
	said=$(in_image "$part" 'echo == ours; ls /usr/bin | grep ^flynn-; echo == tools; command -v cc gcc git ssh curl')
	is "flynn/$part holds its own programs only" "$(section ours "$said" | sort | tr '\n' ' ')" "$wanted"
	case $part in
	gitreceive | slugbuilder) ;;
	# What an image does not hold cannot be used by who breaks into it.
	*) is "flynn/$part has no compiler, git, ssh or curl" "$(section tools "$said")" "" ;;
	esac
done

# The libraries are one file on disk, and so in memory, for all whose images add nothing of Debian's.
shared=$(docker image inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' flynn/base)
for part in host discoverd controller router shelf; do
	like "flynn/$part stands on the layers of flynn/base" \
		"$(docker image inspect -f '{{range .RootFS.Layers}}{{.}} {{end}}' "flynn/$part")" "^$(tr '\n' ' ' <<<"$shared" | sed 's/ *$//')"
done

ok "images trust what this machine trusts" \
	cmp /etc/ssl/certs/ca-certificates.crt <(in_image slugbuilder 'cat /etc/ssl/certs/ca-certificates.crt')

for manifest in host:/etc/flynn-host.json bootstrap:/etc/manifest.json; do
	text=$(in_image "${manifest%%:*}" "cat ${manifest#*:}")
	ok "${manifest#*:} is JSON" jq . <<<"$text"
	unlike "${manifest#*:} has no marker left" "$text" 'image_id'
	while read -r id; do
		ok "${manifest#*:} names an image that is here" docker image inspect "$id"
	done < <(grep -o 'sha256:[0-9a-f]*' <<<"$text" | sort -u)
done
