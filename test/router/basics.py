"""What the router does, seen from outside: by its clients, its instances, its API."""

import email.utils
import hashlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import warnings

from world import (LIMIT, SLOW, Client, Discoverd, Etcd, Instance, Router, answer, case, free_port, listens, plain, read_head,
                   read_request, wait_for, without_body)


# ---- requests and answers -------------------------------------------------------------------

@case
def keep_alive_serves_many_requests_on_one_connection_each_side(w):
    host, (inst,), _ = w.app()
    with w.client() as c:
        for i in range(50):
            a = c.send(f"GET /{i} HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
            assert a.status == 200 and a.json["target"] == f"/{i}", a.json
    assert inst.connections == 1, inst.connections


@case
def host_is_matched_without_port_and_case(w):
    host, _, _ = w.app()
    for name in (host, host.upper(), host + ":80", host + ":443", host + "."):
        assert w.get(name).status == 200, name


@case
def headers_are_added_and_hop_by_hop_ones_removed(w):
    host, (inst,), _ = w.app()
    before = int(time.time() * 1000)
    a = w.get(host, headers="X-Forwarded-For: 1.2.3.4\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 3\r\n"
              "X-Request-Id: 12345678901234567890\r\nX-Forwarded-Proto: https\r\nX-Custom: kept\r\n")
    h = {k.lower(): v for k, v in a.json["headers"]}
    assert h["x-forwarded-for"] == "1.2.3.4, 127.0.0.1", h
    assert h["x-forwarded-proto"] == "http" and h["x-forwarded-port"] == str(w.router.http), h
    assert h["x-request-id"] == "12345678901234567890" == a.get("X-Request-Id"), h
    assert before - 1000 <= int(h["x-request-start"]) <= before + 5000, h
    assert h["x-custom"] == "kept" and "x-hop" not in h and "keep-alive" not in h and "connection" not in h, h
    ids = [dict(w.get(host, headers=f"X-Request-Id: {i}\r\n").json["headers"])["X-Request-Id"] for i in ("short", "x" * 201)]
    assert all(re.fullmatch("[0-9a-f]{32}", i) for i in ids) and ids[0] != ids[1], ids


@case
def instance_is_told_by_via_what_came_and_the_client_when(w):
    host, _, _ = w.app()
    with w.client() as c:
        for version in ("1.0", "1.1"):
            a = c.send(f"GET / HTTP/{version}\r\nHost: {host}\r\nConnection: keep-alive\r\nVia: 1.1 first\r\n\r\n").read_answer()
            assert [v for k, v in a.json["headers"] if k.lower() == "via"] == ["1.1 first", f"{version} flynn"], a.json
            when = email.utils.parsedate_to_datetime(a.get("Date")).timestamp()
            assert abs(when - time.time()) < 60, a.get("Date")


@case
def own_date_of_an_instance_stands(w):
    def dated(inst, c, f):
        while (r := read_request(f)) is not None:
            inst.requests.append(r)
            c.sendall(b"HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n")

    host, _, _ = w.app(dated)
    a = w.get(host)
    assert [v for k, v in a.headers if k.lower() == "date"] == ["Sun, 06 Nov 1994 08:49:37 GMT"], a.headers


@case
def hops_are_counted_for_options_and_trace(w):
    host, (inst,), _ = w.app()
    for method, n, want in (("OPTIONS", "2", "1"), ("TRACE", "1", "0"), ("GET", "0", "0")):
        a = w.get(host, method=method, headers=f"Max-Forwards: {n}\r\n")
        assert a.status == 200 and dict(a.json["headers"])["Max-Forwards"] == want, (method, a.body)
    before = len(inst.requests)
    a = w.get(host, method="OPTIONS", headers="Max-Forwards: 0\r\n")
    assert a.status == 200 and a.body == b"" and "OPTIONS" in a.get("Allow"), (a.status, a.body, a.headers)
    a = w.get(host, method="TRACE", headers="Max-Forwards: 0\r\n")
    assert a.status == 405 and b"Max-Forwards is 0" in a.body, (a.status, a.body)
    assert len(inst.requests) == before


@case
def ipv6_clients_are_served_and_named(w):
    host, _, _ = w.app()
    with Client(w.router.http, host="::1") as c:
        a = c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
    assert dict(a.json["headers"])["X-Forwarded-For"] == "::1", a.json


@case
def pipelined_requests_are_answered_in_order(w):
    host, _, _ = w.app()
    n = 100
    with w.client() as c:
        c.send("".join(f"GET /{i} HTTP/1.1\r\nHost: {host}\r\n\r\n" if i % 3 else
                       f"POST /{i} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello" for i in range(n)))
        assert [c.read_answer().json["target"] for _ in range(n)] == [f"/{i}" for i in range(n)]


@case
def pipelined_requests_go_to_the_hosts_they_name(w):
    one, two = w.app()[0], w.app()[0]
    with w.client() as c:
        c.send(f"GET /1 HTTP/1.1\r\nHost: {one}\r\n\r\nGET / HTTP/1.1\r\nHost: none.example.com\r\n\r\n"
               f"GET /2 HTTP/1.1\r\nHost: {two}\r\n\r\n")
        answers = [c.read_answer() for _ in range(3)]
        assert [a.status for a in answers] == [200, 404, 200]
        assert dict(answers[2].json["headers"])["Host"] == two


@case
def instances_are_sent_to_without_pacing(w):
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
        choice = f.read().strip()
    host, (inst,), _ = w.app()
    with w.client() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
        ours = subprocess.run(["ss", "-tinH", "dport", "=", f":{inst.port}"], check=True, capture_output=True, text=True).stdout.split()
    if choice == "bbr":
        assert "bbr" not in ours and {"cubic", "reno"} & set(ours), ours
    else:
        assert choice in ours, ours


@case
def bodies_pass_with_a_length(w):
    host, (inst,), _ = w.app()
    for size in (0, 1, 1000, 70000, 3000000):
        with w.client() as c:
            body = os.urandom(size)
            c.send(f"PUT / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n").send(body)
            assert c.read_answer().json["length"] == size
            assert inst.requests[-1].body == body


@case
def chunked_bodies_pass_both_ways(w):
    def echo(inst, c, f):
        while (r := read_request(f)) is not None:
            pieces = [r.body[i:i + 7000] for i in range(0, len(r.body), 7000)]
            answer(c, b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\nX-Trailer: 1\r\n\r\n",
                   framing="Transfer-Encoding: chunked\r\n")

    host, _, _ = w.app(echo)
    with w.client() as c:
        for size in (0, 1, 100, 200000):
            body = os.urandom(size)
            c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n")
            for i in range(0, size, 1234):
                c.send(b"%x;ext=1\r\n%s\r\n" % (len(body[i:i + 1234]), body[i:i + 1234]))
            c.send(b"0\r\n\r\n")
            a = c.read_answer()
            assert a.status == 200 and a.body == body, (a.status, size, len(a.body))


@case
def chunked_answer_reaches_an_old_client_bare(w):
    def chunks(inst, c, f):
        read_request(f)
        answer(c, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", framing="Transfer-Encoding: chunked\r\n")

    host, _, _ = w.app(chunks)
    with w.client() as c:
        a = c.send(f"GET / HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n").read_answer()
        assert a.body == b"abcde" and a.get("Transfer-Encoding") is None and a.get("Connection") == "close"


@case
def old_client_may_keep_its_connection(w):
    host, _, _ = w.app()
    with w.client() as c:
        for _ in range(3):
            a = c.send(f"GET / HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n").read_answer()
            assert a.get("Connection") == "keep-alive"
        a = c.send(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n").read_answer()
        assert a.get("Connection") == "close" and c.ended()


@case
def answer_that_lasts_until_the_end_passes(w):
    def until_end(inst, c, f):
        read_request(f)
        answer(c, b"x" * 300000, framing="")

    host, _, _ = w.app(until_end)
    with w.client() as c:
        a = c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
        assert len(a.body) == 300000 and a.get("Connection") == "close"


@case
def head_204_and_304_have_no_body(w):
    host, (inst,), _ = w.app(without_body)
    with w.client() as c:
        for method, path in (("HEAD", "/"), ("GET", "/304"), ("GET", "/204"), ("GET", "/")):
            a = c.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer(head_only=method == "HEAD")
            assert a.status == {"/304": 304, "/204": 204}.get(path, 200)
            assert method != "HEAD" or a.get("Content-Length") == "12345"
        assert a.body == b"ok" and inst.connections == 1


@case
def continue_is_passed_on(w):
    def careful(inst, c, f):
        while (head := read_head(f)) is not None:
            assert ("Expect", "100-continue") in head[1]
            c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert f.read(5) == b"hello"
            answer(c, b"thanks")

    host, _, _ = w.app(careful)
    with w.client() as c:
        c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert c.read_answer().status == 100
        assert c.send("hello").read_answer().body == b"thanks"


@case
def early_answer_arrives_and_ends_the_connection(w):
    def refuse(inst, c, f):
        read_head(f)
        answer(c, b"too much", "413 Content Too Large")
        time.sleep(0.2)

    host, _, _ = w.app(refuse)
    with w.client() as c:
        c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000000\r\n\r\n").send(b"x" * 100000)
        a = c.read_answer()
        assert a.status == 413 and a.body == b"too much" and a.get("Connection") == "close"


@case
def body_and_answer_may_flow_at_once(w):
    def echo(inst, c, f):
        read_head(f)
        c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (size := int(f.readline(), 16)) > 0:
            c.sendall(b"%x\r\n%s\r\n" % (size, f.read(size)))
            f.read(2)
        c.sendall(b"0\r\n\r\n")

    host, _, _ = w.app(echo)
    with w.client() as c:
        c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert read_head(c.f)[0].endswith("200 OK")
        for word in (b"one", b"two", b"three"):
            c.send(b"%x\r\n%s\r\n" % (len(word), word))
            assert c.f.readline() and c.f.readline() == word + b"\r\n"
        c.send(b"0\r\n\r\n")
        assert c.f.read() == b"0\r\n\r\n"


@case
def events_pass_at_once(w):
    go = threading.Event()

    def events(inst, c, f):
        read_head(f)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for i in range(3):
            c.sendall(b"data: %d\n\n" % i)
            assert go.wait(LIMIT)
            go.clear()

    host, _, _ = w.app(events)
    with w.client() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        read_head(c.f)
        for i in range(3):
            assert c.f.readline() == b"data: %d\n" % i and c.f.readline() == b"\n"
            go.set()


@case
def client_that_ends_its_side_gets_its_answer(w):
    def slow(inst, c, f):
        read_request(f)
        time.sleep(0.2)
        answer(c, b"late")

    host, _, _ = w.app(slow)
    with w.client() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        c.sock.shutdown(socket.SHUT_WR)
        assert c.read_answer().body == b"late" and c.ended()


@case
def slow_reader_gets_all_and_costs_little_memory(w):
    size = 50000000

    def big(inst, c, f):
        read_request(f)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        block = bytes(range(256)) * 4096
        for i in range(0, size, len(block)):
            c.sendall(block[:size - i])

    host, _, _ = w.app(big)
    before = rss(w)
    with w.client() as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        read_head(c.f)
        time.sleep(0.3)
        assert rss(w) - before < 2000 * SLOW * SLOW, (before, rss(w))
        got = 0
        while got < size:
            data = c.f.read(min(1 << 20, size - got))
            assert data and data[0] == got % 256
            got += len(data)


def rss(w):
    """KiB."""
    with open(f"/proc/{w.router.proc.pid}/statm") as f:
        return int(f.read().split()[1]) * 4


# ---- upgrades and tunnels -------------------------------------------------------------------

def switch(headers):
    def do(inst, c, f):
        r = read_request(f)
        inst.requests.append(r)
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\n" + headers + b"\r\n")
        while data := f.read1(65536):
            c.sendall(data.upper())
        c.sendall(b"<bye>")

    return do


@case
def upgrade_becomes_a_tunnel_with_half_close(w):
    host, (inst,), _ = w.app(switch(b"Upgrade: websocket\r\nConnection: Upgrade\r\n"))
    with w.client() as c:
        c.send(f"GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        a = c.read_answer()
        assert a.status == 101 and a.get("Upgrade") == "websocket" and a.get("Connection") == "Upgrade", a.headers
        assert inst.requests[0].get("Upgrade") == "websocket" and inst.requests[0].get("Connection") == "Upgrade"
        c.send("hello")
        assert c.f.read(5) == b"HELLO"
        c.send("x" * 1000000)
        assert len(c.f.read(1000000)) == 1000000
        c.sock.shutdown(socket.SHUT_WR)
        assert c.f.read() == b"<bye>"


@case
def switch_unasked_becomes_a_tunnel_as_the_original_attach_needs(w):
    host, (inst,), _ = w.app(switch(b"Content-Length: 0\r\n"), **dict(zip(("tls_cert", "tls_key"), w.cert("attach.example.com"))))
    body = '{"cmd":["cat"]}'
    request = (f"POST /apps/x/jobs HTTP/1.1\r\nHost: {host}:443\r\nAccept: application/vnd.flynn.attach\r\n"
               f"Content-Length: {len(body)}\r\n\r\n{body}")
    for tls in (None, {"name": host}):
        with Client(w.router.https if tls else w.router.http, tls=tls) as c:
            c.send(request)
            a = c.read_answer()
            assert a.status == 101 and a.get("Content-Length") == "0" and a.get("Connection") is None, a.headers
            c.send("stdin")
            assert c.f.read(5) == b"STDIN"
            # The end of input is a bare FIN, also under TLS.
            os_sock = socket.socket(fileno=os.dup(c.sock.fileno()))
            os_sock.shutdown(socket.SHUT_WR)
            os_sock.close()
            assert c.f.read() == b"<bye>"


@case
def bytes_sent_before_the_switch_arrive(w):
    host, _, _ = w.app(switch(b"Upgrade: x\r\nConnection: Upgrade\r\n"))
    with w.client() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nearly")
        assert c.read_answer().status == 101 and c.f.read(5) == b"EARLY"


@case
def tcp_route_carries_bytes_both_ways(w):
    def tcp(inst, c, f):
        c.sendall(b"hello from %d\n" % inst.port)
        while data := f.read1(65536):
            c.sendall(data[::-1])
        c.sendall(b"<end>")

    inst = Instance(tcp)
    w.discoverd.set("tcp-echo", [inst.addr])
    port = free_port()
    route = w.router.tcp_route("tcp-echo", port)
    assert route["id"].startswith("tcp/") and route["config"]["port"] == port
    with Client(port) as c:
        assert c.f.readline() == b"hello from %d\n" % inst.port
        assert c.send("abc").f.read(3) == b"cba"
        c.sock.shutdown(socket.SHUT_WR)
        assert c.f.read() == b"<end>"
    assert w.router.call("DELETE", "/routes/" + route["id"])[0] == 200
    wait_for("the port to close", lambda: not listens(port))
    # The same port again, at once.
    w.router.tcp_route("tcp-echo", port)
    with Client(port) as c:
        assert c.f.readline().startswith(b"hello")


@case
def tcp_route_tries_another_instance_or_closes(w):
    dead = f"127.0.0.1:{free_port()}"
    live = Instance(lambda inst, c, f: c.sendall(b"live"))
    port = free_port()
    w.discoverd.set("tcp-half", [dead, live.addr])
    w.router.tcp_route("tcp-half", port)
    for _ in range(20):
        with Client(port) as c:
            assert c.f.read() == b"live"
    for addrs in ([dead], []):
        w.discoverd.set("tcp-half", addrs)
        wait_for("the connection to end", lambda: ends(port))


def ends(port):
    try:
        with Client(port) as c:
            return c.ended()
    except ConnectionError:
        return True


@case
def tcp_port_is_allocated(w):
    route = w.router.tcp_route("tcp-any")
    assert 3000 <= route["config"]["port"] <= 3500
    other = w.router.tcp_route("tcp-any")
    assert 3000 <= other["config"]["port"] <= 3500 and other["id"] != route["id"]


@case
def a_route_that_is_asked_for_once_more_is_the_same(w):
    def ask(once, **config):
        kind = "http" if "domain" in config else "tcp"
        return w.router.call("POST", "/routes", {"type": kind, "parent_ref": "controller/apps/x", "once": once, "config": {"service": "x", **config}})

    def at_once(once, **config):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(ask(once, **config))) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert {status for status, _ in answers} == {200} and len({r["id"] for _, r in answers}) == 1, answers
        return answers[0][1]

    for config in ({"port": 0}, {"domain": "once.example.com"}):
        once = f"once-{list(config)[0]}"
        route = at_once(once, **config)
        assert "once" not in route and ask(once, **config) == (200, route)
        status, other = ask(once + "-other", **config)
        assert status == 409 if "domain" in config else other["id"] != route["id"], other
        w.router.call("DELETE", "/routes/" + route["id"])


@case
def tcp_port_of_others_is_refused(w):
    taken = socket.socket()
    taken.bind(("0.0.0.0", 0))
    taken.listen()
    for port in (taken.getsockname()[1], w.router.http, w.router.https, w.router.api):
        status, err = w.router.call("POST", "/routes", {"type": "tcp", "config": {"port": port, "service": "x"}})
        assert status == 409 and err["code"] == "conflict", (port, status, err)
    taken.close()


# ---- TLS ------------------------------------------------------------------------------------

@case
def sni_chooses_the_certificate(w):
    names = []
    for n in ("one", "two"):
        name = f"{n}.tls.example.com"
        cert, key = w.cert(name)
        host_service = f"tls-{n}"
        inst = Instance()
        w.discoverd.set(host_service, [inst.addr])
        w.router.route(name, host_service, tls_cert=cert, tls_key=key)
        names.append((name, cert, inst))
    for name, cert, inst in names + names:
        with Client(w.router.https, tls={"name": name.upper()}) as c:
            assert ssl.DER_cert_to_PEM_cert(c.sock.getpeercert(True)).split() == cert.split()
            for _ in range(2):
                a = c.send(f"GET / HTTP/1.1\r\nHost: {name}:443\r\n\r\n").read_answer()
                h = dict(a.json["headers"])
                assert a.json["port"] == inst.port and h["X-Forwarded-Proto"] == "https", a.json
                assert h["X-Forwarded-Port"] == str(w.router.https)


@case
def tls_without_a_route_of_that_name_is_refused(w):
    host, _, _ = w.app()
    for name in (None, "nobody.example.com", host):  # the last has no certificate
        try:
            Client(w.router.https, tls={"name": name})
        except ssl.SSLError as e:
            assert "UNRECOGNIZED_NAME" in str(e), e
        else:
            raise AssertionError(f"a handshake for {name} succeeded")


@case
def tls_resumes_and_speaks_1_2_and_1_3(w):
    cert, key = w.cert("resume.example.com")
    host, _, _ = w.app()
    w.discoverd.set("resume", [Instance().addr])
    w.router.route("resume.example.com", "resume", tls_cert=cert, tls_key=key)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        ctx = ssl.create_default_context()
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        ctx.minimum_version = ctx.maximum_version = version
        ctx.set_alpn_protocols(["spdy/1", "http/1.1"])
        session = None
        for reused in (False, True):
            s = ctx.wrap_socket(socket.create_connection(("127.0.0.1", w.router.https), LIMIT),
                                server_hostname="resume.example.com", session=session)
            s.sendall(b"GET / HTTP/1.1\r\nHost: resume.example.com\r\n\r\n")
            assert s.recv(12) == b"HTTP/1.1 200"
            assert s.session_reused == reused and s.selected_alpn_protocol() == "http/1.1", (version, reused)
            # The cheapest, whichever the client would rather have.
            assert "AES_128_GCM" in s.cipher()[0].replace("AES128-GCM", "AES_128_GCM"), s.cipher()
            session = s.session
            s.close()
    ctx = ssl.create_default_context()
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ctx.minimum_version, ctx.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    ctx.set_ciphers("ALL:@SECLEVEL=0")
    try:
        ctx.wrap_socket(socket.create_connection(("127.0.0.1", w.router.https), LIMIT), server_hostname="resume.example.com")
    except (ssl.SSLError, ConnectionError):
        return
    raise AssertionError("TLS 1.1 was spoken")


@case
def big_bodies_pass_tls_both_ways(w):
    def echo(inst, c, f):
        while (r := read_request(f)) is not None:
            answer(c, r.body)

    cert, key = w.cert("big.example.com")
    w.discoverd.set("big", [Instance(echo).addr])
    w.router.route("big.example.com", "big", tls_cert=cert, tls_key=key)
    body = os.urandom(5000000)
    with Client(w.router.https, tls={"name": "big.example.com"}) as c:
        c.send(f"PUT / HTTP/1.1\r\nHost: big.example.com\r\nContent-Length: {len(body)}\r\n\r\n").send(body)
        assert c.read_answer().body == body


@case
def bad_certificates_are_refused_with_a_sentence(w):
    one, two = w.cert("one.tls.example.com"), w.cert("two.tls.example.com")
    for config, why in (({"tls_cert": "nonsense", "tls_key": one[1]}, "tls_cert is no certificate"),
                        ({"tls_cert": one[0], "tls_key": "nonsense"}, "tls_key is no private key"),
                        ({"tls_cert": one[0], "tls_key": two[1]}, "tls_key is not the key of tls_cert"),
                        ({"tls_cert": one[0]}, "both, or neither"),
                        ({"tls_cert": one[0] + "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n",
                          "tls_key": one[1]}, "broken certificate")):
        status, err = w.router.call("POST", "/routes", {"type": "http", "config": dict(config, domain="bad.example.com", service="x")})
        assert status == 400 and why in err["message"], (status, err)


# ---- what is refused ------------------------------------------------------------------------

REFUSED = [
    ("both lengths", "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("two lengths", "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
    ("two equal lengths", "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400),
    ("a list of lengths", "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 4, 4\r\n\r\nabcd", 400),
    ("a signed length", "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: +4\r\n\r\nabcd", 400),
    ("a hex length", "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 0x4\r\n\r\nabcd", 400),
    ("a huge length", "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
    ("space before a colon", "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length : 4\r\n\r\nabcd", 400),
    ("a folded line", "POST / HTTP/1.1\r\nHost: {h}\r\nX: a\r\n b\r\n\r\n", 400),
    ("a folded coding", "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    ("an unknown coding", "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    ("a list of codings", "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    ("two codings", "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    ("a coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("a vertical tab in a coding", "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    ("a bare CR", "GET / HTTP/1.1\r\nHost: {h}\r\nX: a\rb\r\n\r\n", 400),
    ("a bare LF", "GET / HTTP/1.1\nHost: {h}\n\n", 400),
    ("a NUL", "GET / HTTP/1.1\r\nHost: {h}\r\nX: a\0b\r\n\r\n", 400),
    ("no host", "GET / HTTP/1.1\r\n\r\n", 400),
    ("an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("two hosts", "GET / HTTP/1.1\r\nHost: {h}\r\nHost: other\r\n\r\n", 400),
    ("a host with a path", "GET / HTTP/1.1\r\nHost: {h}/x\r\n\r\n", 400),
    ("a host with a user", "GET / HTTP/1.1\r\nHost: user@{h}\r\n\r\n", 400),
    ("no version", "GET /\r\n\r\n", 400),
    ("HTTP/2.0 in words", "GET / HTTP/2.0\r\nHost: {h}\r\n\r\n", 505),
    ("a relative target", "GET x HTTP/1.1\r\nHost: {h}\r\n\r\n", 400),
    ("two spaces", "GET  / HTTP/1.1\r\nHost: {h}\r\n\r\n", 400),
    ("CONNECT", "CONNECT {h}:443 HTTP/1.1\r\nHost: {h}:443\r\n\r\n", 405),
    ("a header without a name", "GET / HTTP/1.1\r\nHost: {h}\r\n: x\r\n\r\n", 400),
    ("a long target", "GET /" + "x" * 9000 + " HTTP/1.1\r\nHost: {h}\r\n\r\n", 414),
    ("a long header", "GET / HTTP/1.1\r\nHost: {h}\r\nX: " + "x" * 9000 + "\r\n\r\n", 431),
    ("many headers", "GET / HTTP/1.1\r\nHost: {h}\r\n" + "".join(f"X{i}: 1\r\n" for i in range(200)) + "\r\n", 431),
    ("a huge head", "GET / HTTP/1.1\r\nHost: {h}\r\n" + "".join(f"X{i}: {'x' * 4000}\r\n" for i in range(10)) + "\r\n", 431),
    ("a bad chunk size", "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ("a negative chunk size", "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
    ("a chunk size with LF only", "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400),
    ("a chunk that is too long", "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400),
    ("a huge chunk size", "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", 400),
    ("a LF in a chunk's extension", "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n", 400),
]


@case
def ambiguous_requests_are_refused_and_never_forwarded(w):
    host, (inst,), _ = w.app()
    for what, text, status in REFUSED:
        before = len(inst.requests)
        with w.client() as c:
            # The second request must not be taken for one of ours: the connection ends.
            c.send(text.replace("{h}", host) + f"GET /smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n")
            a = c.read_answer()
            assert a.status == status, (what, a.line, a.body)
            assert c.ended(), what
        assert len(inst.requests) == before, what
        assert w.get(host).status == 200, what


@case
def bad_chunk_behind_a_good_one_ends_both_sides(w):
    host, (inst,), _ = w.app()
    with w.client() as c:
        c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        time.sleep(0.1)
        c.send("zz\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        assert c.read_answer().status == 400 and c.ended()
    assert not inst.requests
    assert w.get(host).status == 200


@case
def slow_head_is_cut_with_408(w):
    with w.client() as c:
        began = time.monotonic()
        c.send("GET / HTTP/1.1\r\nHost: x\r\n")
        while time.monotonic() - began < 1.5:
            c.send("X: 1\r\n")
            time.sleep(0.2)
        a = c.read_answer()
        assert a.status == 408 and 1.5 < time.monotonic() - began < 4, (a.status, time.monotonic() - began)
        assert c.ended()


@case
def head_byte_by_byte_is_understood(w):
    host, _, _ = w.app()
    with w.client() as c:
        for byte in f"GET /slow HTTP/1.1\r\nHost: {host}\r\n\r\n".encode():
            c.send(bytes([byte]))
            time.sleep(0.002)
        assert c.read_answer().json["target"] == "/slow"


@case
def body_that_ends_early_is_no_request(w):
    host, (inst,), _ = w.app()
    with w.client() as c:
        c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\nabc")
        c.sock.shutdown(socket.SHUT_WR)
        assert c.read_answer().status == 400 and c.ended()
    assert not inst.requests


# ---- instances that fail --------------------------------------------------------------------

@case
def no_route_says_so(w):
    a = w.get("nowhere.example.com")
    assert a.status == 404 and b"no route leads from nowhere.example.com" in a.body
    assert a.get("Content-Type") == "text/plain; charset=UTF-8"
    a = w.get("nowhere.example.com", headers="Accept: application/json\r\n")
    assert a.json == {"code": "not_found", "message": "no route leads from nowhere.example.com to an app"}
    a = w.get("nowhere.example.com", method="HEAD")
    assert a.status == 404 and int(a.get("Content-Length")) > 10 and a.get("Cache-Control") == "no-store"
    with w.client() as c:  # nothing of a page stands before the next answer
        for _ in range(2):
            a = c.send("HEAD / HTTP/1.1\r\nHost: nowhere.example.com\r\n\r\n").read_answer(head_only=True)
            assert a.status == 404, a.line


@case
def no_instance_says_so(w):
    host, (inst,), service = w.app()
    w.discoverd.set(service, [])
    wait_for("the instance to be forgotten", lambda: w.get(host).status == 503)
    a = w.get(host, headers="Accept: application/json\r\n")
    assert a.json["code"] == "unavailable" and f"no instance of {service} runs: it is scaled to 0" in a.json["message"], a.json
    w.discoverd.set(service, [inst.addr])
    wait_for("the instance to be known", lambda: w.get(host).status == 200)


@case
def instances_that_refuse_are_passed_over(w):
    host, (live,), service = w.app()
    dead = [f"127.0.0.1:{free_port()}" for _ in range(5)]
    w.discoverd.set(service, [*dead, live.addr])
    time.sleep(0.1)
    for i in range(30):
        a = w.get(host, method="POST", headers="Content-Length: 0\r\n")
        assert a.status == 200, (i, a.body)
    w.discoverd.set(service, dead[:1])
    wait_for("all instances to be gone", lambda: w.get(host).status == 503)
    assert f"{dead[0]} of {service} does not accept connections".encode() in w.get(host).body
    w.discoverd.set(service, dead)
    wait_for("the other sentence", lambda: b"5 instances of" in w.get(host).body)


@case
def body_goes_to_the_instance_that_accepts(w):
    host, (live,), service = w.app()
    w.discoverd.set(service, [*[f"127.0.0.1:{free_port()}" for _ in range(5)], live.addr])
    time.sleep(0.1)
    for size in (10, 50000):
        body = os.urandom(size)
        for _ in range(5):
            with w.client() as c:
                c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n").send(body)
                assert c.read_answer().status == 200 and live.requests[-1].body == body


@case
def killed_instance_costs_no_request(w):
    host, insts, service = w.app(plain, plain, plain)
    stop, statuses = threading.Event(), []

    def load():
        while not stop.is_set():
            statuses.append(w.get(host).status)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for t in threads:
        t.start()
    time.sleep(0.3)
    before = len(statuses)
    insts[0].die()  # discoverd does not know yet
    wait_for("requests after that", lambda: len(statuses) > before + 100)
    stop.set()
    for t in threads:
        t.join()
    # Connections that had a request under way at that moment may fail with 502, one a thread.
    bad = [s for s in statuses if s != 200]
    assert len(bad) <= 4 and set(bad) <= {502}, bad
    assert statuses[-20:] == [200] * 20


@case
def kept_connection_that_closed_is_replaced(w):
    def one_shot(inst, c, f):
        r = read_request(f)
        if r is None:
            return
        inst.requests.append(r)
        answer(c, str(len(inst.requests)).encode())
        # As if it were kept, but the next request finds it closed.
        next_one = read_head(f)
        if next_one is not None:
            inst.closed_on = getattr(inst, "closed_on", 0) + 1

    host, (inst,), _ = w.app(one_shot)
    for i in range(10):
        a = w.get(host)
        assert a.status == 200 and a.body == str(i + 1).encode(), (a.status, a.body)
    # Not safe to be sent twice: it fails rather than being done twice.
    with w.client() as c:
        a = c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\n\r\nx").read_answer()
        assert a.status in (200, 502)


@case
def instance_that_says_nothing_is_a_502(w):
    host, (inst,), service = w.app(lambda inst, c, f: read_request(f))
    a = w.get(host)
    assert a.status == 502 and f"{inst.addr} of {service} closed the connection without an answer".encode() in a.body


BAD_ANSWERS = [
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\nX: y\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
]


@case
def bad_answer_is_a_502(w):
    for text in BAD_ANSWERS:
        def bad(inst, c, f):
            read_request(f)
            c.sendall(text)
            c.shutdown(socket.SHUT_WR)
            f.read()

        host, _, _ = w.app(bad)
        with w.client() as c:
            c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            while (a := c.read_answer()).status == 100:
                pass
            assert a.status == 502, (text[:60], a.line)


@case
def answer_that_breaks_off_is_seen_to(w):
    for framing, body in (("Content-Length: 100\r\n", b"abc"), ("Transfer-Encoding: chunked\r\n", b"5\r\nab")):
        def broken(inst, c, f):
            read_request(f)
            answer(c, body, framing=framing)
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            time.sleep(0.05)

        host, _, _ = w.app(broken)
        with w.client() as c:
            c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            assert read_head(c.f)[0].endswith("200 OK")
            try:
                rest = c.f.read()
            except ConnectionResetError:
                continue
            assert rest in (body, b""), rest


@case
def unasked_bytes_never_become_an_answer(w):
    def chatty(inst, c, f):
        while read_request(f) is not None:
            answer(c, b"ok" + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", framing="Content-Length: 2\r\n")

    host, _, _ = w.app(chatty)
    for _ in range(5):
        assert w.get(host).body == b"ok"


@case
def instance_that_does_not_answer_is_a_504(w):
    def silent(inst, c, f):
        read_request(f)
        time.sleep(8)

    host, _, _ = w.app(silent)
    began = time.monotonic()
    a = w.get(host)
    assert a.status == 504 and 2.5 < time.monotonic() - began < 6 and b"did not answer within 3 s" in a.body


@case
def client_that_leaves_takes_its_request_along(w):
    gone = threading.Event()

    def wait(inst, c, f):
        read_request(f)
        if f.read(1) == b"":
            gone.set()

    host, _, _ = w.app(wait)
    c = w.client()
    c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
    time.sleep(0.1)
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    c.close()
    assert gone.wait(2)


@case
def instance_taken_out_finishes_what_it_has(w):
    go = threading.Event()

    def slow(inst, c, f):
        if read_request(f).target == "/held":
            assert go.wait(LIMIT)
        answer(c, b"finished")

    host, (old,), service = w.app(slow)
    new = Instance()
    with w.client() as c:
        c.send(f"GET /held HTTP/1.1\r\nHost: {host}\r\n\r\n")
        wait_for("the request to arrive", lambda: old.connections == 1)
        w.discoverd.set(service, [new.addr])
        wait_for("the new instance to serve", lambda: w.get(host).body != b"finished")
        assert w.get(host).json["port"] == new.port
        go.set()
        assert c.read_answer().body == b"finished"


@case
def requests_are_spread(w):
    host, insts, _ = w.app(plain, plain, plain)
    ports = [w.get(host).json["port"] for _ in range(60)]
    assert set(ports) == {i.port for i in insts}, ports


# ---- routes ---------------------------------------------------------------------------------

@case
def routes_have_the_shape_of_the_original(w):
    inst = Instance()
    w.discoverd.set("shape-web", [inst.addr])
    cert, key = w.cert("shape.example.com")
    body = {"type": "http", "parent_ref": "controller/apps/shape",
            "config": {"domain": "Shape.example.com", "service": "shape-web", "tls_cert": cert, "tls_key": key}}
    status, route = w.router.call("POST", "/routes", body)
    assert status == 200 and route["id"] == "http/" + hashlib.md5(b"shape.example.com").hexdigest(), route
    assert route["config"] == {"domain": "shape.example.com", "service": "shape-web", "tls_cert": cert}, route
    assert route["created_at"] == route["updated_at"] and route["parent_ref"] == "controller/apps/shape"
    assert w.router.call("GET", "/routes/" + route["id"]) == (200, route)
    assert w.router.call("GET", "/routes?parent_ref=controller/apps/shape") == (200, [route])
    assert w.router.call("GET", "/routes?parent_ref=nobody") == (200, [])
    status, routes = w.router.call("GET", "/routes")
    assert status == 200 and routes[0] == route and "tls_key" not in str(routes)
    status, err = w.router.call("POST", "/routes", body)
    assert status == 409 and err == {"code": "conflict", "message": "a route for shape.example.com exists already"}, err
    body["config"]["service"] = "shape-two"
    status, changed = w.router.call("PUT", "/routes", body)
    assert status == 200 and changed["config"]["service"] == "shape-two" and changed["created_at"] == route["created_at"]
    assert changed["updated_at"] != route["updated_at"]
    assert w.router.call("DELETE", "/routes/" + route["id"])[0] == 200
    assert w.router.call("GET", "/routes/" + route["id"])[0] == 404
    assert w.router.call("DELETE", "/routes/" + route["id"])[0] == 404


@case
def routes_api_asks_for_the_key(w):
    assert w.router.call("GET", "/ping", key=None)[0] == 200
    for method, path in (("GET", "/routes"), ("POST", "/routes"), ("GET", "/metrics")):
        assert w.router.call(method, path, key=None)[0] == 401
        assert w.router.call(method, path, key="wrong")[0] == 401
    assert w.router.call("GET", "/", key=None)[0] == 404


@case
def bad_routes_are_refused_with_a_sentence(w):
    for body, why in (("{", "JSON"), ("[]", "a route is a JSON object"), ({"type": "ftp"}, "Invalid route type"),
                      ({"type": "http", "config": {"domain": "a b", "service": "x"}}, "no host name"),
                      ({"type": "http", "config": {"domain": "a"}}, "needs a service"),
                      ({"type": "tcp", "config": {"port": 70000, "service": "x"}}, "port")):
        status, err = w.router.call("POST", "/routes", body)
        assert status == 400 and err["code"] == "invalid" and why in err["message"], (body, status, err)


@case
def route_works_when_it_is_answered_and_not_after_it_is_gone(w):
    host, (inst,), service = w.app()
    slowest = 0
    with w.client() as bystander:
        for i in range(30):
            name = f"live{i}.example.com"
            began = time.monotonic()
            route = w.router.route(name, service)
            slowest = max(slowest, time.monotonic() - began)
            assert w.get(name).status == 200
            assert w.router.call("DELETE", "/routes/" + route["id"])[0] == 200
            assert w.get(name).status == 404
            assert bystander.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200
    print(f"# slowest of 30 new routes: {slowest * 1000:.1f} ms")


@case
def wildcard_route_serves_names_below(w):
    host, (inst,), service = w.app()
    w.router.route("*.wild.example.com", service)
    assert w.get("a.wild.example.com").status == 200 and w.get("b.a.wild.example.com").status == 200
    assert w.get("wild.example.com").status == 404


@case
def routes_made_by_another_router_are_seen(w):
    other = Router(w.etcd.url, w.discoverd, threads=1)
    inst = Instance()
    w.discoverd.set("shared-web", [inst.addr])
    other.route("shared.example.com", "shared-web")
    wait_for("this router to know", lambda: w.get("shared.example.com").status == 200)
    port = free_port()
    other.tcp_route("shared-web", port)
    assert other.stop() == 0
    wait_for("this router to listen", lambda: listens(port))


# ---- the control path away ------------------------------------------------------------------

@case
def etcd_may_die_and_come_back(w):
    host, (inst,), service = w.app()
    w.etcd.stop()
    for _ in range(5):
        assert w.get(host).status == 200
    status, err = w.router.call("POST", "/routes", {"type": "http", "config": {"domain": "dead.example.com", "service": service}})
    assert status == 503 and "etcd" in err["message"], (status, err)
    assert w.router.call("GET", "/routes")[0] == 200
    w.etcd.start()
    wait_for("routes to be taken again", lambda: w.router.call(
        "PUT", "/routes", {"type": "http", "config": {"domain": "back.example.com", "service": service}})[0] == 200, 20)
    assert w.get("back.example.com").status == 200 and w.get(host).status == 200


@case
def etcd_that_lost_its_data_gets_the_routes_back(w):
    host, _, _ = w.app()
    before = w.router.call("GET", "/routes")[1]
    assert len(before) > 10
    w.etcd.stop()
    shutil.rmtree(w.etcd.dir)
    w.etcd.start()
    wait_for("routes to be put back", lambda: "putting back" in open(w.router.log.name).read(), 20)
    assert w.get(host).status == 200
    other = Router(w.etcd.url, w.discoverd, threads=1)
    wait_for("another router to know them all", lambda: same_routes(other, before), 20)
    assert other.stop() == 0
    assert same_routes(w.router, before) and w.get(host).status == 200


def same_routes(router, want):
    status, got = router.call("GET", "/routes")
    return status == 200 and sorted(r["id"] for r in got) == sorted(r["id"] for r in want)


@case
def discoverd_may_die_and_come_back(w):
    host, (inst,), service = w.app()
    w.discoverd.stop()
    for _ in range(5):
        assert w.get(host).status == 200
    began = time.monotonic()
    w.router.route("later.example.com", "later-web")
    assert 0.9 < time.monotonic() - began < 3
    assert b"discoverd has not said yet where later-web runs" in w.get("later.example.com").body
    new = Instance()
    w.discoverd.set(service, [new.addr])
    w.discoverd.set("later-web", [new.addr])
    w.discoverd.start()
    wait_for("the new instance", lambda: w.get(host).json["port"] == new.port, 20)
    wait_for("the new service", lambda: w.get("later.example.com").status == 200, 20)


@case
def restart_loses_no_request(w):
    """Connections that come before routes and instances are known wait for them."""
    host, _, _ = w.app()
    inst = Instance(lambda inst, c, f: c.sendall(b"tcp"))
    port = free_port()
    w.discoverd.set("restart-tcp", [inst.addr])
    w.router.tcp_route("restart-tcp", port)
    for _ in range(3):
        w.router.stop(signal.SIGKILL)
        w.router.start()
        assert w.get(host).status == 200
        wait_for("the TCP route", lambda: listens(port))
        with Client(port) as c:
            assert c.f.read() == b"tcp"


@case
def start_without_etcd_and_discoverd_says_what_is_missing(w):
    etcd, discoverd = Etcd.__new__(Etcd), Discoverd.__new__(Discoverd)
    etcd.url, discoverd.port = f"http://127.0.0.1:{free_port()}", free_port()
    router = Router(etcd.url, discoverd)
    with Client(router.http) as c:
        a = c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").read_answer()
        assert a.status == 503 and b"the routes have not been read from etcd yet" in a.body, a.body
    status, err = router.call("GET", "/routes")
    assert status == 503 and "routes have not been read from etcd" in err["message"], err
    assert router.call("GET", "/ping", key=None)[0] == 200
    assert router.stop() == 0


@case
def sigterm_lets_requests_finish(w):
    go = threading.Event()

    def slow(inst, c, f):
        while (r := read_request(f)) is not None:
            if r.target == "/held":
                assert go.wait(LIMIT)
            answer(c, b"finished")

    host, (inst,), _ = w.app(slow)
    router = Router(w.etcd.url, w.discoverd)
    with Client(router.http) as c:
        assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().body == b"finished"
    wait_for("it to be gone", lambda: router.metric("flynn_router_clients_open") == 0)
    c, idle = Client(router.http), Client(router.http)
    c.send(f"GET /held HTTP/1.1\r\nHost: {host}\r\n\r\n")
    wait_for("both to be let in", lambda: router.metric("flynn_router_clients_open") == 2)
    router.proc.send_signal(signal.SIGTERM)
    assert idle.ended()
    # One worker after the other closes its listener.
    wait_for("the port to close", lambda: not any(listens(router.http) for _ in range(5)))
    assert router.proc.poll() is None
    go.set()
    a = c.read_answer()
    assert a.body == b"finished" and a.get("Connection") == "close" and c.ended(), (a.headers, a.body)
    assert router.proc.wait(5) == 0


@case
def bad_use_is_told(w):
    env = dict(os.environ, CLUSTER_KEY="k")
    for args, env, status, text in ((["-nonsense"], env, 2, "nonsense"), (["-head-timeout", "0"], env, 2, "head-timeout"),
                                    ([], {k: v for k, v in env.items() if k != "CLUSTER_KEY"}, 2, "CLUSTER_KEY is not set"),
                                    (["-httpaddr", "1.2.3.4:80"], env, 1, "1.2.3.4:80"), (["-h"], env, 0, "-httpsaddr"),
                                    (["-version"], env, 0, "flynn-router")):
        p = subprocess.run(["flynn-router", *args], env=env, capture_output=True, text=True, timeout=LIMIT)
        assert p.returncode == status and text in p.stdout + p.stderr, (args, p)


@case
def nothing_is_left_behind(w):
    wait_for("clients to be gone", lambda: w.router.metric("flynn_router_clients_open") == 0)
    fds = len(os.listdir(f"/proc/{w.router.proc.pid}/fd"))
    host, _, _ = w.app()
    for _ in range(200):
        assert w.get(host).status == 200
    wait_for("clients to be gone again", lambda: w.router.metric("flynn_router_clients_open") == 0)
    assert len(os.listdir(f"/proc/{w.router.proc.pid}/fd")) < fds + 20
    assert w.router.metric("flynn_router_answers_total") > 200
    assert w.router.stop() == 0
    w.router.start()
