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

in_image() {
	local image=$1 entry=$2

	shift 2
	docker run --rm --entrypoint "$entry" "flynn/$image" "$@"
}

for part in "${PARTS[@]}"; do
	ok "flynn/$part is built" docker image inspect "flynn/$part"
done
is "strowger is the router by its old name" \
	"$(docker image inspect -f '{{.Id}}' flynn/strowger)" "$(docker image inspect -f '{{.Id}}' flynn/router)"

while read -r part program user; do
	[ -n "$part" ] || continue
	version=$(in_image "$part" "/usr/bin/$program" -version 2>&1)
	like "$program -version names program and version" "$version" "^$program [0-9]+\.[0-9]+"
	help=$(in_image "$part" "/usr/bin/$program" -h 2>&1)
	is "$program -h succeeds" $? 0
	like "$program -h shows how to use it" "$help" "$program"
	# All arguments of slugrunner are the app's.
	[ "$program" = flynn-slugrunner ] || fails_with "$program refuses an unknown flag" 2 'no-such-flag' \
		in_image "$part" "/usr/bin/$program" -no-such-flag
	is "flynn/$part runs as ${user:-root}" "$(docker image inspect -f '{{.Config.User}}' "flynn/$part")" "$user"
done <<<"$DAEMONS"

ok "etcd is Debian's" in_image etcd /usr/bin/etcd --version
ok "postgres is version 15" in_image postgres /usr/lib/postgresql/15/bin/postgres --version

# What an image does not hold cannot be used by who breaks into it.
for part in discoverd controller router shelf bootstrap slugrunner; do
	is "flynn/$part has no compiler, git, ssh or curl" \
		"$(in_image "$part" /bin/sh -c 'command -v cc gcc git ssh curl')" ""
done
for part in "${PARTS[@]}"; do
	programs=$(in_image "$part" /bin/sh -c 'ls /usr/bin | grep ^flynn-' 2>&1 | sort | tr '\n' ' ')
	wanted=$(awk -v part="$part" '$1 == part { print $2 }' <<<"$DAEMONS" | sort | tr '\n' ' ')
	is "flynn/$part holds its own programs only" "$programs" "$wanted"
done

# The libraries are one file on disk, and so in memory, for all whose images add nothing of Debian's.
shared=$(docker image inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' flynn/base)
for part in host discoverd controller router shelf; do
	like "flynn/$part stands on the layers of flynn/base" \
		"$(docker image inspect -f '{{range .RootFS.Layers}}{{.}} {{end}}' "flynn/$part")" "^$(tr '\n' ' ' <<<"$shared" | sed 's/ *$//')"
done

ok "images trust what this machine trusts" \
	cmp /etc/ssl/certs/ca-certificates.crt <(in_image slugbuilder cat /etc/ssl/certs/ca-certificates.crt)

for manifest in host:/etc/flynn-host.json bootstrap:/etc/manifest.json; do
	text=$(in_image "${manifest%%:*}" cat "${manifest#*:}")
	ok "${manifest#*:} is JSON" jq . <<<"$text"
	unlike "${manifest#*:} has no marker left" "$text" 'image_id'
	while read -r id; do
		ok "${manifest#*:} names an image that is here" docker image inspect "$id"
	done < <(grep -o 'sha256:[0-9a-f]*' <<<"$text" | sort -u)
done
