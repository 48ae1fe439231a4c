"""What is told of requests: the access log, metrics by route, the last requests and those to come."""

import contextlib
import hashlib
import json
import os
import re
import shlex
import socket
import threading
import time

from h2_client import H2
from world import AUTH, LIMIT, Client, Instance, Router, answer, case, holding, plain, read_request, wait_for


@contextlib.contextmanager
def router(w, *flags, threads=1):
    """Another router, with these flags, on the world's routes."""
    r = Router(w.etcd.url, w.discoverd, *flags, threads=threads)
    try:
        yield r
    finally:
        r.proc.kill()
        r.proc.wait()


def told(r, **query):
    """The last requests, the newest first."""
    status, body = r.call("GET", "/requests?" + "&".join(f"{k}={v}" for k, v in query.items()))
    assert status == 200, (status, body)
    return body


def wait_told(r, n=1, **query):
    """Those, once there are n of them: an answer may be with its client a moment before it is told of."""
    return wait_for(f"{n} requests of {query}", lambda: len(found := told(r, **query)) >= n and found)


def one(r, **query):
    found = wait_told(r, **query)
    assert len(found) == 1, found
    return found[0]


def get(r, host, path="/", headers="", n=1):
    with Client(r.http) as c:
        for _ in range(n):
            a = c.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").read_answer()
    return a


def flood(r, host, n, path="/"):
    """Many requests that no instance sees; all are answered."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    with Client(r.http) as c:
        for i in range(0, n, 100):
            batch = min(100, n - i)
            c.send(request * batch)
            for _ in range(batch):
                assert c.read_answer().status == 404


# ---- what is told of a request --------------------------------------------------------------

@case
def each_field_is_told(w):
    host, (inst,), service = w.app()
    w.discoverd.set(service, [])
    w.discoverd.set(service, [inst.addr], FLYNN_RELEASE_ID="0123456789abcdef0123456789abcdef", FLYNN_APP_ID="x")
    with w.client() as c:
        request = f"POST /a/b?secret=1 HTTP/1.1\r\nHost: {host.upper()}:80\r\nX-Request-Id: 12345678901234567890\r\n"
        ask = lambda: c.send(request + "Content-Length: 5\r\n\r\nhello").read_answer()
        wait_for("the release to be known", lambda: ask() and any("release" in t for t in told(w.router, host=host)))
        n = len(told(w.router, host=host, limit=1000))
        a = ask()
    t = wait_told(w.router, n + 1, host=host, limit=1000)[0]
    for key, value in {"host": host, "method": "POST", "path": "/a/b", "status": 200, "bytes_up": 5, "bytes_down": len(a.body),
                       "instance": inst.addr, "release": "0123456789abcdef0123456789abcdef", "client": "127.0.0.1",
                       "request_id": "12345678901234567890", "protocol": "http/1.1", "tls": False, "retries": 0, "own": False,
                       "whole": True}.items():
        assert t[key] == value, (key, t)
    assert 0 < t["connect_ms"] <= t["first_byte_ms"] <= t["total_ms"] < LIMIT * 1000, t
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", t["time"]), t
    assert "secret" not in json.dumps(t), t


@case
def own_id_is_the_one_that_the_client_got(w):
    host, _, _ = w.app()
    for asked in (host, "nobody." + host):  # of an instance, and of us
        a = w.get(asked)
        assert a.get("X-Request-Id") and one(w.router, host=asked)["request_id"] == a.get("X-Request-Id"), asked


@case
def https_and_ipv6_are_told(w):
    crt, key = w.cert("seen.example.com")
    host, _, _ = w.app(tls_cert=crt, tls_key=key)
    with Client(w.router.https, tls={"name": host}, host="::1") as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
    t = one(w.router, host=host)
    assert t["tls"] and t["client"] == "::1", t


@case
def client_of_a_trusted_proxy_is_told(w):
    host, _, _ = w.app()
    with router(w, "-trusted-proxies", "127.0.0.0/8,10.0.0.0/8") as r:
        for n, (list, want) in enumerate({"192.0.2.7": "192.0.2.7", "6.6.6.6, 192.0.2.7": "192.0.2.7", "192.0.2.7, 10.0.0.1": "192.0.2.7",
                                          "6.6.6.6\r\nX-Forwarded-For: 2001:db8::7 , 10.1.2.3": "2001:db8::7", "10.0.0.1": "10.0.0.1",
                                          "nonsense, 10.0.0.1": "10.0.0.1", "nonsense": "127.0.0.1", "": "127.0.0.1"}.items(), 1):
            get(r, host, headers=f"X-Forwarded-For: {list}\r\n")
            assert wait_told(r, n, host=host)[0]["client"] == want, (list, told(r, host=host)[0])
    w.get(host, path="/own", headers="X-Forwarded-For: 192.0.2.7\r\n")
    assert wait_told(w.router, host=host)[0]["client"] == "127.0.0.1"


@case
def streams_of_http2_are_told_each(w):
    host, (inst,), _ = w.app()
    with H2(w.router.http) as c:
        for i in range(3):
            s = c.get(host, f"/{i}?q=1")
            assert s.status == 200
        assert c.get("none.example.com", "/h2").status == 404
    found = wait_told(w.router, 3, host=host)
    assert [t["path"] for t in found] == ["/2", "/1", "/0"], found
    for t in found:
        assert t["protocol"] == "h2" and t["status"] == 200 and t["whole"] and t["instance"] == inst.addr, t
    assert found[0]["bytes_down"] == len(s.body) and found[0]["request_id"] == s.get("x-request-id"), (found[0], s.headers)
    t = next(t for t in told(w.router, host="none.example.com") if t["path"] == "/h2")
    assert t["status"] == 404 and t["own"] and t["whole"] and t["bytes_down"] > 0, t
    wait_for("the counts", lambda: series(w.router, "requests_total", host=host) == {("2xx",): 3})


@case
def own_answers_are_told_as_such(w):
    host, _, _ = w.app()
    w.get("own.example.com", path="/x")
    t = one(w.router, host="own.example.com")
    assert t["status"] == 404 and t["own"] and t["path"] == "/x" and "instance" not in t and t["whole"], t
    assert t["bytes_down"] == len(w.get("own.example.com", path="/x").body), t
    with w.client() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nbad header\r\n\r\n").read_answer()
    wait_for("the malformed request", lambda: any(t["own"] and "host" not in t for t in told(w.router, status=400)))


@case
def times_follow_what_happened(w):
    def slow(inst, c, f):
        read_request(f)
        time.sleep(0.15)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        time.sleep(0.15)
        c.sendall(b"b")

    host, _, _ = w.app(slow)
    w.get(host)
    t = one(w.router, host=host)
    assert t["connect_ms"] < t["first_byte_ms"] and t["first_byte_ms"] >= 150 and t["total_ms"] >= t["first_byte_ms"] + 149, t


@case
def time_runs_from_the_first_byte_of_the_head(w):
    host, _, _ = w.app()
    with w.client() as c:
        c.send("GET / HTTP/1.1\r\n")
        time.sleep(0.2)
        c.send(f"Host: {host}\r\n\r\n").read_answer()
        c.send(f"GET /second HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
    second, first = wait_told(w.router, 2, host=host)
    assert first["total_ms"] > 190 and second["path"] == "/second", (first, second)


@case
def bodies_are_counted_both_ways(w):
    size = 3000000

    def big(inst, c, f):
        while read_request(f) is not None:
            answer(c, b"x" * size)

    host, _, _ = w.app(big)
    with w.client() as c:
        c.send(f"PUT / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n").send(b"y" * size)
        assert len(c.read_answer().body) == size
    t = one(w.router, host=host)
    assert t["bytes_up"] == size and t["bytes_down"] == size, t


@case
def tries_are_counted(w):
    host, insts, _ = w.app(plain, plain)
    insts[0].stop_listening()

    def tried():
        assert w.get(host).status == 200
        return [t for t in told(w.router, host=host) if t["retries"] > 0]

    t = wait_for("a request that was tried twice", tried)[0]
    assert t["retries"] == 1 and t["instance"] == insts[1].addr and t["status"] == 200, t


@case
def tunnel_is_told_at_its_end(w):
    def echo(inst, c, f):
        read_request(f)
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        while data := c.recv(1000):
            c.sendall(data)

    host, _, _ = w.app(echo)
    with w.client() as c:
        c.send(f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n").read_answer(head_only=True)
        c.send("hello")
        assert c.f.read(5) == b"hello"
        assert told(w.router, host=host) == []
        c.sock.shutdown(socket.SHUT_WR)
        assert c.ended()
    t = one(w.router, host=host)
    assert t["status"] == 101 and t["path"] == "/ws" and t["bytes_up"] == 5 == t["bytes_down"] and t["whole"], t


@case
def tcp_connection_is_told(w):
    def echo(inst, c, f):
        while data := c.recv(1000):
            c.sendall(data)

    inst = Instance(echo)
    w.discoverd.set("tcp-seen", [inst.addr])
    port = w.router.tcp_route("tcp-seen")["config"]["port"]
    wait_for("the port", lambda: not socket.socket().connect_ex(("127.0.0.1", port)))
    with Client(port) as c:
        c.send("hello")
        assert c.f.read(5) == b"hello"
    t = wait_for("the connection", lambda: [t for t in told(w.router, host=f":{port}") if t["bytes_up"] == 5])[0]
    assert f',host=":{port}"' in w.router.call("GET", "/metrics")[1]
    assert t["protocol"] == "tcp" and t["status"] == 0 and t["bytes_down"] == 5 and t["instance"] == inst.addr, t


@case
def what_broke_off_is_told_as_such(w):
    def half(inst, c, f):
        read_request(f)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")

    gone = threading.Event()

    def never(inst, c, f):
        read_request(f)
        gone.wait(LIMIT)

    host, _, _ = w.app(half)
    with w.client() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        c.f.read()
    t = one(w.router, host=host)
    assert t["status"] == 200 and not t["whole"] and t["bytes_down"] == 3, t
    host, (inst,), _ = w.app(never)
    with w.client() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        wait_for("the request", lambda: inst.connections)
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    t = one(w.router, host=host)
    assert t["status"] == 0 and not t["whole"] and "first_byte_ms" not in t, t
    gone.set()


# ---- the last requests ----------------------------------------------------------------------

@case
def newest_come_first_and_filters_hold(w):
    def by_path(inst, c, f):
        while (r := read_request(f)) is not None:
            if r.target == "/slow":
                time.sleep(0.12)
            answer(c, status="500 Oops" if r.target == "/500" else "404 No" if r.target == "/404" else "200 OK")

    host, _, _ = w.app(by_path)
    other, _, _ = w.app()
    for path in ("/1", "/500", "/404", "/slow", "/2"):
        w.get(host, path=path)
        w.get(other, path=path)
    wait_told(w.router, 5, host=host)
    paths = lambda **q: [t["path"] for t in told(w.router, host=host, **q)]
    assert paths() == ["/2", "/slow", "/404", "/500", "/1"], paths()
    assert paths(status="5xx") == ["/500"] and paths(status=404) == ["/404"] and paths(status="3xx") == []
    assert paths(limit=2) == ["/2", "/slow"] and paths(limit=0) == []
    assert paths(slow="100ms") == ["/slow"] == paths(slow="0.1s") and paths(slow="1h2s".replace("1h2s", "9000s")) == []
    assert paths(status="2xx", slow="0.1s") == ["/slow"]
    assert len(told(w.router, limit=7)) == 7
    for query in ("status=9xx", "status=55", "slow=1", "slow=-1s", "slow=nan", "limit=-1", "limit=10001", "limit=x", "host=a%20b"):
        status, body = w.router.call("GET", "/requests?" + query)
        assert status == 400 and query.split("=")[0] in body["message"], (query, status, body)
    assert w.router.call("GET", "/requests", key=None)[0] == 401


@case
def requests_of_an_app_are_those_of_its_routes(w):
    service = "owned-web"
    inst = Instance()
    w.discoverd.set(service, [inst.addr])
    for name, parent in (("a.owned.example.com", "controller/apps/1"), ("*.owned2.example.com", "controller/apps/1"),
                         ("b.owned.example.com", "controller/apps/2")):
        status, _ = w.router.call("POST", "/routes", {"type": "http", "parent_ref": parent, "config": {"domain": name, "service": service}})
        assert status == 200
    for host in ("a.owned.example.com", "x.owned2.example.com", "b.owned.example.com"):
        assert w.get(host).status == 200
    wait_told(w.router, host="b.owned.example.com")
    hosts = lambda app: [t["host"] for t in told(w.router, parent_ref=f"controller/apps/{app}")]
    assert hosts(1) == ["x.owned2.example.com", "a.owned.example.com"] and hosts(2) == ["b.owned.example.com"] and hosts(3) == []
    # So are those to come, of routes that come meanwhile as well.
    f = Follower(w.router, parent_ref="controller/apps/2")
    w.router.call("POST", "/routes", {"type": "http", "parent_ref": "controller/apps/2", "config": {"domain": "c.owned.example.com", "service": service}})
    for host in ("a.owned.example.com", "b.owned.example.com", "c.owned.example.com"):
        wait_for("the route", lambda host=host: w.get(host).status == 200)
    wait_for("both", lambda: {t["host"] for t in f.events} >= {"b.owned.example.com", "c.owned.example.com"})
    assert {t["host"] for t in f.events} == {"b.owned.example.com", "c.owned.example.com"}, f.events
    f.close()


@case
def only_the_last_requests_are_kept(w):
    host, _, _ = w.app()
    with router(w, "-requests", "300") as r:
        for i in range(3):
            for _ in range(4):
                flood(r, f"none{i}.example.com", 500)
        found = wait_told(r, 300, limit=10000)
        assert 300 <= len(found) <= 300 + 400, len(found)
        assert {t["host"] for t in found} == {"none2.example.com"}, found[-1]
        assert get(r, host).status == 200
        assert wait_told(r, 1, host=host)[0]["status"] == 200


@case
def long_texts_are_cut_and_bounded(w):
    long = "h" * 60 + "." + "o" * 60 + "." + "s" * 60 + ".example.com"
    w.get(long, path="/" + "p" * 3000, headers="X-Request-Id: " + "i" * 200 + "\r\n")
    t = wait_told(w.router, host=long)[0]
    assert len(t["host"]) == 100 and long.startswith(t["host"]) and t["path"] == "/" + "p" * (len(t["path"]) - 1), t
    assert t["request_id"] == "i" * 40 and 20 <= len(t["path"]) <= 176, t


@case
def nothing_is_kept_when_it_is_off(w):
    host, _, _ = w.app()
    with router(w, "-requests", "0", "-route-metrics", "off") as r:
        assert get(r, host).status == 200
        status, body = r.call("GET", "/requests")
        assert status == 503 and "-requests 0" in body["message"], body
        assert "flynn_router_route" not in r.call("GET", "/metrics")[1].replace("flynn_router_routes", "")


# ---- those to come --------------------------------------------------------------------------

class Follower:
    """Reads the stream of /requests in a thread."""

    def __init__(self, r, **query):
        self.sock = socket.create_connection(("127.0.0.1", r.api), LIMIT)
        query = "&".join(f"{k}={v}" for k, v in query.items())
        self.sock.sendall(f"GET /requests?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTH}\r\nAccept: text/event-stream\r\n\r\n".encode())
        self.f = self.sock.makefile("rb")
        assert b" 200 " in self.f.readline()
        self.events = []
        threading.Thread(target=self.read, daemon=True).start()
        wait_for("the stream", lambda: self.began)

    began = False

    def read(self):
        with contextlib.suppress(OSError, ValueError):
            for line in self.f:
                if line.startswith(b"data: "):
                    self.events.append(json.loads(line[6:]))
                self.began = self.began or line.startswith(b":")

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


@case
def those_who_follow_hear_of_each_request_once(w):
    host, _, _ = w.app()
    w.get(host, path="/before1")
    w.get(host, path="/before2")
    wait_told(w.router, 2, host=host)
    one, all = Follower(w.router, host=host, limit=1), Follower(w.router)
    none = Follower(w.router, host=host, status="5xx")
    for i in range(100):
        w.get(host, path=f"/{i}")
    # Each worker tells in order of what it had; between them there is none.
    wait_for("all of the host", lambda: len(one.events) == 101)
    assert sorted(t["path"] for t in one.events) == sorted(["/before2"] + [f"/{i}" for i in range(100)]), one.events
    wait_for("all", lambda: len([t for t in all.events if t.get("host") == host]) == 100)
    late = Follower(w.router, host=host, limit=3)
    wait_for("what was before", lambda: len(late.events) == 3)
    assert sorted(t["path"] for t in late.events) == ["/97", "/98", "/99"] and none.events == []
    for f in (one, all, none, late):
        f.close()
    wait_for("the streams' end", lambda: w.router.metric("http_event_streams") == 0)
    w.get(host, path="/after")
    wait_told(w.router, 103, limit=1000, host=host)
    again = Follower(w.router, host=host)
    w.get(host, path="/again")
    wait_for("the one to come", lambda: [t["path"] for t in again.events] == ["/again"])
    again.close()


@case
def who_follows_a_quiet_route_hears_at_once(w):
    host, _, _ = w.app()
    f = Follower(w.router, host=host)
    for i in range(5):
        w.get(host, path=f"/{i}")
        wait_for("it", lambda: len(f.events) == i + 1)
    f.close()


@case
def followers_and_what_they_are_told_at_once_are_bounded(w):
    with router(w) as r:
        flood(r, "much.example.com", 1500)
        wait_told(r, 1500, limit=10000)
        assert len(told(r)) == 100, "unless another limit is asked for"
        f = Follower(r, limit=5000)
        get(r, "last.example.com")
        wait_for("the one to come", lambda: f.events and f.events[-1]["host"] == "last.example.com")
        assert len(f.events) == 1001, len(f.events)
        others = [Follower(r) for _ in range(99)]
        with contextlib.suppress(AssertionError):
            others.append(Follower(r))
        assert len(others) == 99
        others.pop().close()
        wait_for("its place", lambda: r.metric("http_event_streams") == 99)
        others.append(Follower(r))
        for o in [f, *others]:
            o.close()


@case
def who_follows_is_told_what_it_has_missed(w):
    """More than a router keeps may come between two looks."""
    with router(w, "-requests", "1") as r:
        f = Follower(r, host="other.example.com")

        def missed():
            flood(r, "none.example.com", 5000)
            return any(e.keys() == {"requests"} and e["requests"] > 0 for e in f.events)

        wait_for("some to be missed", missed, 60)
        f.close()


@case
def slow_follower_is_cut_off_and_blocks_nobody(w):
    host, _, _ = w.app()
    log = os.path.join(os.environ["TMP"], "router.log")
    with router(w) as r, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", r.api))
        slow.sendall(f"GET /requests HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTH}\r\nAccept: text/event-stream\r\n\r\n".encode())
        quick = Follower(r, host=host)
        wait_for("two streams", lambda: r.metric("http_event_streams") == 2)
        was = open(log).read().count("cut off")

        def cut():
            flood(r, "none.example.com", 2000, "/" + "p" * 100)
            return r.metric("http_event_streams") == 1

        wait_for("it to be cut off", cut, 60)
        assert open(log).read().count('msg="client does not read, cut off"') == was + 1
        assert get(r, host).status == 200
        wait_for("the other to hear", lambda: len(quick.events) == 1)
        quick.close()


# ---- the access log -------------------------------------------------------------------------

def file(name):
    path = os.path.join(os.environ["TMP"], name)
    with contextlib.suppress(OSError):
        os.unlink(path)
    return path


def lines(path):
    """The access log's lines, as dictionaries."""
    if not os.path.exists(path):
        return []
    text = open(path, errors="replace").read()
    return [dict(pair.split("=", 1) for pair in shlex.split(line)) for line in text.split("\n")[:-1] if "msg=request" in line]


@case
def log_has_a_line_for_each_request(w):
    host, (inst,), service = w.app()
    w.discoverd.set(service, [])
    w.discoverd.set(service, [inst.addr], FLYNN_RELEASE_ID="r1")
    path = file("all.log")
    with router(w, "-access-log", "all", "-access-log-to", path) as r:
        wait_for("the release to be known", lambda: get(r, host, "/x") and any("release" in t for t in lines(path)))
        a = get(r, host, "/a=b")
        get(r, host, "/a%20b\\")
        get(r, "none.example.com")
        found = wait_for("the last line", lambda: (found := lines(path)) and found[-1]["status"] == "404" and found)
        first = wait_for("its line", lambda: [line for line in lines(path) if line["path"] == "/a=b"])[0]
        for key, value in {"lvl": "info", "component": "router", "msg": "request", "method": "GET", "path": "/a=b", "bytes_up": "0",
                           "bytes_down": str(len(a.body)), "instance": inst.addr, "release": "r1", "client": "127.0.0.1",
                           "request_id": a.get("X-Request-Id"), "protocol": "http/1.1", "tls": "false"}.items():
            assert first[key] == value, (key, first)
        assert 0 < float(first["connect_ms"]) <= float(first["first_byte_ms"]) <= float(first["total_ms"]), first
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["t"]) and "whole" not in first, first
        assert 'path="/a=b"' in open(path).read()
        assert found[-1]["status"] == "404" and found[-1]["host"] == "none.example.com", found[-1]
        flood(r, "none.example.com", 1000)
        wait_for("all lines", lambda: len(lines(path)) >= len(found) + 1000)
        wait_for("them to be counted", lambda: r.metric("flynn_router_access_log_lines_total") == len(lines(path)))
        assert r.metric("flynn_router_access_log_missed_total") == 0
        other, insts, _ = w.app(plain, plain)
        insts[0].stop_listening()
        wait_for("a second try", lambda: get(r, other).status == 200 and any(line.get("retries") == "1" for line in lines(path)))
        get(r, host, "/last")
        assert r.stop() == 0
        assert lines(path)[-1]["path"] == "/last", "what came before the end is written"


@case
def log_of_errors_has_only_these(w):
    def failing(inst, c, f):
        while (r := read_request(f)) is not None:
            answer(c, status={"/500": "500 Oops", "/404": "404 No"}.get(r.target, "200 OK"))

    host, _, _ = w.app(failing)
    path = file("errors.log")
    with router(w, "-access-log", "errors", "-access-log-to", path) as r:
        for p in ("/1", "/404", "/500", "/2", "/500"):
            get(r, host, p)
        wait_for("two lines", lambda: len(lines(path)) == 2)
        assert r.stop() == 0
    assert [line["status"] for line in lines(path)] == ["500", "500"]


@case
def log_of_some_has_about_as_many(w):
    path = file("some.log")
    with router(w, "-access-log", "1/10", "-access-log-to", path) as r:
        flood(r, "none.example.com", 5000)
        assert r.stop() == 0
    assert 300 < len(lines(path)) < 700, len(lines(path))


@case
def log_is_off_unless_asked_for(w):
    log = os.path.join(os.environ["TMP"], "router.log")
    host, _, _ = w.app()
    assert w.get(host).status == 200
    assert "msg=request " not in open(log).read() and "access_log" not in w.router.call("GET", "/metrics")[1]
    with router(w, "-access-log", "all") as r:
        get(r, host)
        wait_for("a line on standard output", lambda: "msg=request " in open(log).read())


@case
def stalled_reader_of_the_log_blocks_no_request(w):
    host, _, _ = w.app()
    log, path = os.path.join(os.environ["TMP"], "router.log"), file("fifo")
    os.mkfifo(path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with router(w, "-access-log", "all", "-access-log-to", path, "-requests", "0") as r:
        def missed():
            flood(r, "none.example.com", 2000)
            return r.metric("flynn_router_access_log_missed_total")

        wait_for("lines to be lost", missed, 60)
        assert get(r, host).status == 200
        size = r.metric("process_resident_memory_bytes")
        flood(r, "none.example.com", 20000)
        assert r.metric("process_resident_memory_bytes") < size + (4 << 20) or os.environ.get("SAN")  # their own memory grows
        assert "requests are missing in it" not in open(log).read()
        os.set_blocking(fd, True)
        reader = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(fd, 1 << 16), b"")], daemon=True)
        reader.start()
        wait_for("the log to say so", lambda: "requests are missing in it" in open(log).read())
        total = r.metric("flynn_router_answers_total")
        wait_for("all to be told or counted", lambda: r.metric("flynn_router_access_log_lines_total") +
                 r.metric("flynn_router_access_log_missed_total") == total)
        assert r.stop() == 0
        reader.join(LIMIT)
    os.close(fd)


@case
def router_ends_while_nobody_reads_its_log(w):
    path = file("fifo2")
    os.mkfifo(path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with router(w, "-access-log", "all", "-access-log-to", path) as r:
        flood(r, "none.example.com", 3000)
        assert r.stop() == 0
    os.close(fd)


@case
def log_that_was_moved_away_is_begun_anew(w):
    host, _, _ = w.app()
    path = file("moved.log")
    with router(w, "-access-log", "all", "-access-log-to", path) as r:
        get(r, host, "/1")
        wait_for("a line", lambda: len(lines(path)) == 1)
        os.rename(path, path + ".1")

        def begun():
            get(r, host, "/2")
            return os.path.exists(path) and lines(path)

        wait_for("a new file", begun)


@case
def wrong_options_are_refused(w):
    for flags, sentence in ((("-access-log", "1/0"), "-access-log"), (("-access-log", "some"), "none of off, all, errors, 1/N"),
                            (("-access-log", "all", "-access-log-to", "/nonexistent/x"), "/nonexistent/x"),
                            (("-requests", "-1"), "-requests is 0 to"), (("-route-metrics", "maybe"), "on or off")):
        log = os.path.join(os.environ["TMP"], "router.log")
        was = len(open(log).read())
        try:
            with router(w, *flags):
                raise AssertionError(f"it runs with {flags}")
        except AssertionError as e:
            assert "ended at its start" in str(e), e
        assert sentence in open(log).read()[was:], (flags, open(log).read()[was:])


# ---- metrics by route -----------------------------------------------------------------------

def series(r, name, **labels):
    """The values of a metric of a route, by its other labels."""
    found = {}
    for line in r.call("GET", "/metrics")[1].split("\n"):
        m = re.fullmatch(r"flynn_router_route_(\w+)\{(.*)\} (\S+)", line)
        if not m or m[1] != name:
            continue
        own = dict(re.findall(r'(\w+)="([^"]*)"', m[2]))
        if all(own.get(k) == v for k, v in labels.items()):
            found[tuple(v for k, v in own.items() if k not in ("route", "host", "path"))] = float(m[3])
    return found


@case
def requests_are_counted_by_route_and_class(w):
    def by_path(inst, c, f):
        while (r := read_request(f)) is not None:
            answer(c, status={"/3": "302 Found", "/4": "404 No", "/5": "500 Oops"}.get(r.target, "200 OK"))

    host, _, _ = w.app(by_path)
    assert series(w.router, "requests_total", host=host) == {}, "a route without requests has no series"
    for path, n in (("/2", 3), ("/3", 2), ("/4", 1), ("/5", 4)):
        for _ in range(n):
            w.get(host, path=path)
    want = {("2xx",): 3, ("3xx",): 2, ("4xx",): 1, ("5xx",): 4}
    wait_for("the counts", lambda: series(w.router, "requests_total", host=host) == want)
    route = "http/" + hashlib.md5(host.encode()).hexdigest()
    assert series(w.router, "requests_total", route=route) == want
    assert series(w.router, "retries_total", host=host) == {(): 0} and series(w.router, "open", host=host) == {(): 0}
    w.router.route(host, "path-web", path="/a/b")
    w.get(host, path="/a/b/c")
    wait_for("the path", lambda: f'host="{host}",path="/a/b",class="5xx"}} 1\n' in w.router.call("GET", "/metrics")[1])


@case
def times_are_in_their_buckets(w):
    def slow(inst, c, f):
        while (r := read_request(f)) is not None:
            if r.target == "/slow":
                time.sleep(0.11)
            answer(c)

    host, _, _ = w.app(slow)
    for path in ("/", "/", "/slow"):
        w.get(host, path=path)
    wait_for("the count", lambda: series(w.router, "seconds_count", host=host) == {(): 3})
    b = {k[0]: v for k, v in series(w.router, "seconds_bucket", host=host).items()}
    assert list(b) == ["0.005", "0.025", "0.1", "0.25", "0.5", "1", "2.5", "10", "+Inf"], b
    assert list(b.values()) == sorted(b.values()) and b["+Inf"] == 3 and b["0.1"] <= 2, b
    told_ms = sum(t["total_ms"] for t in told(w.router, host=host))
    total = series(w.router, "seconds_sum", host=host)[()]
    assert total >= 0.11 and abs(total - told_ms / 1000) < 0.001, (total, told_ms)


@case
def open_requests_and_tries_are_counted_by_route(w):
    held = threading.Event()
    host, _, _ = w.app(holding(held))
    with w.client() as a, w.client() as b:
        for c in (a, b):
            c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        wait_for("two open", lambda: series(w.router, "open", host=host) == {(): 2})
        held.set()
        assert a.read_answer().status == b.read_answer().status == 200
    wait_for("none open", lambda: series(w.router, "open", host=host) == {(): 0})
    host, insts, _ = w.app(plain, plain)
    insts[0].stop_listening()

    def tried():
        assert w.get(host).status == 200
        return series(w.router, "retries_total", host=host)[()] >= 1

    wait_for("another try", tried)


@case
def counts_outlive_a_change_of_the_route(w):
    host, _, service = w.app()
    for _ in range(3):
        w.get(host)
    other = Instance()
    w.discoverd.set("seen-other", [other.addr])
    for _ in range(3):
        status, _ = w.router.call("PUT", "/routes", {"type": "http", "config": {"domain": host, "service": "seen-other"}})
        assert status == 200
    assert w.get(host).status == 200 and len(other.requests) == 1
    wait_for("the counts", lambda: series(w.router, "requests_total", host=host) == {("2xx",): 4})


@case
def many_routes_have_few_series(w):
    inst = Instance()
    w.discoverd.set("many-web", [inst.addr])
    hosts = [f"m{i}.many.example.com" for i in range(1010)]
    for host in hosts:
        w.router.route(host, "many-web")
    with router(w) as r:
        with Client(r.http) as c:
            for host in hosts + hosts[:900]:
                assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200
        sums = lambda text, name: sum(float(x) for x in re.findall(rf'flynn_router_route_{name}\{{[^}}]*\}} (\S+)', text))
        wait_for("all to be counted", lambda: sums(r.call("GET", "/metrics")[1], "requests_total") == 1910)
        with contextlib.ExitStack() as held:  # one more of each that had the fewest, which does not end
            for host in hosts[900:]:
                held.enter_context(Client(r.http)).send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\n\r\n")
            text = wait_for("those that do not end", lambda: sums(text := r.call("GET", "/metrics")[1], "open") == 110 and text)
    routes = set(re.findall(r'flynn_router_route_open\{route="([^"]*)"', text))
    assert len(routes) == 1000 and "other" in routes, len(routes)
    # Those with the fewest requests are together, and none is lost.
    assert set(re.findall(r'flynn_router_route_open\{[^}]*host="([^"]*)"', text)) >= set(hosts[:900])
    assert sums(text, "seconds_count") == 1910
    assert text.endswith("# EOF\n")
