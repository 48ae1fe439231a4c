#!/bin/bash
# discoverd on a real etcd: services, instances, leaders, sessions, and what happens when either goes away.
. "$(dirname "$0")/lib.sh"

command -v etcd >/dev/null || skip_all "etcd is not installed"

KEY=secret
ETCD_PORT=$(free_port)
ETCD_URL=http://127.0.0.1:$ETCD_PORT
PORT=$(free_port)
PORT2=$(free_port)
DNS_PORT=$(free_port)
RECURSOR_PORT=$(free_port)

etcd_start() {
	start_daemon etcd etcd --name t --data-dir "$TMP/etcd" --listen-client-urls "$ETCD_URL" --advertise-client-urls "$ETCD_URL" \
		--listen-peer-urls http://127.0.0.1:0 --logger zap --log-level error --unsafe-no-fsync
}

# discoverd_start NAME PORT [FLAG...]
discoverd_start() {
	local name=$1 port=$2

	shift 2
	start_daemon "$name" env CLUSTER_KEY=$KEY flynn-discoverd -http-addr "127.0.0.1:$port" -etcd "$ETCD_URL" "$@"
}

# api METHOD PATH [BODY]: the answer's body and, on a line of its own, its status. $AT overrides the port.
api() {
	curl -sS --max-time 8 -u ":$KEY" -X "$1" ${3+-d "$3"} -w '\n%{http_code}\n' "http://127.0.0.1:${AT:-$PORT}$2"
}

# status METHOD PATH [BODY]
status() {
	api "$@" | tail -n 1
}

# same STATUS METHOD PATH [BODY]: for wait_until.
same() {
	local want=$1

	shift
	[ "$(status "$@")" = "$want" ]
}

id_of() {
	printf 'tcp-%s' "$1" | md5sum | cut -d' ' -f1
}

# put SERVICE ADDR [QUERY [META]]: register.
put() {
	status PUT "/services/$1/instances/$(id_of "$2")${3:-}" "{\"addr\":\"$2\",\"proto\":\"tcp\",\"meta\":${4:-null}}"
}

# addrs SERVICE: of its instances, by age.
addrs() {
	api GET "/services/$1/instances" | grep -o '"addr":"[^"]*"' | cut -d'"' -f4 | paste -sd' '
}

leader() {
	api GET "/services/$1/leader" | grep -o '"addr":"[^"]*"' | cut -d'"' -f4
}

# follow FILE PATH: a stream's events into FILE, as long as the test lasts.
follow() {
	: >"$1"
	start_daemon follow curl -sSN -u ":$KEY" -H 'Accept: text/event-stream' -o "$1" "http://127.0.0.1:${AT:-$PORT}$2"
}

# kinds FILE: "up:10.0.0.1:1 leader:10.0.0.1:1 current".
kinds() {
	sed -n 's/^data: //p' "$1" | sed -E 's/.*"kind":"([a-z_]+)"(.*"addr":"([^"]*)")?.*/\1:\3/; s/:$//' | paste -sd' '
}

# heard FILE TEXT: for wait_until.
heard() {
	[ "$(kinds "$1")" = "$2" ]
}

ends_with() {
	[[ "$(kinds "$1")" = *"$2" ]]
}

# etcd_call PATH BODY: etcd's JSON, asked as root.
etcd_call() {
	local token

	token=$(curl -s --max-time 20 "$ETCD_URL/v3/auth/authenticate" -d "{\"name\":\"root\",\"password\":\"$KEY\"}" | grep -o '"token":"[^"]*"' | cut -d'"' -f4)
	curl -sf --max-time 20 -H "Authorization: $token" "$ETCD_URL/v3/kv/$1" -d "$2"
}

# etcd_has N PREFIX: so many keys begin with it, which ends in "/".
etcd_has() {
	local count

	count=$(etcd_call range "{\"key\":\"$(printf %s "$2" | base64)\",\"range_end\":\"$(printf %s0 "${2%/}" | base64)\",\"count_only\":true}") || return
	count=$(grep -o '"count":"[0-9]*"' <<<"$count" | tr -dc 0-9)
	[ "${count:-0}" -eq "$1" ]
}

# A death without warning, and without the shell's obituary.
die_hard() {
	kill -9 "$@"
	wait "$@" 2>/dev/null
}

# ---- before etcd ----------------------------------------------------------------------------

discoverd_start discoverd "$PORT" -dns-addr "127.0.0.1:$DNS_PORT" -recursors "127.0.0.1:$RECURSOR_PORT"
ok "it listens although etcd is away" wait_until 5 "discoverd" listens "$PORT"
is "ping needs no key" "$(curl -s "http://127.0.0.1:$PORT/ping")" ok
is "nothing else is open" "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/services/web/leader")" 401
like "before etcd was read nothing is said to be missing" "$(api GET /services/web/instances)" '"code":"service_unavailable".*"retry":true'
follow "$TMP/early" /services/web
etcd_start
ok "it reads etcd once it is there" wait_until 20 "etcd to be read" same 404 GET /services/web/instances
ok "a stream opened before hears current then" wait_until 5 "current" heard "$TMP/early" current

# ---- services -------------------------------------------------------------------------------

is "a service is created" "$(status PUT /services/web '{"leader_type":"oldest"}')" 200
like "created again it exists" "$(api PUT /services/web)" '"code":"object_exists"'
is "a bad name is refused" "$(status PUT /services/We_b)" 400
is "a bad leader type is refused" "$(status PUT /services/x '{"leader_type":"best"}')" 400
is "an unknown service has no instances" "$(status GET /services/nope/instances)" 404
is "nor a leader" "$(status GET /services/nope/leader)" 404
is "an instance of an unknown service is refused" "$(put nope 10.0.0.1:80)" 404
is "an unknown service cannot be deleted" "$(status DELETE /services/nope)" 404

# ---- instances ------------------------------------------------------------------------------

is "a wrong id is refused" "$(status PUT /services/web/instances/0123 '{"addr":"10.0.0.1:80","proto":"tcp"}')" 400
is "an address without port is refused" "$(status PUT /services/web/instances/0123 '{"addr":"10.0.0.1","proto":"tcp"}')" 400
is "malformed JSON is refused" "$(status PUT /services/web/instances/0123 '{')" 400
follow "$TMP/web" /services/web
ok "an empty service is current at once" wait_until 5 current heard "$TMP/web" current
is "an instance registers" "$(put web 10.0.0.1:80)" 200
is "who registered it reads it" "$(addrs web)" 10.0.0.1:80
is "a second one registers" "$(put web 10.0.0.2:80)" 200
is "by age" "$(addrs web)" "10.0.0.1:80 10.0.0.2:80"
is "the oldest leads" "$(leader web)" 10.0.0.1:80
is "a heartbeat is welcome" "$(put web 10.0.0.1:80)" 200
is "an update too" "$(put web 10.0.0.1:80 '' '{"a":"b"}')" 200
is "it stays the leader" "$(leader web)" 10.0.0.1:80
is "goodbye" "$(status DELETE "/services/web/instances/$(id_of 10.0.0.1:80)")" 200
is "goodbye again" "$(status DELETE "/services/web/instances/$(id_of 10.0.0.1:80)")" 404
is "the next leads" "$(leader web)" 10.0.0.2:80
ok "the stream has heard all that, once" wait_until 5 "events" heard "$TMP/web" \
	"current up:10.0.0.1:80 leader:10.0.0.1:80 up:10.0.0.2:80 update:10.0.0.1:80 down:10.0.0.1:80 leader:10.0.0.2:80"
follow "$TMP/instances" /services/web/instances
follow "$TMP/leader" /services/web/leader
ok "a stream of instances has them alone" wait_until 5 "up" heard "$TMP/instances" up:10.0.0.2:80
ok "a stream of leaders too" wait_until 5 "leader" heard "$TMP/leader" leader:10.0.0.2:80

# ---- meta and manual leaders ----------------------------------------------------------------

is "no meta at first" "$(status GET /services/web/meta)" 404
meta=$(api PUT /services/web/meta '{"data":{"x":[1,2]},"index":0}')
like "meta is created" "$meta" '"data":\{"x":\[1,2\]\}.*"index":[1-9]'
index=$(grep -o '"index":[0-9]*' <<<"$meta" | cut -d: -f2)
is "created again it is there" "$(status PUT /services/web/meta '{"data":1,"index":0}')" 409
is "changed from an old index it is refused" "$(status PUT /services/web/meta '{"data":1,"index":1}')" 412
is "changed from its index it is changed" "$(status PUT /services/web/meta "{\"data\":2,\"index\":$index}")" 200
like "and read" "$(api GET /services/web/meta)" '"data":2'
ok "the stream hears of it" wait_until 5 service_meta ends_with "$TMP/web" "service_meta service_meta"
is "the oldest cannot be chosen" "$(status PUT /services/web/leader "{\"id\":\"$(id_of 10.0.0.2:80)\"}")" 400
status PUT /services/pg '{"leader_type":"manual"}' >/dev/null
put pg 10.0.0.1:5432 >/dev/null
put pg 10.0.0.2:5432 >/dev/null
is "a manual service has no leader by itself" "$(status GET /services/pg/leader)" 404
is "an unknown leader is refused" "$(status PUT /services/pg/leader '{"id":"x"}')" 400
is "a leader is chosen" "$(status PUT /services/pg/leader "{\"id\":\"$(id_of 10.0.0.2:5432)\"}")" 200
is "and leads" "$(leader pg)" 10.0.0.2:5432
is "meta chooses a leader too" "$(status PUT /services/pg/meta "{\"data\":{},\"index\":0,\"leader_id\":\"$(id_of 10.0.0.1:5432)\"}")" 200
is "which leads then" "$(leader pg)" 10.0.0.1:5432
is "a service is deleted" "$(status DELETE /services/pg)" 200
is "with its instances" "$(status GET /services/pg/instances)" 404

# ---- sessions -------------------------------------------------------------------------------

# life SESSION: what a heartbeat tells of it.
life() {
	api PUT "/sessions/$1" '{"ttl_s":2}' | grep -o '"life":"[^"]*"' | cut -d'"' -f4
}

status PUT /services/app >/dev/null
is "a session is created" "$(status PUT /sessions/s1 '{"ttl_s":2}')" 201
is "and refreshed" "$(status PUT /sessions/s1 '{"ttl_s":2}')" 200
is "a bad session id is refused" "$(status PUT /sessions/a.b)" 400
is "a bad TTL is refused" "$(status PUT /sessions/s9 '{"ttl_s":0}')" 400
is "nothing registers under a session that is not there" "$(put app 10.0.0.1:1 '?session=nope')" 404
for port in 1 2 3; do
	put app 10.0.0.1:$port '?session=s1' >/dev/null
done
is "instances share it" "$(addrs app)" "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3"
follow "$TMP/app" /services/app
wait_until 5 current ends_with "$TMP/app" current
is "goodbye of a session" "$(status DELETE /sessions/s1)" 200
is "takes all of its instances" "$(status GET /services/app/instances)" 404
is "and the session" "$(status DELETE /sessions/s1)" 404
is "which can be created again" "$(status PUT /sessions/s1 '{"ttl_s":2}')" 201
is "without what was there before" "$(status GET /services/app/instances)" 404
put app 10.0.0.1:4 '?session=s1' >/dev/null
life=$(life s1)
is "a heartbeat tells the session's life, the same each time" "$(life s1)" "$life"
start=$(now_ms)
ok "an instance whose owner is silent is gone" wait_until 8 "the instance to go" same 404 GET /services/app/instances
took=$(($(now_ms) - start))
ok "after its TTL, not before ($took ms)" [ $took -ge 1500 ]
# Whoever's heartbeat began the session anew, its owner may be told of that by any other.
is "an expired session begins another life" "$(status PUT /sessions/s1 '{"ttl_s":2}')" 201
is "which every heartbeat tells" "$([ "$(life s1)" != "$life" ] && echo other)" other
is "nothing registers in the life that has ended" "$(put app 10.0.0.1:5 "?session=s1&life=$life")" 404
is "but in the new one" "$(put app 10.0.0.1:5 "?session=s1&life=$(life s1)")" 200
status DELETE /sessions/s1 >/dev/null
ok "the dead leave nothing in etcd" wait_until 15 "an empty etcd" etcd_has 0 /discoverd/instances/app/

# ---- a second discoverd ---------------------------------------------------------------------

put web 10.0.0.2:80 >/dev/null # a heartbeat: all that may have taken a while
discoverd_start discoverd2 "$PORT2"
wait_until 10 "the second discoverd" env AT="$PORT2" bash -c "curl -sf -u :$KEY http://127.0.0.1:$PORT2/services/web/leader"
is "it knows what the first was told" "$(AT=$PORT2 addrs web)" 10.0.0.2:80
AT=$PORT2 put web 10.0.0.9:80 >/dev/null
ok "and the other way round" wait_until 5 "10.0.0.9" ends_with "$TMP/web" up:10.0.0.9:80
is "either may say goodbye" "$(AT=$PORT2 status DELETE "/services/web/instances/$(id_of 10.0.0.2:80)")" 200
ok "for all" wait_until 5 "10.0.0.9 to lead" ends_with "$TMP/web" "down:10.0.0.2:80 leader:10.0.0.9:80"

# ---- etcd away ------------------------------------------------------------------------------

AT=$PORT2 status DELETE "/services/web/instances/$(id_of 10.0.0.9:80)" >/dev/null
beat() {
	start_daemon beat bash -c "while sleep 0.4; do curl -s -o /dev/null -u :$KEY -X PUT -d '{\"ttl_s\":3}' http://127.0.0.1:$PORT/sessions/$1; done"
}
status PUT /sessions/s2 '{"ttl_s":3}' >/dev/null
put web 10.0.0.5:80 '?session=s2' >/dev/null
follow "$TMP/away" /services/web
wait_until 5 current ends_with "$TMP/away" current
before=$(kinds "$TMP/away")
beat s2

# shellcheck disable=SC2154 # start_daemon sets it
die_hard "$etcd_pid"
start=$(now_ms)
is "with etcd dead a heartbeat is answered 503" "$(status PUT /sessions/s2 '{"ttl_s":3}')" 503
took=$(($(now_ms) - start))
ok "quickly ($took ms)" [ $took -lt 2500 ]
is "reads go on" "$(addrs web)" 10.0.0.5:80
is "writes are refused" "$(status PUT /services/new)" 503
follow "$TMP/during" /services/web
ok "streams go on" wait_until 5 "a stream" ends_with "$TMP/during" current
etcd_start
ok "after etcd is back all resumes" wait_until 20 "etcd" same 200 PUT /sessions/s2 '{"ttl_s":3}'
is "a write, too" "$(put web 10.0.0.6:80 '?session=s2')" 200
ok "which streams hear of" wait_until 10 "the write" ends_with "$TMP/away" up:10.0.0.6:80
is "nobody was seen to go meanwhile" "$(kinds "$TMP/away")" "$before up:10.0.0.6:80"

# etcd hangs for longer than the TTL, and then finds the lease expired: its owner was heard all the time.
kill -STOP "$etcd_pid"
sleep 4.5 # a TTL and a half
is "with etcd hanging, reads go on" "$(addrs web)" "10.0.0.5:80 10.0.0.6:80"
is "a registration is not answered" "$(put web 10.0.0.7:80 '?session=s2')" 503
is "nor is it taken for none while it may yet come" "$(status DELETE "/services/web/instances/$(id_of 10.0.0.7:80)")" 503
kill -CONT "$etcd_pid"
ok "after that heartbeats succeed again" wait_until 20 "a heartbeat" same 200 PUT /sessions/s2 '{"ttl_s":3}'
sleep 4 # a TTL more, for what would be late
ok "the late one is taken out" wait_until 10 "404" same 404 DELETE "/services/web/instances/$(id_of 10.0.0.7:80)"
is "and nobody else was seen to go" "$(kinds "$TMP/away" | sed 's/ [a-z]*:10.0.0.7:80//g')" "$before up:10.0.0.6:80"

# ---- etcd loses everything --------------------------------------------------------------------

die_hard "$etcd_pid"
rm -rf "$TMP/etcd"
before=$(kinds "$TMP/away")
index=$(api GET /services/web/leader | grep -o '"index":[0-9]*')
etcd_start
# Two instances, their service, meta and session.
ok "etcd comes back empty, and is told what lives" wait_until 20 "the service in etcd" etcd_has 5 /discoverd/
is "instances are as they were" "$(addrs web)" "10.0.0.5:80 10.0.0.6:80"
is "in their order" "$(api GET /services/web/leader | grep -o '"index":[0-9]*')" "$index"
like "the meta too" "$(api GET /services/web/meta)" '"data":2'
is "nobody was seen to go" "$(kinds "$TMP/away" | sed 's/ service_meta$//')" "$before"
is "what had no instances is gone" "$(status PUT /services/app)" 200

# ---- compaction -----------------------------------------------------------------------------

compact() {
	local revision

	revision=$(etcd_call range '{"key":"YQ=="}' | grep -o '"revision":"[0-9]*"' | tr -dc 0-9)
	etcd_call compaction "{\"revision\":$revision}"
}
# shellcheck disable=SC2154
kill -STOP "$discoverd2_pid"
for n in 1 2 3 4 5; do
	put web 10.0.0.6:80 '?session=s2' "{\"n\":\"$n\"}" >/dev/null
done
ok "etcd is compacted" compact
kill -CONT "$discoverd2_pid"
ok "a watch survives compaction" wait_until 15 "the last update" bash -c \
	"curl -s -u :$KEY http://127.0.0.1:$PORT2/services/web/instances | grep -q '\"n\":\"5\"'"

# ---- discoverd away -------------------------------------------------------------------------

# shellcheck disable=SC2154
die_hard "$discoverd_pid" "$discoverd2_pid"
sleep 4 # the lease expires in etcd, and nobody is there to be told
discoverd_start discoverd "$PORT" -dns-addr "127.0.0.1:$DNS_PORT" -recursors "127.0.0.1:$RECURSOR_PORT"
ok "discoverd comes back" wait_until 10 "discoverd" same 200 GET /services/web/leader
is "who was there before has its grace" "$(addrs web)" "10.0.0.5:80 10.0.0.6:80"
follow "$TMP/back" /services/web
sleep 4 # the whole grace
is "an owner that beats keeps its instances" "$(addrs web)" "10.0.0.5:80 10.0.0.6:80"
unlike "without any going down" "$(kinds "$TMP/back")" down
# It stands still for longer than the TTL; its lease has ended in etcd, and heartbeats wait to be read.
kill -STOP "$discoverd_pid"
sleep 5
kill -CONT "$discoverd_pid"
sleep 4
is "nor does it lose them when discoverd stood still" "$(addrs web)" "10.0.0.5:80 10.0.0.6:80"
unlike "not for a moment" "$(kinds "$TMP/back")" down
# shellcheck disable=SC2154
kill "$beat_pid"
ok "and loses them when it stops" wait_until 16 "the end of its grace" same 404 GET /services/web/instances

# ---- DNS ------------------------------------------------------------------------------------

dns() {
	perl "$ROOT/test/dns_ask.pl" "127.0.0.1:$DNS_PORT" "$@" 2>&1
}
put web 10.1.0.1:8001 >/dev/null
put web 10.1.0.2:8002 >/dev/null
is "a service's addresses" "$(dns web.discoverd A | sort | paste -sd' ')" "A 10.1.0.1 A 10.1.0.2 NOERROR"
is "its leader" "$(dns leader.web.discoverd A | paste -sd' ')" "NOERROR A 10.1.0.1"
is "by TCP as well" "$(dns -t leader.WEB.discoverd A | paste -sd' ')" "NOERROR A 10.1.0.1"
like "SRV" "$(dns _web._tcp.discoverd SRV)" "^SRV 1 1 8002 $(id_of 10.1.0.2:8002).web._i.discoverd$"
is "of a protocol that nobody speaks" "$(dns _web._udp.discoverd SRV)" NOERROR
is "one instance" "$(dns "$(id_of 10.1.0.2:8002).web._i.discoverd" A | paste -sd' ')" "NOERROR A 10.1.0.2"
is "no address of that kind" "$(dns web.discoverd AAAA)" NOERROR
is "an unknown service" "$(dns nope.discoverd A)" NXDOMAIN
is "other names fail when no server answers" "$(dns example.com A)" SERVFAIL
start_daemon recursor perl "$ROOT/test/dns_answer.pl" "127.0.0.1:$RECURSOR_PORT" 192.0.2.7
wait_until 5 "the recursor" listens "$RECURSOR_PORT"
is "other names are asked for" "$(dns example.com A | paste -sd' ')" "NOERROR A 192.0.2.7"
is "by TCP as well" "$(dns -t example.com A | paste -sd' ')" "NOERROR A 192.0.2.7"
for n in $(seq 40); do
	put web 10.2.0.1:$((8100 + n)) >/dev/null
done
like "an answer that does not fit says so" "$(dns web.discoverd SRV)" '^TRUNCATED$'
is "and is whole by TCP" "$(dns -t web.discoverd SRV | grep -c SRV)" 42

# ---- the end --------------------------------------------------------------------------------

die_hard "$etcd_pid"
is "recursion never needs etcd" "$(dns example.com A | paste -sd' ')" "NOERROR A 192.0.2.7"
like "metrics" "$(curl -s -u ":$KEY" "http://127.0.0.1:$PORT/metrics")" '^discoverd_instances 42$'
kill -TERM "$discoverd_pid"
wait "$discoverd_pid"
is "SIGTERM ends it in peace" $? 0
unlike "nothing was reported by a sanitizer" "$(cat "$TMP/discoverd.log" "$TMP/discoverd2.log")" 'Sanitizer|runtime error'
fails_with "a bad flag is a usage error" 2 'nonsense' flynn-discoverd -nonsense
fails_with "without a key it does not start" 2 'CLUSTER_KEY is not set' timeout 10 flynn-discoverd -http-addr "127.0.0.1:0" -etcd "$ETCD_URL"
export CLUSTER_KEY=$KEY
fails_with "an address in use is a failure" 1 'listen' timeout 10 flynn-discoverd -http-addr 127.0.0.1:"$RECURSOR_PORT" -etcd "$ETCD_URL"
fails_with "a bad DNS address is a usage error" 2 'is no ip:port' timeout 10 flynn-discoverd -http-addr 127.0.0.1:0 -etcd "$ETCD_URL" -dns-addr nonsense
fails_with "so is a bad recursor" 2 'recursor dns.example.com' timeout 10 flynn-discoverd -http-addr 127.0.0.1:0 -etcd "$ETCD_URL" \
	-dns-addr "127.0.0.1:$DNS_PORT" -recursors dns.example.com
