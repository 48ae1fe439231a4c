#!/bin/bash
# test_routes.sh - flynn route: from the command line by the controller to a router and its clients. PostgreSQL, etcd and
# the router are real, discoverd is a stand-in, the app's instances say who they are.
# shellcheck source=test/lib_controller.sh
. "$(dirname "$0")/lib_controller.sh"

for tool in etcd python3 jq openssl; do
	command -v $tool >/dev/null || skip_all "$tool is not installed"
done

etcd_port=$(free_port) peer_port=$(free_port) d_port=$(free_port) web_port=$(free_port) part_port=$(free_port)
r_http=$(free_port) r_https=$(free_port) r_api=$(free_port) range=$(free_port)

cat >"$TMP/web.py" <<'PY'
import http.server, sys
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{sys.argv[1]} {self.path}\n".encode())
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Web).serve_forever()
PY
start_daemon web python3 "$TMP/web.py" web "$web_port"
start_daemon part python3 "$TMP/web.py" part "$part_port"
start_daemon etcd etcd --data-dir "$TMP/etcd" --log-level error --unsafe-no-fsync --listen-client-urls "http://127.0.0.1:$etcd_port" \
	--advertise-client-urls "http://127.0.0.1:$etcd_port" --listen-peer-urls "http://127.0.0.1:$peer_port" \
	--initial-advertise-peer-urls "http://127.0.0.1:$peer_port" --initial-cluster "default=http://127.0.0.1:$peer_port"
start_daemon discoverd_2 "$ROOT/test/fake_discoverd.pl" "$d_port" "router-api=127.0.0.1:$r_api" "database=127.0.0.1:$pg_port" \
	"one-web=127.0.0.1:$web_port" "one-part=127.0.0.1:$part_port"
for port in "$web_port" "$part_port" "$etcd_port" "$d_port"; do
	wait_until 10 "a part" listens "$port" || die "$(cat "$TMP"/*.log)"
done
start_daemon flynn-router env CLUSTER_KEY=$CLUSTER EXTERNAL_IP=127.0.0.1 PORT="$r_api" DISCOVERD="127.0.0.1:$d_port" \
	ETCD="http://127.0.0.1:$etcd_port" flynn-router -httpaddr "127.0.0.1:$r_http" -httpsaddr "127.0.0.1:$r_https" -threads 1 \
	-tcpip 127.0.0.1 -tcp-range-start "$range" -tcp-range-end $((range + 9))
start_controller controller "$a_port" DISCOVERD="127.0.0.1:$d_port" PGHOST=127.0.0.1 PGPORT="$pg_port"

make_app() {
	curl -sf -m 10 -u ":$AUTH" -H 'Content-Type: application/json' -d "{\"name\":\"$1\"}" "http://127.0.0.1:$a_port/apps" >/dev/null
}

# ask HOST PATH [OPTION...]: what the router answers.
ask() {
	local host=$1 path=$2

	shift 2
	curl -s -m 10 "$@" -H "Host: $host" "http://127.0.0.1:$r_http$path"
}

answers() {
	[ "$(ask "$1" "$2")" = "$3" ]
}

route() {
	flynn -a one route "$@"
}

wait_until 20 "the controller" make_app one || die "$(cat "$TMP"/*.log)"
ok "another app" make_app two
ok "flynn knows the cluster" flynn cluster add local "http://127.0.0.1:$a_port" $AUTH

# ---- added --------------------------------------------------------------------------------------

plain=$(route add http www.test.local)
is "route add http prints the id" "$plain" "http/$(printf www.test.local | md5sum | cut -d ' ' -f 1)"
ok "it leads to the app" wait_until 5 "the route" answers www.test.local /api/x "web /api/x"
part=$(flynn -a one route-add-http --path /api/ -s one-part --sticky --leader www.test.local)
is "a path is part of the id" "$part" "http/$(printf www.test.local/api | md5sum | cut -d ' ' -f 1)"
is "the path leads to its service" "$(ask www.test.local /api/x)" "part /api/x"
is "and nothing else" "$(ask www.test.local /apix)" "web /apix"
fails_with "a path that exists" 1 'a route for www\.test\.local/api exists already' flynn -a one route add --path /api www.test.local
fails_with "a path that is none" 1 'path: "api" is no path prefix' flynn -a one route add http --path api www.test.local
fails_with "an option that is none" 2 'usage: flynn .*route add http' flynn -a one route add http --frobnicate www.test.local
fails_with "one of another command" 2 'usage: flynn .*route add http' flynn -a one route add http --no-sticky www.test.local
fails_with "a port for HTTP" 2 'usage: flynn .*route add http' flynn -a one route add http -p 3000 www.test.local

tcp=$(route add tcp --leader)
like "route add tcp prints the port, of the range" "$tcp" "^tcp/[0-9a-f]{32} listening on port (${range%?}[0-9]|$((${range%?} + 1))[0-9])$"
fails_with "a port that is in use" 1 "$web_port" flynn -a one route add tcp --port "$web_port"
fails_with "a port that is none" 2 '"x" is no port: write a number from 1 to 65535' flynn -a one route add tcp --port x

# ---- listed -------------------------------------------------------------------------------------

list=$(route)
like "the list has heads" "$list" '^ROUTE +SERVICE +ID +OPTIONS$'
like "a plain route" "$list" "^http:www\\.test\\.local +one-web +$plain\$"
like "one with a path and options" "$list" "^http:www\\.test\\.local/api +one-part +$part +sticky,leader\$"
like "a TCP route" "$list" "^tcp:${tcp##* } +one-web +${tcp%% *} +leader\$"
unlike "no line ends in blanks" "$list" ' $'
is "the columns are aligned" "$(grep -ob ' one-' <<<"$list" | wc -l)" 4
is "--json is JSON" "$(route --json | jq -r '.[] | select(.id == "'"$part"'") | .config | [.path, .sticky, .leader] | @csv')" '"/api",true,true'
is "another app has its own" "$(flynn -a two route --json | jq length)" 1

# ---- changed ------------------------------------------------------------------------------------

is "route update" "$(route update --no-sticky --maintenance --maintenance-text 'We move house.' "$part")" "Route $part updated."
like "its requests are told so" "$(ask www.test.local /api -i)" '^HTTP/1.1 503 '
like "in these words" "$(ask www.test.local /api)" '^We move house\.$'
is "others are not" "$(ask www.test.local /)" "web /"
like "route lists it" "$(route)" "$part +leader,maintenance\$"
ok "route-update, options behind the id" flynn -a one route-update "$part" --no-maintenance --no-leader
is "it is back" "$(ask www.test.local /api)" "part /api"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=www.test.local -addext subjectAltName=DNS:www.test.local \
	-keyout "$TMP/key.pem" -out "$TMP/cert.pem" 2>/dev/null
ok "a certificate" flynn -a one route update -c "$TMP/cert.pem" -k "$TMP/key.pem" --redirect-https "$plain"
like "route lists it as https" "$(route)" "^https:www\\.test\\.local +one-web +$plain +redirect-https\$"
like "HTTP is sent there" "$(ask www.test.local '/a?b' -i | tr -d '\r')" "^Location: https://www\\.test\\.local:$r_https/a\\?b\$"
is "HTTPS is served" "$(curl -s -m 10 --cacert "$TMP/cert.pem" --resolve "www.test.local:$r_https:127.0.0.1" "https://www.test.local:$r_https/a")" "web /a"
is "the key is not shown" "$(route --json | grep -c 'PRIVATE')" 0
ok "and is kept by another change" flynn -a one route update --sticky "$plain"
is "so that HTTPS is served" "$(curl -s -m 10 --cacert "$TMP/cert.pem" --resolve "www.test.local:$r_https:127.0.0.1" "https://www.test.local:$r_https/a")" "web /a"
ok "certificates may be got by themselves" flynn -a one route update --auto-tls "$plain"
like "which a certificate of one's own goes before" "$(route)" "^https:www\\.test\\.local +one-web +$plain +[a-z-]*,redirect-https,auto-tls:own\$"
ok "no certificate any more" flynn -a one route update --no-tls --no-redirect-https "$plain"
like "it is http" "$(route)" "^http:www\\.test\\.local +one-web +$plain +sticky\$"
ok "another service" flynn -a one route update -s one-part "$plain"
ok "serves it" wait_until 5 "the service" answers www.test.local / "part /"

fails_with "nothing to change" 2 'usage: flynn .*route update' flynn -a one route update "$plain"
fails_with "no route" 2 'usage: flynn .*route update' flynn -a one route update --sticky
fails_with "a domain" 2 'usage: flynn .*route update' flynn -a one route update --path /x "$plain"
fails_with "an id that is none" 1 'is no route id' flynn -a one route update --sticky www.test.local
fails_with "a route that is not there" 1 'does not exist' flynn -a one route update --sticky http/00000000000000000000000000000000
fails_with "another app's route" 1 "route $plain of app two does not exist" flynn -a two route update --sticky "$plain"
fails_with "which cannot be removed either" 1 "route $plain of app two does not exist" flynn -a two route remove "$plain"
fails_with "a certificate without its key" 1 'come together' flynn -a one route update -c "$TMP/cert.pem" "$plain"
fails_with "a certificate and none" 1 'contradict' flynn -a one route update --no-tls -c "$TMP/cert.pem" -k "$TMP/key.pem" "$plain"
fails_with "stickiness of TCP" 1 'a TCP route has a service and may lead to its leader only' flynn -a one route update --sticky "${tcp%% *}"
ok "a TCP route may change its leader" flynn -a one route update --no-leader "${tcp%% *}"
like "and has none then" "$(route)" "^tcp:${tcp##* } +one-web +${tcp%% *}\$"

# ---- removed ------------------------------------------------------------------------------------

is "route remove" "$(route remove "$part")" "Route $part removed."
is "its path is the domain's again" "$(ask www.test.local /api)" "part /api"
is "route-remove" "$(flynn -a one route-remove "$plain")" "Route $plain removed."
like "and is gone" "$(ask www.test.local /)" 'no route leads from www\.test\.local'
