#!/bin/bash
# shelf: blobs over HTTP, kept whole through broken uploads, kill -9 and full disks.
. "$(dirname "$0")/lib.sh"

KEY=secret
PORT=$(free_port)
URL=http://127.0.0.1:$PORT

shelf_start() {
	start_daemon shelf env CLUSTER_KEY=$KEY flynn-shelf -http-addr "127.0.0.1:$PORT" -dir "$TMP/data" "$@"
	wait_until 5 "shelf" listens "$PORT"
}

# Its own file system, when we may mount one.
shelf_start_small() {
	start_daemon shelf env CLUSTER_KEY=$KEY unshare -m sh -c "mount -t tmpfs -o size=8m none '$TMP/small' &&
		exec flynn-shelf -http-addr 127.0.0.1:$PORT -dir '$TMP/small'"
	wait_until 5 "shelf" listens "$PORT"
}

# A death without warning, and without the shell's obituary.
die_hard() {
	kill -9 "$@"
	wait "$@" 2>/dev/null
}

# at PATH [CURL OPTION...]
at() {
	local path=$1

	shift
	curl -sS --max-time 30 --path-as-is -u ":$KEY" "$@" "$URL$path"
}

# status PATH [CURL OPTION...]
status() {
	at "$@" -o /dev/null -w '%{http_code}'
}

# header NAME PATH [CURL OPTION...]: its value.
header() {
	local name=$1

	shift
	at "$@" -o /dev/null -D - | tr -d '\r' | sed -n "s/^$name: //Ip" | tail -n 1
}

hash_of() {
	sha256sum | cut -d' ' -f1
}

uploads() {
	find "$TMP/data/tmp" -type f | wc -l
}

# sig METHOD-CLASS PATH
sig() {
	printf '%s%s' "$1" "$(printf '%s %s' "$1" "$2" | openssl dgst -sha256 -hmac $KEY -r | cut -d' ' -f1)"
}

shelf_start
head -c 3000000 /dev/urandom >"$TMP/blob"
HASH=$(hash_of <"$TMP/blob")

# ---- put, get, head, delete -------------------------------------------------------------------

is "ping needs no key" "$(curl -s "$URL/ping")" ok
is "blobs do" "$(curl -s -o /dev/null -w '%{http_code}' "$URL/a")" 401
is "a blob that is not there" "$(status /slugs/a.tgz)" 404
is "is put" "$(status /slugs/a.tgz -T "$TMP/blob" -H 'Content-Type: application/gzip')" 200
is "and got" "$(at /slugs/a.tgz | hash_of)" "$HASH"
is "with its type" "$(header Content-Type /slugs/a.tgz)" application/gzip
is "its hash for a tag" "$(header ETag /slugs/a.tgz -I)" "\"$HASH\""
is "its length" "$(header Content-Length /slugs/a.tgz -I)" 3000000
is "a blob of unknown length is put" "$(status /b -T - <"$TMP/blob")" 200
is "and got" "$(at /b | hash_of)" "$HASH"
is "an empty one too" "$(status /empty -T /dev/null)" 200
is "replaced" "$(status /b -X PUT -d new)" 200
is "it is the new one" "$(at /b)" new
is "spaces and umlauts" "$(status '/a%20b/%C3%A4' -X PUT -d x)" 200
is "are in listings" "$(at '/?dir=/')" '["/a b/","/b","/empty","/slugs/"]'
is "as are folders" "$(at '/?dir=/slugs')" '["/slugs/a.tgz"]'
is "a folder that is not there is empty" "$(at '/?dir=/nope')" '[]'
is "deleted" "$(status /b -X DELETE)" 200
is "it is gone" "$(status /b)" 404
is "deleted again" "$(status /b -X DELETE)" 200
is "other methods" "$(status /b -X POST -d x)" 405

# ---- ranges and conditions --------------------------------------------------------------------

is "a part" "$(at /slugs/a.tgz -r 1000-1999 | hash_of)" "$(tail -c +1001 "$TMP/blob" | head -c 1000 | hash_of)"
is "is 206" "$(status /slugs/a.tgz -r 1000-1999)" 206
is "and says which" "$(header Content-Range /slugs/a.tgz -r 1000-1999)" "bytes 1000-1999/3000000"
is "the end" "$(at /slugs/a.tgz -r -10 | hash_of)" "$(tail -c 10 "$TMP/blob" | hash_of)"
is "beyond the end" "$(status /slugs/a.tgz -r 3000000-)" 416
is "says the length" "$(header Content-Range /slugs/a.tgz -r 3000000-)" "bytes */3000000"
is "several parts are all of it" "$(status /slugs/a.tgz -r 0-1,5-6)" 200
is "If-None-Match" "$(status /slugs/a.tgz -H "If-None-Match: \"$HASH\"")" 304
is "If-Modified-Since" "$(status /slugs/a.tgz -z "$(header Last-Modified /slugs/a.tgz)")" 304
is "If-Range of another" "$(status /slugs/a.tgz -r 0-1 -H 'If-Range: "x"')" 200

# ---- who may ----------------------------------------------------------------------------------

anybody() {
	curl -sS --max-time 10 -o /dev/null -w '%{http_code}' "$@"
}
is "a URL signed for reading reads" "$(anybody "$URL/slugs/a.tgz?sig=$(sig r /slugs/a.tgz)")" 200
is "and does not write" "$(anybody -X PUT -d x "$URL/slugs/a.tgz?sig=$(sig r /slugs/a.tgz)")" 401
is "nor read others" "$(anybody "$URL/empty?sig=$(sig r /slugs/a.tgz)")" 401
is "a URL signed for writing writes" "$(anybody -X PUT -d x "$URL/new?sig=$(sig w /new)")" 200
is "and reads" "$(anybody "$URL/new?sig=$(sig w /new)")" 200
is "and does not delete" "$(anybody -X DELETE "$URL/new?sig=$(sig w /new)")" 401
is "a forged one does nothing" "$(anybody "$URL/new?sig=r$(printf '0%.0s' {1..64})")" 401
is "a listing wants the key" "$(anybody "$URL/?dir=/")" 401

# ---- bad paths --------------------------------------------------------------------------------

echo outside >"$TMP/outside"
for path in /../outside /../../outside /..%2foutside /%2e%2e/outside /a/../../outside /a//b /a/ /./a /%00 /a%0ab /%ff; do
	like "$path is refused" "$(status "$path")" '^40[04]$'
	like "$path is not written" "$(status "$path" -X PUT -d bad)" '^400$'
done
is "nothing was written outside" "$(cat "$TMP/outside")" outside
like "the refusal says why" "$(at /a//b)" '"code":"invalid","message":"a path.s parts must not be empty'
like "a name that is too long is refused" "$(at "/$(printf 'x%.0s' {1..300})" -X PUT -d x)" 'too long'
is "part of a blob cannot be put" "$(status /new -X PUT -d x -H 'Content-Range: bytes 0-0/5')" 400

# ---- broken uploads and crashes ---------------------------------------------------------------

# A client that promises 1000 bytes and sends 3, then waits for us.
hang() {
	exec 4<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'PUT /new HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Length: 1000\r\n\r\nabc' \
		"$(printf ':%s' $KEY | base64)" >&4
}
under_way() {
	[ "$(uploads)" -eq "$1" ]
}
hang
ok "an upload is under way" wait_until 5 "an upload" under_way 1
is "readers see what was there" "$(at /new)" x
exec 4>&-
ok "its client gone, it leaves nothing" wait_until 5 "its end" under_way 0
is "readers see what was there still" "$(at /new)" x
hang
wait_until 5 "an upload" under_way 1
# shellcheck disable=SC2154 # start_daemon sets it
die_hard "$shelf_pid"
exec 4>&-
is "kill -9 in an upload leaves its file" "$(uploads)" 1
shelf_start
is "until the next start" "$(uploads)" 0
is "what was there is there" "$(at /new)" x
is "all of it" "$(at /slugs/a.tgz | hash_of)" "$HASH"

many() {
	local pids=()

	for _ in {1..8}; do
		at /many -T "$TMP/blob" &
		pids+=($!)
	done
	wait "${pids[@]}"
}
ok "many write one blob at once" many
is "and one of them has won" "$(at /many | hash_of)" "$HASH"

# ---- memory -----------------------------------------------------------------------------------

head -c 300000000 /dev/zero >"$TMP/large"
is "300 MB are put" "$(status /large -T "$TMP/large")" 200
is "and got" "$(at /large | hash_of)" "$(hash_of <"$TMP/large")"
peak=$(awk '/VmHWM/ { print $2 }' "/proc/$shelf_pid/status")
if nm -D "$(command -v flynn-shelf)" | grep __asan >/dev/null; then
	note "peak memory under a sanitizer: $peak kB"
else
	ok "in little memory ($peak kB at most)" [ "$peak" -lt 20000 ]
fi
rm "$TMP/large"
like "metrics" "$(at /metrics)" '^shelf_received_bytes_total [0-9]{9}$'

# ---- the end ----------------------------------------------------------------------------------

kill -TERM "$shelf_pid"
wait "$shelf_pid"
is "SIGTERM ends it in peace" $? 0

# ---- limits -----------------------------------------------------------------------------------

shelf_start -max-size 1K
is "a blob may not be larger than -max-size" "$(status /big -T "$TMP/blob")" 413
is "nor grow larger" "$(status /big -T - <"$TMP/blob")" 413
is "and leaves nothing" "$(uploads)" 0
die_hard "$shelf_pid"

mkdir "$TMP/small"
if unshare -m true 2>/dev/null; then
	shelf_start_small
	head -c 20000000 /dev/zero >"$TMP/large"
	is "a disk with room" "$(status /fits -T "$TMP/blob")" 200
	like "one that has too little is 507 before a byte is sent" "$(at /large -T "$TMP/large")" '"code":"no_space","message":"the disk is full: the blob has 20000000 bytes, and only [0-9]+ are free; make room'
	like "and 507 when it fills up" "$(at /large -T - -w ' %{http_code}' <"$TMP/large")" '"code":"no_space".*No space left on device.* 507$'
	is "what was there is there" "$(at /fits | hash_of)" "$HASH"
	is "what failed is not" "$(status /large)" 404
	is "and took nothing" "$(status /again -T "$TMP/blob")" 200
	die_hard "$shelf_pid"
else
	note "not allowed to mount: a full disk is not tried"
fi
unlike "nothing was reported by a sanitizer" "$(cat "$TMP/shelf.log")" 'Sanitizer|runtime error'
fails_with "without a key it does not start" 2 'CLUSTER_KEY is not set' flynn-shelf -dir "$TMP/data" -http-addr "127.0.0.1:$PORT"
export CLUSTER_KEY=$KEY
fails_with "a bad size is a usage error" 2 'max-size must be' flynn-shelf -max-size many -dir "$TMP/data" -http-addr "127.0.0.1:$PORT"
fails_with "a folder that cannot be is an error" 1 'store in /dev/null' flynn-shelf -dir /dev/null -http-addr "127.0.0.1:$PORT"
fails_with "a bad flag is a usage error" 2 'nonsense' flynn-shelf -nonsense
