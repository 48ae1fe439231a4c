"""What routes say: to which instances a request goes by its host and path, and which are answered at once."""

import hashlib
import re
import socket
import threading
import time

from h2_client import H2
from world import Client, Instance, Router, case, free_port, read_request, wait_for


def more(w, host, path, **config):
    """Another route of the host, for a path, to an instance of its own: the instance."""
    w.n += 1
    service, inst = f"part{w.n}-web", Instance()
    w.discoverd.set(service, [inst.addr])
    w.router.route(host, service, path=path, **config)
    return inst


def update(w, route, **config):
    return w.router.call("PUT", "/routes/" + route["id"], {"config": config})


def route_of(w, host, path=""):
    status, route = w.router.call("GET", "/routes/http/" + hashlib.md5((host + path).encode()).hexdigest())
    assert status == 200, (status, route)
    return route


# ---- paths ----------------------------------------------------------------------------------

@case
def longest_path_prefix_wins_at_segment_boundaries(w):
    host, (root,), _ = w.app()
    api, v1 = more(w, host, "/api"), more(w, host, "/api/v1/")
    for path, inst in (("/", root), ("/api", api), ("/api/", api), ("/api/x", api), ("/apix", root), ("/ap", root), ("/api?x=/api/v1", api),
                       ("/api/v1", v1), ("/api/v1/x?y", v1), ("/api/v12", api), ("/x/api/v1", root), ("/API", root), ("/%61pi/x", api),
                       (f"http://{host}/api/v1", v1), (f"http://{host}", root)):
        a = w.get(host, path)
        assert a.status == 200 and a.json["port"] == inst.port, (path, a.status, a.body)
        want = path.removeprefix(f"http://{host}") or "/"
        assert a.json["target"] == want, (path, a.json["target"])  # as it came
    with w.client() as c:  # each request of a connection is looked up
        for path, inst in (("/api", api), ("/", root), ("/api/v1", v1)):
            a = c.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
            assert a.json["port"] == inst.port, path
    a = w.get(host, "*", method="OPTIONS")
    assert a.status == 200 and a.json["port"] == root.port


@case
def path_that_could_slip_to_another_route_is_refused(w):
    host, (root,), _ = w.app()
    api = more(w, host, "/api")
    lonely, (only,), _ = w.app()
    slips = ["/x/../api/secret", "/api/../secret", "/x/%2e%2e/api", "/x/.%2E/api", "/./api", "//api", "/api%2fx", "/api%2F..%2Fx",
             "/x/..%2fapi", "/api;v=1/x", "/x/..;/api", "/x/..\\api", "/%2561pi", "/%252e%252e/../api", "/api%00x", "/api/..", "/api%5c..%5cx"]
    for path in slips:
        with w.client() as c:
            a = c.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
            assert a.status == 400 and b"different routes" in a.body, (path, a.status, a.body)
            # The connection is good for another.
            assert c.send(f"GET /api HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().json["port"] == api.port
        assert w.get(lonely, path).json["target"] == path  # nothing to slip to
    assert not any(r.target in slips for r in root.requests + api.requests)
    # What leads to one route however it is read passes, as it came.
    for path, inst in (("/api/../api/x", api), ("/api/a%2Fb", api), ("/x/./y", root), ("/x//y", root), ("/api/x;v=1", api), ("/x%2fapi", root)):
        a = w.get(host, path)
        assert a.status == 200 and a.json["port"] == inst.port and a.json["target"] == path, (path, a.body)


@case
def host_goes_before_path_and_wildcards_fill_the_gaps(w):
    w.n += 1
    domain = f"gap{w.n}.example.org"
    wild, wild_api = Instance(), None
    w.discoverd.set(f"wild{w.n}", [wild.addr])
    w.router.route(f"*.{domain}", f"wild{w.n}")
    wild_api = more(w, f"*.{domain}", "/api")
    part = more(w, f"a.{domain}", "/x")
    for host, path, inst in (("b", "/", wild), ("b", "/api/z", wild_api), ("a", "/x", part), ("a", "/", wild), ("a", "/api", wild_api),
                             ("c.b", "/api", wild_api)):
        assert w.get(f"{host}.{domain}", path).json["port"] == inst.port, (host, path)
    assert w.get(domain).status == 404
    alone = f"alone.{domain}.com"
    inst = more(w, alone, "/only")
    assert w.get(alone, "/only/x").json["port"] == inst.port and w.get(alone, "/").status == 404


@case
def path_route_has_an_id_of_its_own_and_goes_again(w):
    host, (root,), _ = w.app()
    inst = more(w, host, "/b\u00fccher/")
    path = "/b\u00fccher"
    route = route_of(w, host, path)
    assert route["config"]["path"] == path and route["config"]["domain"] == host
    assert route_of(w, host)["id"] == "http/" + hashlib.md5(host.encode()).hexdigest()
    assert w.get(host, "/b%C3%BCcher/x").json["port"] == inst.port
    status, err = w.router.call("POST", "/routes", {"type": "http", "config": {"domain": host.upper(), "path": path, "service": "x"}})
    assert status == 409 and err["message"] == f"a route for {host}{path} exists already", err
    assert w.router.call("DELETE", "/routes/" + route["id"])[0] == 200
    assert w.get(host, "/b%C3%BCcher/x").json["port"] == root.port


@case
def many_paths_come_and_go_while_requests_run(w):
    host, (root,), _ = w.app()
    for round in range(3):
        insts = {f"/p{i}": more(w, host, f"/p{i}") for i in range(10)}
        for path, inst in insts.items():
            assert w.get(host, path + "/x").json["port"] == inst.port
        for path in insts:
            assert w.router.call("DELETE", "/routes/" + route_of(w, host, path)["id"])[0] == 200
            assert w.get(host, path + "/x").json["port"] == root.port


@case
def certificate_of_a_host_serves_all_its_paths(w):
    cert, key = w.cert("paths.tls.example.com")
    host = "paths.tls.example.com"
    w.discoverd.set("paths-root", [(root := Instance()).addr])
    w.router.route(host, "paths-root", tls_cert=cert, tls_key=key)
    api = more(w, host, "/api")
    for path, inst in (("/", root), ("/api/x", api)):
        with Client(w.router.https, tls={"name": host}) as c:
            assert c.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().json["port"] == inst.port
    # A host whose routes have no certificate is served with that of its wildcard.
    cert, key = w.cert("*.wild.example.com")
    w.router.route("*.wild.example.com", "paths-root", tls_cert=cert, tls_key=key)
    part = more(w, "a.wild.example.com", "/x")
    with Client(w.router.https, tls={"name": "a.wild.example.com"}) as c:
        assert c.send("GET /x HTTP/1.1\r\nHost: a.wild.example.com\r\n\r\n").read_answer().json["port"] == part.port


# ---- leaders --------------------------------------------------------------------------------

@case
def leader_route_leads_to_the_leader_only(w):
    host, insts, service = w.app(None, None, None)
    w.router.route("leader." + host, service, leader=True)
    first, second = insts[0], insts[1]
    assert {w.get("leader." + host).json["port"] for _ in range(20)} == {first.port}
    assert {w.get(host).json["port"] for _ in range(60)} == {i.port for i in insts}
    w.discoverd.lead(service, second.addr)
    wait_for("the new leader to be known", lambda: w.get("leader." + host).json["port"] == second.port)
    assert {w.get("leader." + host).json["port"] for _ in range(20)} == {second.port}
    second.die()
    a = wait_for("it to be dead", lambda: (b := w.get("leader." + host)).status != 200 and b)  # nobody else is asked
    assert a.status == 503 and f"the leader {second.addr} of {service} does not accept connections".encode() in a.body, a.body
    w.discoverd.set(service, [insts[2].addr])
    wait_for("the next leader", lambda: (a := w.get("leader." + host)).status == 200 and a.json["port"] == insts[2].port)


@case
def tcp_route_can_lead_to_the_leader(w):
    insts = [Instance(lambda inst, c, f: c.sendall(b"%d" % inst.port)) for _ in range(3)]
    w.discoverd.set("tcp-leader", [i.addr for i in insts])
    status, route = w.router.call("POST", "/routes", {"type": "tcp", "config": {"port": free_port(), "service": "tcp-leader", "leader": True}})
    assert status == 200 and route["config"]["leader"] is True, route
    for _ in range(10):
        with Client(route["config"]["port"]) as c:
            assert c.f.read() == b"%d" % insts[0].port


# ---- stickiness -----------------------------------------------------------------------------

def cookie_of(a):
    """The value of the cookie that an answer gives, and its attributes."""
    line = a.get("Set-Cookie")
    if line is None:
        return None, None
    value, *rest = line.split("; ")
    assert re.fullmatch("_backend=[0-9a-f]{64}", value), line
    return value, rest


@case
def sticky_client_stays_with_its_instance(w):
    host, insts, service = w.app(None, None, None, sticky=True)
    a = w.get(host)
    value, attributes = cookie_of(a)
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"], attributes
    port = a.json["port"]
    for _ in range(30):
        a = w.get(host, headers=f"Cookie: x=1; {value}; y=2\r\n")
        assert a.json["port"] == port and a.get("Set-Cookie") is None, a.headers
    assert dict(a.json["headers"])["Cookie"] == f"x=1; {value}; y=2"  # as the original: the app sees it
    assert len({w.get(host).json["port"] for _ in range(60)}) == 3  # others are spread
    # Nobody can make one, and another route's is none.
    other, _, _ = w.app(None, None, None, sticky=True)
    forged = value[:-1] + ("0" if value[-1] != "0" else "1")
    zero = "_backend=" + "0" * 64
    for name, line in ((host, forged), (host, zero), (host, "_backend=x"), (other, value)):
        seen = set()
        for _ in range(40):
            a = w.get(name, headers=f"Cookie: {line}\r\n")
            new, _ = cookie_of(a)
            assert a.status == 200 and new not in (None, line)
            seen.add(a.json["port"])
        assert len(seen) == 3, (line, seen)
    # Its instance goes: another, and stays there.
    w.discoverd.set(service, [i.addr for i in insts if i.port != port])
    a = wait_for("it to be sent elsewhere", lambda: (b := w.get(host, headers=f"Cookie: {value}\r\n")).json["port"] != port and b)
    again, _ = cookie_of(a)
    for _ in range(10):
        b = w.get(host, headers=f"Cookie: {again}\r\n")
        assert b.json["port"] == a.json["port"] and b.get("Set-Cookie") is None
    # It comes back: the old cookie is good again.
    w.discoverd.set(service, [i.addr for i in insts])
    wait_for("it to be back", lambda: w.get(host, headers=f"Cookie: {value}\r\n").json["port"] == port)


@case
def sticky_client_moves_when_its_instance_dies(w):
    host, insts, _ = w.app(None, None, sticky=True)
    a = w.get(host)
    value, _ = cookie_of(a)
    next(i for i in insts if i.port == a.json["port"]).die()
    b = wait_for("it to be sent elsewhere", lambda: (c := w.get(host, headers=f"Cookie: {value}\r\n")).json["port"] != a.json["port"] and c)
    assert b.status == 200 and cookie_of(b)[0] is not None


@case
def sticky_cookie_is_the_routes_own(w):
    host, _, _ = w.app(None, None, None, **dict(zip(("tls_cert", "tls_key"), w.cert("sticky.example.com"))))
    w.n += 1
    service, insts = f"part{w.n}-web", [Instance() for _ in range(3)]
    w.discoverd.set(service, [i.addr for i in insts])
    w.router.route(host, service, path="/b\u00fc", sticky=True)
    assert w.get(host).get("Set-Cookie") is None
    a = w.get(host, "/b%C3%BC/x")
    value, attributes = cookie_of(a)
    assert attributes == ["Path=/b%C3%BC", "HttpOnly", "SameSite=Lax"], attributes
    # Another router of the cluster knows it, over TLS, where it is given with Secure.
    r = Router(w.etcd.url, w.discoverd)
    try:
        for _ in range(10):
            with Client(r.http) as c:
                b = c.send(f"GET /b%C3%BC HTTP/1.1\r\nHost: {host}\r\nCookie: {value}\r\n\r\n").read_answer()
                assert b.json["port"] == a.json["port"] and b.get("Set-Cookie") is None, b.headers
        with Client(r.https, tls={"name": host}) as c:
            b = c.send(f"GET /b%C3%BC HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
            assert cookie_of(b)[1] == ["Path=/b%C3%BC", "HttpOnly", "Secure", "SameSite=Lax"], b.headers
    finally:
        assert r.stop() == 0


@case
def switch_of_protocol_is_sticky_too(w):
    def switch(inst, c, f):
        read_request(f)
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n%d" % inst.port)

    host, _, _ = w.app(switch, switch, switch, sticky=True)
    upgrade = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: x\r\n"
    with w.client() as c:
        a = c.send(upgrade + "\r\n").read_answer()
        assert a.status == 101
        value, _ = cookie_of(a)
        port = c.f.read()
    for _ in range(10):
        with w.client() as c:
            a = c.send(upgrade + f"Cookie: {value}\r\n\r\n").read_answer()
            assert a.status == 101 and a.get("Set-Cookie") is None and c.f.read() == port


# ---- answered at once -----------------------------------------------------------------------

@case
def http_is_redirected_to_https(w):
    host, (inst,), _ = w.app(redirect_https=True, **dict(zip(("tls_cert", "tls_key"), w.cert("app.redirect.example.com"))))
    port = w.router.https
    for method, path, status, want in (("GET", "/a%20b/../c?d=e&f", 301, "/a%20b/../c?d=e&f"), ("HEAD", "/", 301, "/"), ("POST", "/x", 308, "/x"),
                                       ("DELETE", "/x", 308, "/x"), ("GET", f"http://{host}?q", 301, "/?q"), ("OPTIONS", "*", 308, "/")):
        a = w.get(host.upper() + ":8080", path, method=method, headers="Content-Length: 0\r\n" if method == "POST" else "")
        assert (a.status, a.get("Location")) == (status, f"https://{host}:{port}{want}"), (method, path, a.line, a.headers)
    assert inst.requests == []
    with Client(w.router.https, tls={"name": host}) as c:
        assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200
    with w.client() as c:  # a connection goes on after it
        for _ in range(3):
            assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 301


@case
def trusted_proxy_says_whether_the_client_came_by_https(w):
    host, (inst,), _ = w.app(redirect_https=True, sticky=True)
    r = Router(w.etcd.url, w.discoverd, "-trusted-proxies", "127.0.0.0/8")
    try:
        def ask(proto):
            with Client(r.http) as c:
                return c.send(f"GET /x HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: {proto}\r\n\r\n").read_answer()

        a = ask("https")
        assert a.status == 200 and cookie_of(a)[1] == ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"], (a.line, a.headers)
        a = ask("http")  # where the proxy has its port for HTTPS is not known but by custom
        assert (a.status, a.get("Location")) == (301, f"https://{host}/x"), a.headers
    finally:
        assert r.stop() == 0
    a = w.get(host, "/x", headers="X-Forwarded-Proto: https\r\n")  # nobody's word
    assert a.status == 301, a.line


@case
def maintenance_page_is_answered_instead(w):
    host, (inst,), _ = w.app()
    route = route_of(w, host)
    assert update(w, route, maintenance=True)[0] == 200
    a = w.get(host)
    assert a.status == 503 and int(a.get("Retry-After")) > 0 and b"down for maintenance" in a.body, (a.headers, a.body)
    assert update(w, route, maintenance_text="We move house until 9.")[0] == 200
    a = w.get(host, headers="Accept: application/json\r\n", method="POST")
    assert a.status == 503 and a.json["message"] == "We move house until 9.", a.body
    assert inst.requests == []
    status, now = update(w, route, maintenance=False)
    assert status == 200 and "maintenance" not in now["config"] and now["config"]["maintenance_text"] == "We move house until 9."
    assert w.get(host).status == 200


@case
def http2_requests_follow_the_same_routes(w):
    host, (root,), _ = w.app()
    api = more(w, host, "/api", sticky=True)
    w.router.route("moved." + host, "x", redirect_https=True)
    w.router.route("shut." + host, "x", maintenance=True)
    with H2(w.router.http) as c:
        assert c.get(host, "/apix?/api").json["port"] == root.port
        s = c.get(host, "/api/x")
        assert s.json["port"] == api.port and re.fullmatch("_backend=[0-9a-f]{64}; Path=/api; HttpOnly; SameSite=Lax", s.get("set-cookie"))
        s = c.get(host, "/api/x", headers=[("cookie", "a=b"), ("cookie", s.get("set-cookie").split(";")[0])])
        assert s.json["port"] == api.port and s.get("set-cookie") is None
        s = c.get(host, "/x/../api")
        assert s.status == 400 and b"different routes" in s.body
        s = c.get("moved." + host, "/a?b")
        assert s.status == 301 and s.get("location") == f"https://moved.{host}:{w.router.https}/a?b"
        s = c.get("shut." + host)
        assert s.status == 503 and s.get("retry-after") is not None


# ---- the API --------------------------------------------------------------------------------

@case
def update_changes_what_it_names_and_keeps_the_rest(w):
    cert, key = w.cert("update.example.com")
    host, _, service = w.app(tls_cert=cert, tls_key=key, sticky=True)
    route = route_of(w, host)
    status, now = update(w, route, leader=True, sticky=False)
    assert status == 200 and now["config"] == {"domain": host, "service": service, "tls_cert": cert.rstrip("\n") + "\n", "leader": True}, now
    assert now["created_at"] == route["created_at"] and now["updated_at"] >= route["updated_at"] and now["id"] == route["id"]
    with Client(w.router.https, tls={"name": host}) as c:  # the key that nobody is shown is still there
        assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200
    inst = Instance()
    w.discoverd.set("moved-web", [inst.addr])
    assert update(w, route, service="moved-web", domain=host.upper(), unknown={"x": 1})[0] == 200
    wait_for("the new service", lambda: w.get(host).json["port"] == inst.port)
    assert update(w, route, tls_cert="", tls_key="")[1]["config"] == {"domain": host, "service": "moved-web", "leader": True}
    for config, why in (({"domain": "other.example.com"}, "add another and remove"), ({"path": "/x"}, "add another and remove"),
                        ({"sticky": "yes"}, "sticky"), ({"tls_cert": cert}, "tls_cert and tls_key are needed both"),
                        ({"service": ""}, "a route needs a service")):
        status, err = update(w, route, **config)
        assert status == 400 and why in err["message"], (config, status, err)
    assert w.router.call("PUT", "/routes/" + route["id"], {"type": "tcp"})[0] == 400
    assert w.router.call("PUT", "/routes/" + route["id"], "nonsense")[0] == 400
    assert w.router.call("PUT", "/routes/http/" + "0" * 32, {"config": {}})[0] == 404
    port = w.router.tcp_route("update-tcp")
    status, now = update(w, port, leader=True)
    assert status == 200 and now["config"] == {"port": port["config"]["port"], "service": "update-tcp", "leader": True}, now
    assert update(w, port, port=1 + now["config"]["port"])[0] == 400


@case
def updates_at_once_do_not_undo_each_other(w):
    host, _, _ = w.app()
    route = route_of(w, host)
    flags = ["sticky", "leader", "redirect_https", "maintenance"] * 5
    done = []
    threads = [threading.Thread(target=lambda f=f: done.append((f, *update(w, route, **{f: True})))) for f in flags]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {status for _, status, _ in done} <= {200, 409}, done
    assert all("changed by somebody else" in err["message"] for _, status, err in done if status == 409), done
    now = route_of(w, host)["config"]
    assert all(now.get(f) is True for f, status, _ in done if status == 200), (now, done)


@case
def wrong_types_are_refused_and_unknown_members_ignored(w):
    good = {"domain": "types.example.com", "service": "types-web"}
    for bad in ({"path": 1}, {"path": "api"}, {"path": "/a//b"}, {"path": "/a/../b"}, {"path": "/a%20b"}, {"path": "/" + "a" * 255}, {"sticky": 1},
                {"leader": "true"}, {"redirect_https": []}, {"maintenance": "yes"}, {"maintenance_text": 5}, {"maintenance_text": "x" * 1025}):
        status, err = w.router.call("POST", "/routes", {"type": "http", "config": dict(good, **bad)})
        name = next(iter(bad))
        assert status == 400 and name in err["message"], (bad, status, err)
    status, route = w.router.call("POST", "/routes", {"type": "http", "config": dict(good, path="/", colour="red", leader=None), "extra": [1]})
    assert status == 200 and route["config"] == good, route
    assert w.router.call("DELETE", "/routes/" + route["id"])[0] == 200


# ---- TCP ports ------------------------------------------------------------------------------

@case
def port_in_use_is_skipped_and_exhaustion_is_said(w):
    ports = [0]
    while ports[-1] - ports[0] != 4:  # in a row, and nobody else's
        ports = [free_port() for _ in range(5)]
    first = ports[0]
    r = Router(w.etcd.url, w.discoverd, "-tcp-range-start", str(first), "-tcp-range-end", str(first + 4))
    taken = []
    try:
        for port in (first, first + 3):  # by other programs
            s = socket.socket()
            s.bind(("0.0.0.0", port))
            s.listen()
            taken.append(s)
        wait_for("it to be ready", lambda: r.call("GET", "/routes")[0] == 200)
        got = sorted(r.tcp_route("range-web")["config"]["port"] for _ in range(3))
        assert got == [first + 1, first + 2, first + 4], (first, got)
        status, err = r.call("POST", "/routes", {"type": "tcp", "config": {"port": 0, "service": "range-web"}})
        assert status == 503 and err["message"].startswith(f"no TCP port from {first} to {first + 4} is free"), (status, err)
        taken.pop().close()
        assert r.tcp_route("range-web")["config"]["port"] == first + 3
    finally:
        for s in taken:
            s.close()
        assert r.stop() == 0


@case
def route_that_is_given_another_service_stays_with_the_old_one_until_the_new_is_known(w):
    """For a second at most; those who come meanwhile are not turned away."""
    host, (old,), _ = w.app()
    new = Instance()
    w.discoverd.stop()
    seen, began = [], time.monotonic()
    change = threading.Thread(target=lambda: w.router.call("PUT", "/routes", {"type": "http", "config": {"domain": host, "service": "late-web"}}))
    change.start()
    while change.is_alive():
        seen.append((w.get(host).status, time.monotonic() - began))
    early = [status for status, after in seen if after < 0.7]
    assert len(early) > 10 and set(early) == {200}, seen
    wait_for("the old one to be relieved", lambda: b"discoverd has not said yet where late-web runs" in w.get(host).body)
    w.discoverd.set("late-web", [new.addr])
    w.discoverd.start()
    wait_for("the new one", lambda: w.get(host).status == 200, 20)
    assert w.get(host).json["port"] == new.port
    # Known at once, it serves at once.
    other, (third,), service = w.app()
    w.router.call("PUT", "/routes", {"type": "http", "config": {"domain": host, "service": service}})
    assert w.get(host).json["port"] == third.port
