#!/bin/bash
# flynn-host and an engine that has much to say.
. "$(dirname "$0")/lib.sh"

PORT=$(free_port)
API=http://127.0.0.1:$PORT
STATE=$TMP/state.json
SOCKET=$TMP/engine
ID=h1-$(printf '%032d' 0)

status() {
	curl -fsS -u ":$(jq -r .key "$STATE")" "$API$1"
}

is_ready() {
	[ "$(status /host/status | jq .ready)" = true ]
}

has_failed() {
	[ "$(status "/host/jobs/$ID" | jq -r .status)" = failed ]
}

# An & is six bytes in what the engine says, so that these few jobs are more than 16 MiB.
python3 - "$TMP/containers" <<'END'
import json, sys
env = {"A%d" % i: "&" * 120000 for i in range(8)}
containers = []
for n in range(4):
    job = {"id": "h1-%032d" % (n + 1), "artifact": {"uri": "docker:///flynn/base?tag=latest"}, "config": {"env": env}}
    labels = {"flynn.host": "h1", "flynn.job": job["id"], "flynn.spec": json.dumps(job, separators=(",", ":"))}
    containers.append({"Id": "%064d" % n, "Names": ["/flynn-" + job["id"]], "State": "exited", "Labels": labels})
open(sys.argv[1], "w").write(json.dumps(containers).replace("&", "\\u0026"))
END
start_daemon engine "$ROOT/test/fake_engine.py" "$SOCKET" "$TMP/containers" 20000000
wait_until 5 "the engine" test -S "$SOCKET"
start_daemon host flynn-host -external 127.0.0.1 -id h1 -state "$STATE" -docker "$SOCKET" -manifest "" -http-port "$PORT"
ok "a list of containers of $(($(stat -c %s "$TMP/containers") >> 20)) MiB is read" wait_until 10 "host" is_ready
like "and what is in it" "$(cat "$TMP/host.log")" 'msg=ready .* jobs=4'

curl -sS -o /dev/null -u ":$(jq -r .key "$STATE")" -X PUT "$API/host/jobs/$ID" \
	-d '{"id":"'"$ID"'","artifact":{"uri":"docker:///flynn/large?tag=latest"},"config":{}}'
wait_until 20 "the job" has_failed
like "a pull that tells of its progress for long is one" "$(status "/host/jobs/$ID" | jq -r .error)" 'pulled, and enough of it'
