#!/bin/bash
# images.sh - build Flynn's images into the engine that answers.
#
#   images.sh system    only what comes from Debian: needs none of our binaries
#   images.sh           all of it; quick when nothing has changed
#   images.sh remove    remove every flynn/* image
#
# BUILD              where make built the binaries, and where the builds' contexts are gathered
# CACHE              where the Debian base is kept once made (default /var/cache/flynn)
# FLYNN_BASE_IMAGE   another Debian 12 image to start from
set -euo pipefail

cd "$(dirname "$0")/.."
umask 022 # who runs in an image is seldom root
BUILD=${BUILD:-build}
CACHE=${CACHE:-/var/cache/flynn}
PULL_TIMEOUT_S=30
RELEASE=bookworm
DEFAULT_MIRROR=http://deb.debian.org/debian
# One at a time: contexts are gathered in one place.
mkdir -p "$BUILD"
exec 7>"$BUILD/images.lock"
flock 7
# The newer builder looks for base images in a registry before it looks at home.
export DOCKER_BUILDKIT=0

# image, and the programs that it holds. What names other images' ids comes last.
SYSTEM_IMAGES=(etcd postgres gitreceive slugbuilder slugrunner)
IMAGES=(
	'etcd'
	'discoverd flynn-discoverd'
	'postgres flynn-postgres'
	'controller flynn-controller flynn-scheduler'
	'router flynn-router'
	'gitreceive flynn-gitreceive'
	'slugbuilder flynn-slugbuilder'
	'slugrunner flynn-slugrunner'
	'shelf flynn-shelf'
	'host flynn-host'
	'bootstrap flynn-bootstrap'
)

die() {
	printf 'images: %s\n' "$*" >&2
	exit 1
}

say() {
	printf 'images: %s\n' "$*"
}

image_id() {
	docker image inspect -f '{{.Id}}' "$1" 2>/dev/null || return 1
}

# ---- Debian ----------------------------------------------------------------------------------

# The machine's own package sources of this release: where it can reach, its images can.
debian_sources() {
	# shellcheck disable=SC2016 # apt-get's own variables
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
		sort -u | awk -v release=$RELEASE '
			$1 ~ /^http/ && $2 ~ "^" release "(-updates|-security)?$" && $3 == "main" {
				print "deb", $1, $2, $3
				main = main || $2 == release
			}
			END { exit !main }' ||
		printf 'deb %s %s main\n' $DEFAULT_MIRROR $RELEASE
}

debootstrapped() {
	local root tar=$CACHE/$RELEASE-rootfs.tar mirror

	if [ ! -s "$tar" ]; then
		command -v debootstrap >/dev/null || die "no registry to pull Debian from, and no debootstrap to make it: apt-get install debootstrap"
		mirror=$(debian_sources | awk -v release=$RELEASE '$3 == release { print $2; exit }')
		say "making Debian $RELEASE from $mirror by debootstrap (half a minute)" >&2
		mkdir -p "$CACHE"
		root=$(mktemp -d "$CACHE/rootfs.XXXXXX")
		if ! debootstrap --variant=minbase "$RELEASE" "$root" "$mirror" >"$CACHE/debootstrap.log" 2>&1; then
			rm -rf "$root"
			tail -n 5 "$CACHE/debootstrap.log" >&2
			die "debootstrap failed: see $CACHE/debootstrap.log"
		fi
		rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
		tar -C "$root" --numeric-owner -cf "$tar.new" .
		mv "$tar.new" "$tar"
		rm -rf "$root"
	fi
	docker import -c 'CMD ["bash"]' "$tar" flynn/debian:$RELEASE >/dev/null
}

# Says which image everything starts from; pulls or makes it when it is not there.
debian_image() {
	if [ -n "${FLYNN_BASE_IMAGE:-}" ]; then
		image_id "$FLYNN_BASE_IMAGE" >/dev/null || docker pull -q "$FLYNN_BASE_IMAGE" >/dev/null ||
			die "FLYNN_BASE_IMAGE $FLYNN_BASE_IMAGE is neither here nor can it be pulled"
		printf '%s\n' "$FLYNN_BASE_IMAGE"
	elif image_id flynn/debian:$RELEASE >/dev/null; then
		printf 'flynn/debian:%s\n' $RELEASE
	elif [ ! -s "$CACHE/$RELEASE-rootfs.tar" ] && timeout $PULL_TIMEOUT_S docker pull -q debian:$RELEASE-slim >/dev/null 2>&1; then
		docker tag debian:$RELEASE-slim flynn/debian:$RELEASE
		docker rmi debian:$RELEASE-slim >/dev/null
		printf 'flynn/debian:%s\n' $RELEASE
	else
		debootstrapped
		printf 'flynn/debian:%s\n' $RELEASE
	fi
}

# ---- contexts and builds -----------------------------------------------------------------------

# build PART TAG ARG...: build a gathered context, quietly unless it fails.
build() {
	local part=$1 tag=$2 log=$BUILD/images/$1.log

	shift 2
	chmod -R u=rwX,go=rX "$BUILD/images/$part" # as it would be if the tree had been cloned with that umask
	docker build -q --pull=false "$@" -t "$tag" "$BUILD/images/$part" >"$log" 2>&1 && return
	tail -n 30 "$log" >&2
	die "flynn/$part does not build: see $log"
}

# A context holds the image's Dockerfile and, as root/, what goes into it at the same place.
gather() {
	local part=$1 context=$BUILD/images/$1

	rm -rf "$context"
	mkdir -p "$context/root"
	cp -R "docker/$part/." "$context"
}

# A sanitizer's report names functions and lines only of what still has their names.
small() {
	ldd "$1" | grep -q libasan || strip --strip-unneeded "$1"
}

gather_program() {
	install -D -m 755 "$BUILD/bin/$2" "$BUILD/images/$1/root/usr/bin/$2"
	small "$BUILD/images/$1/root/usr/bin/$2"
}

# $image_id[PART] in a manifest becomes that image's id: a tag may move, an id does not.
fill_manifest() {
	local from=$1 to=$2 marker part id script=

	# shellcheck disable=SC2016 # the markers are meant literally
	while read -r marker; do
		part=${marker#*\[}
		part=${part%\]}
		id=$(image_id "flynn/$part") || die "$from names flynn/$part, which is not built"
		script+="s|\\\$image_id\\[$part\\]|$id|g;"
	done < <(grep -o '\$image_id\[[a-z]*\]' "$from" | sort -u)
	mkdir -p "$(dirname "$to")"
	sed "$script" "$from" >"$to"
}

base() {
	local debian lib=$BUILD/images/base/root/usr/lib/flynn

	debian=$(debian_image)
	gather base
	install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$BUILD/images/base/certificates/etc/ssl/certs/ca-certificates.crt" ||
		die "this machine has no CA bundle: apt-get install ca-certificates"
	debian_sources >"$BUILD/images/base/sources.list"
	build base flynn/base:system --target system --build-arg "DEBIAN=$debian"
	[ "$1" = system ] && return
	mkdir -p "$lib"
	install -m 644 "$BUILD/lib/libflynn.so.1" "$lib"
	small "$lib/libflynn.so.1"
	# A sanitized build brings the sanitizers' libraries along.
	ldd "$BUILD/lib/libflynn.so.1" | awk '/lib(asan|ubsan)\./ { print $3 }' | xargs -r install -m 644 -t "$lib"
	build base flynn/base:latest --build-arg "DEBIAN=$debian"
}

# Two at a time: they wait for the mirror more than they compute.
system() {
	local part pids=() pid

	say "Debian's part of the images"
	base system
	for part in "${SYSTEM_IMAGES[@]}"; do
		gather "$part"
		build "$part" "flynn/$part:system" --target system &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || exit
	done
}

# The files of an image that are not programs.
gather_files() {
	case $1 in
	host) fill_manifest host/manifest.json "$BUILD/images/host/root/etc/flynn-host.json" ;;
	bootstrap) fill_manifest bootstrap/manifest.json "$BUILD/images/bootstrap/root/etc/manifest.json" ;;
	slugbuilder)
		mkdir -p "$BUILD/images/slugbuilder/root/usr/share/flynn"
		cp -R slugbuilder/buildpacks "$BUILD/images/slugbuilder/root/usr/share/flynn"
		;;
	esac
}

one() {
	local part=$1 program

	shift
	gather "$part"
	for program in "$@"; do
		[ -x "$BUILD/bin/$program" ] || die "$BUILD/bin/$program is not built: make"
		gather_program "$part" "$program"
	done
	gather_files "$part"
	build "$part" "flynn/$part:latest"
}

all() {
	local line

	system
	say "ours: ${IMAGES[*]%% *}"
	base all
	for line in "${IMAGES[@]}"; do
		# shellcheck disable=SC2086 # a list of words
		one $line
	done
	docker tag flynn/router flynn/strowger
}

# Names first; then what has none any more, earlier builds included.
remove() {
	local names

	names=$(docker images --format '{{.Repository}}:{{.Tag}}' --filter reference='flynn/*' | grep -v '<none>' || true)
	# shellcheck disable=SC2086 # a list of words
	[ -z "$names" ] || docker rmi -f $names >/dev/null
	docker image prune -f --filter label=flynn.image >/dev/null
}

case ${1:-all} in
all | system | remove) "${1:-all}" ;;
*) die "usage: images.sh [system|remove]" ;;
esac
