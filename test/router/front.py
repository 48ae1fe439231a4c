"""What stands between strangers and instances: headers that tell where a request came from, trusted
proxies, the PROXY protocol, slow clients, limits."""

import contextlib
import glob
import json
import os
import resource
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

from h2_client import H2
from world import KEY, Client, Instance, Router, answer, case, free_port, holding, read_head, read_request, wait_for


@contextlib.contextmanager
def router(w, *flags, threads=1):
    """Another router, with these flags, on the world's routes."""
    r = Router(w.etcd.url, w.discoverd, *flags, threads=threads)
    try:
        yield r
        assert r.proc.poll() is None, f"the router ended with {r.proc.returncode}"
    finally:
        r.proc.kill()
        r.proc.wait()


def told(r, host, headers="", from_host="127.0.0.1", tls=None):
    """The headers that an instance got of a request."""
    with Client(r.https if tls else r.http, host=from_host, tls=tls) as c:
        a = c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").read_answer()
        assert a.status == 200, (a.status, a.body)
        return {k.lower(): v for k, v in a.json["headers"]}


# ---- headers --------------------------------------------------------------------------------

SPOOF = ("X-Forwarded-For: 10.1.1.1\r\nForwarded: for=10.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 8443\r\n"
         "X-Request-Start: t=1399999999.5\r\n")


@case
def lists_are_appended_and_the_rest_replaced_by_default(w):
    host, _, _ = w.app()
    h = told(w.router, host, SPOOF)
    assert h["x-forwarded-for"] == "10.1.1.1, 127.0.0.1", h
    assert h["forwarded"] == "for=10.1.1.1, for=127.0.0.1;proto=http", h
    assert h["x-forwarded-proto"] == "http" and h["x-forwarded-port"] == str(w.router.http), h
    assert h["x-request-start"].isdigit(), h


@case
def ipv6_and_https_are_told(w):
    host, _, _ = w.app(**dict(zip(("tls_cert", "tls_key"), w.cert("front.example.com"))))
    h = told(w.router, host, from_host="::1", tls={"name": host})
    assert h["forwarded"] == 'for="[::1]";proto=https' and h["x-forwarded-for"] == "::1", h
    assert h["x-forwarded-proto"] == "https" and h["x-forwarded-port"] == str(w.router.https), h


@case
def list_that_would_swallow_our_entry_is_dropped(w):
    host, _, _ = w.app()
    for bad in ('for="a', 'for="a\\"', "nonsense", "for=::1"):
        assert told(w.router, host, f"Forwarded: {bad}\r\n")["forwarded"] == "for=127.0.0.1;proto=http", bad


@case
def trusted_proxy_is_believed_and_nobody_else(w):
    host, _, _ = w.app()
    with router(w, "-trusted-proxies", "10.0.0.0/8,127.0.0.1") as r:
        h = told(r, host, SPOOF)
        assert h["x-forwarded-for"] == "10.1.1.1, 127.0.0.1", h
        assert h["forwarded"] == "for=10.1.1.1, for=127.0.0.1;proto=http", h
        assert h["x-forwarded-proto"] == "https" and h["x-forwarded-port"] == "8443", h
        assert h["x-request-start"] == "t=1399999999.5", h
        h = told(r, host, "X-Forwarded-Proto: https\r\n")
        assert h["x-forwarded-proto"] == "https" and h["x-forwarded-port"] == "443", h
        h = told(r, host, "X-Forwarded-Proto: https, http\r\nX-Forwarded-Port: x\r\nX-Request-Start: soon\r\n")
        assert h["x-forwarded-proto"] == "http" and h["x-forwarded-port"] == str(r.http) and h["x-request-start"].isdigit(), h
        h = told(r, host, SPOOF, from_host="::1")
        assert h["x-forwarded-for"] == "::1" and h["forwarded"] == 'for="[::1]";proto=http', h
        assert h["x-forwarded-proto"] == "http" and h["x-forwarded-port"] == str(r.http) and h["x-request-start"].isdigit(), h


@case
def nobody_is_trusted_when_it_says_none(w):
    host, _, _ = w.app()
    with router(w, "-trusted-proxies", "none") as r:
        assert told(r, host, SPOOF)["x-forwarded-for"] == "127.0.0.1"


@case
def our_headers_and_framing_survive_being_named_by_connection(w):
    """And what is named otherwise goes, with all that is hop-by-hop."""
    host, (inst,), _ = w.app()
    names = ("X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Port, Forwarded, X-Request-Id, X-Request-Start, Host, "
             "Content-Length, Transfer-Encoding, close, x-secret, Cookie")
    with w.client() as c:
        c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nConnection: {names}\r\nX-Secret: 1\r\nCookie: a=b\r\nTE: trailers\r\n"
               "Trailer: X-Sum\r\nProxy-Authorization: Basic x\r\nKeep-Alive: 5\r\nContent-Length: 5\r\n\r\nhello")
        h = {k.lower(): v for k, v in c.read_answer().json["headers"]}
    assert inst.requests[-1].body == b"hello" and h["content-length"] == "5" and h["host"] == host, h
    assert h["x-forwarded-for"] == "127.0.0.1" and h["forwarded"] and h["x-forwarded-proto"] == "http", h
    assert h["x-forwarded-port"] and h["x-request-id"] and h["x-request-start"], h
    assert h["trailer"] == "X-Sum", h
    for gone in ("connection", "te", "proxy-authorization", "keep-alive", "x-secret", "cookie"):
        assert gone not in h, (gone, h)
    with w.client() as c:
        c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n"
               "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
        assert c.read_answer().json["length"] == 5


@case
def hop_by_hop_headers_of_answers_go_too(w):
    def do(inst, c, f):
        while read_request(f) is not None:
            answer(c, headers=[("Connection", "X-Hop, Content-Length"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"),
                               ("Proxy-Connection", "x"), ("X-Kept", "1"), ("Trailer", "X-Sum")])

    host, _, _ = w.app(do)
    a = w.get(host)
    assert a.body == b"ok" and a.get("X-Kept") == "1" and a.get("Trailer") == "X-Sum", a.headers
    for gone in ("Connection", "X-Hop", "Keep-Alive", "Proxy-Connection"):
        assert a.get(gone) is None, a.headers


# ---- the PROXY protocol ---------------------------------------------------------------------

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command=1, family=0x11, body=None, tlvs=b""):
    if body is None:
        body = socket.inet_aton("203.0.113.9") + socket.inet_aton("198.51.100.1") + struct.pack(">HH", 40000, 8443)
        if family >> 4 == 2:
            body = socket.inet_pton(socket.AF_INET6, "2001:db8::9") * 2 + struct.pack(">HH", 40000, 8443)
    body += tlvs
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(body)) + body


def announced(r, host, header, tls=None, piece=0):
    """The headers that an instance got of a request behind a PROXY header; None: the connection was closed."""
    with socket.create_connection(("127.0.0.1", r.https if tls else r.http), 10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 10.1.1.1\r\n\r\n".encode()
        with contextlib.suppress(ConnectionError):
            for i in range(0, len(header), piece or len(header)):
                s.sendall(header[i:i + (piece or len(header))])
                time.sleep(0.002 if piece else 0)
            if tls:
                ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
                s = ctx.wrap_socket(s, server_hostname=host)
            s.sendall(request)
            f = s.makefile("rb")
            head = read_head(f)
            if head is None:
                return None
            assert " 200 " in head[0], head
            body = f.read(int(dict(head[1])["Content-Length"]))
            return {k.lower(): v for k, v in json.loads(body)["headers"]}


@case
def proxy_header_names_the_client(w):
    host, _, _ = w.app(**dict(zip(("tls_cert", "tls_key"), w.cert("proxied.example.com"))))
    line = b"PROXY TCP4 203.0.113.9 198.51.100.1 40000 8443\r\n"
    with router(w, "-proxy-protocol") as r:
        for header in (line, v2(), v2(tlvs=b"\x02\0\x03abc\x04\0\0"), v2(tlvs=b"\x04\x04\0" + b"x" * 1024)):
            h = announced(r, host, header)
            assert h["x-forwarded-for"] == "10.1.1.1, 203.0.113.9" and h["forwarded"] == "for=203.0.113.9;proto=http", h
            assert h["x-forwarded-port"] == "8443" and h["x-forwarded-proto"] == "http", h
        for header in (b"PROXY TCP6 2001:db8::9 2001:db8::1 1 8443\r\n", v2(family=0x21)):
            assert announced(r, host, header)["forwarded"] == 'for="[2001:db8::9]";proto=http'
        for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN a b c\r\n", v2(0), v2(0, 0, b""), v2(1, 0, b""), v2(1, 0x31, b"/" * 216)):
            h = announced(r, host, header)
            assert h["x-forwarded-for"] == "10.1.1.1, 127.0.0.1" and h["x-forwarded-port"] == str(r.http), h
        for header in (line, v2()):
            h = announced(r, host, header, tls=True)
            assert h["x-forwarded-for"] == "10.1.1.1, 203.0.113.9" and h["x-forwarded-proto"] == "https", h
            assert announced(r, host, header, piece=1)["x-forwarded-for"] == "10.1.1.1, 203.0.113.9"


@case
def connection_without_a_proper_proxy_header_is_closed(w):
    """Whatever byte of a good one is wrong, the request behind it reaches nobody."""
    host, (inst,), _ = w.app()
    line, binary = b"PROXY TCP4 203.0.113.9 198.51.100.1 40000 8443\r\n", v2(tlvs=b"\x02\0\x03abc")
    with router(w, "-proxy-protocol") as r:
        bad = [b"", line[:-2] + b"\n", line[:-1] + b" ", b"PROXY UNKNOWN " + b"x" * 94 + b"\r\n", v2(2),
               v2(family=0x12), v2(family=0x22), v2(body=b"short"), v2(tlvs=b"\x02\0\x09abc"), SIGNATURE + b"\x21\x11\xff\xff"]
        bad += [line[:i] + bytes([line[i] ^ 0x80]) + line[i + 1:] for i in range(len(line))]
        bad += [binary[:i] + bytes([binary[i] ^ (1 if i == 15 else 0x44)]) + binary[i + 1:] for i in range(16)]
        for header in bad:
            if header:
                assert announced(r, host, header) is None, header
        assert inst.requests == [], [q.raw for q in inst.requests]
        wait_for("failures to be counted", lambda: r.metric("flynn_router_proxy_protocol_failures_total") >= len(bad) - 2)
        # One that ends early, or never comes on.
        for part in (line[:9], binary[:20]):
            with Client(r.http) as c:
                c.send(part).sock.shutdown(socket.SHUT_WR)
                assert c.ended()
        with Client(r.http) as c:
            assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").ended()
        assert inst.requests == []
        assert announced(r, host, line)


@case
def proxy_header_is_taken_from_trusted_proxies_only(w):
    host, _, _ = w.app()
    header = b"PROXY TCP4 203.0.113.9 198.51.100.1 40000 8443\r\n"
    with router(w, "-proxy-protocol", "-trusted-proxies", "127.0.0.1") as r:
        # The client that it names is not trusted itself.
        h = announced(r, host, header)
        assert h["x-forwarded-for"] == "203.0.113.9", h
        assert announced(r, host, b"PROXY UNKNOWN\r\n")["x-forwarded-for"] == "10.1.1.1, 127.0.0.1"
        with Client(r.http) as c:
            assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").ended()
        assert told(r, host, from_host="::1")["x-forwarded-for"] == "::1"
        with Client(r.http, host="::1") as c:
            a = c.send(header + f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).read_answer()
            assert a.status == 400, a.line


# ---- slow clients ---------------------------------------------------------------------------

def trickle(c, data, gap=0.1, limit=8.0):
    """Send it byte by byte until the router answers or ends; seconds that it took."""
    began = time.monotonic()
    with contextlib.suppress(OSError):
        while time.monotonic() - began < limit:
            c.send(data)
            c.sock.settimeout(gap)
            with contextlib.suppress(TimeoutError):
                c.sock.recv(1, socket.MSG_PEEK)
                break
    c.sock.settimeout(10)
    return time.monotonic() - began


@case
def head_that_trickles_is_cut_in_bounded_time(w):
    """The world's router gives a head 2 seconds, however often something comes."""
    with w.client() as c:
        c.send("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert 1 < trickle(c, "a") < 6
        a = c.read_answer()
        assert a.status == 408 and a.get("Connection") == "close" and c.ended(), a.line
    with w.client() as c:  # one that never ends its first line
        assert 1 < trickle(c, "G") < 6
        assert c.read_answer().status == 408


@case
def handshake_and_proxy_header_that_trickle_are_cut(w):
    with Client(w.router.https) as c:
        c.send(bytes.fromhex("16030102000100" + "01fc0303"))  # the beginning of a ClientHello
        assert 1.5 < trickle(c, "x", limit=6) < 6 and c.ended()
    with router(w, "-proxy-protocol") as r, Client(r.http) as c:
        assert 1.5 < trickle(c.send("PROXY UNKNOWN "), "x", limit=6) < 6 and c.ended()


@case
def body_that_stops_is_cut(w):
    host, (inst,), _ = w.app()
    with router(w, "-body-timeout", "1") as r:
        for framing, part in (("Content-Length: 100", "abc"), ("Transfer-Encoding: chunked", "5\r\nab")):
            with Client(r.http) as c:
                a = c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\n{framing}\r\n\r\n{part}").read_answer()
                assert a.status == 408 and b"body" in a.body and a.get("Connection") == "close" and c.ended(), a.line
        # While it goes on, it has time.
        with Client(r.http) as c:
            c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 20\r\n\r\n")
            for _ in range(20):
                c.send("x")
                time.sleep(0.1)
            assert c.read_answer().json["length"] == 20
    wait_for("the instance to be rid of them", lambda: not inst.open)


@case
def body_below_the_minimal_rate_is_cut(w):
    host, _, _ = w.app()
    with router(w, "-body-timeout", "1", "-min-rate", "500") as r:
        with Client(r.http) as c:
            c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n")
            assert trickle(c, "x") < 6
            assert c.read_answer().status == 408
        with Client(r.http) as c:  # 200 bytes a second, which are not enough either
            c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10000\r\n\r\n")
            assert trickle(c, "x" * 20) < 6
            assert c.read_answer().status == 408
        with Client(r.http) as c:
            c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10000\r\n\r\n")
            for _ in range(25):
                c.send("x" * 400)
                time.sleep(0.1)
            assert c.read_answer().json["length"] == 10000


def endless(inst, c, f):
    read_request(f)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n")
    with contextlib.suppress(OSError):
        while True:
            c.sendall(b"x" * 65536)


def small_reader(port, host, tls=False):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(10)
    s.connect(("127.0.0.1", port))
    s.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return s


@case
def reader_that_stops_or_is_too_slow_is_cut(w):
    host, (inst,), _ = w.app(endless)
    with router(w, "-send-timeout", "1") as r, small_reader(r.http, host):
        wait_for("the request to arrive", lambda: inst.open)
        wait_for("the instance to be rid of it", lambda: not inst.open)
        wait_for("the client to be gone", lambda: r.metric("flynn_router_clients_open") == 0)
    with router(w, "-send-timeout", "1", "-min-rate", "1000000") as r, small_reader(r.http, host) as s:
        with contextlib.suppress(ConnectionResetError):
            for _ in range(100):  # that is 40 KB a second
                assert s.recv(4096)
                time.sleep(0.1)
            raise AssertionError("a slow reader was not cut")
    with router(w, "-send-timeout", "1", "-min-rate", "1000") as r, small_reader(r.http, host) as s:
        for _ in range(30):
            assert s.recv(4096)
            time.sleep(0.1)


def state_of(c):
    """The other side of a connection to the router, as the kernel calls it."""
    port, ours = (f"{at[1]:04X}" for at in (c.sock.getpeername(), c.sock.getsockname()))
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}") as f:
            for row in map(str.split, f):
                if row[1].endswith(f":{port}") and row[2].endswith(f":{ours}"):
                    return row[3]
    return None


@case
def client_that_says_nothing_yet_wakes_nobody(w):
    """It waits in the kernel for its first bytes, TCP_DEFER_ACCEPT; on a TCP route the instance may have to speak first."""
    established, half_open = "01", "03"
    w.discoverd.set("greeter", [Instance(lambda inst, c, f: f.read()).addr])
    tcp = w.router.tcp_route("greeter")["config"]["port"]
    for port, want in ((w.router.http, half_open), (w.router.https, half_open), (tcp, established)):
        with Client(port) as c:
            assert state_of(c) == want, (port, state_of(c))
    host, _, _ = w.app()
    with Client(w.router.http) as c:
        wait_for("the kernel to let it in all the same", lambda: state_of(c) == established)
        assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200


@case
def idle_connection_is_closed(w):
    host, _, _ = w.app()
    with router(w, "-idle-timeout", "1") as r, Client(r.http) as c:
        assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200
        began = time.monotonic()
        assert c.ended() and time.monotonic() - began < 5


def has_stopped(pid):
    states = []
    for path in glob.glob(f"/proc/{pid}/task/*/stat"):
        with open(path) as f:
            states.append(f.read().rsplit(")", 1)[1].split()[0])
    return set(states) == {"T"}


@case
def what_came_in_time_is_not_late_because_the_router_was(w):
    """It was stopped, or its machine, for longer than any of its times: all that it waited for is there."""
    go = threading.Event()
    held, (holds,), _ = w.app(holding(go))
    host, _, _ = w.app()
    times = [f for name in ("head", "answer", "idle", "body") for f in (f"-{name}-timeout", "1")]
    with router(w, *times) as r, contextlib.ExitStack() as stack:
        waits, part, kept, body = (stack.enter_context(Client(r.http)) for _ in range(4))
        multi = stack.enter_context(H2(r.http))
        assert ask(kept, host).status == multi.get(host).status == 200
        part.send(f"GET /part HTTP/1.1\r\nHost: {host}\r\n")
        body.send(f"POST /body HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\nhello")
        waits.send(f"GET / HTTP/1.1\r\nHost: {held}\r\n\r\n")
        stream = multi.ask(held)
        wait_for("all to have come", lambda: holds.connections == 2)
        r.proc.send_signal(signal.SIGSTOP)
        wait_for("all of it to stand still", lambda: has_stopped(r.proc.pid))
        go.set()
        part.send("\r\n")
        kept.send(f"GET /kept HTTP/1.1\r\nHost: {host}\r\n\r\n")
        body.send("world")
        time.sleep(1.5)
        r.proc.send_signal(signal.SIGCONT)
        answers = [c.read_answer() for c in (waits, part, kept, body)]
        assert [a.status for a in answers] == [200] * 4, [(a.status, a.body) for a in answers]
        assert multi.answer(stream).status == 200


# ---- limits ---------------------------------------------------------------------------------

def ask(c, host):
    return c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()


@case
def connections_beyond_the_maximum_wait(w):
    """In the kernel's queue, as with HAProxy; when one ends, the next is served."""
    host, _, _ = w.app()
    with router(w, "-max-connections", "8", threads=2) as r:
        first = [Client(r.http) for _ in range(8)]
        wait_for("all to be let in", lambda: r.metric("flynn_router_clients_open") == 8)
        late = Client(r.http)
        late.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        wait_for("it to have to wait", lambda: r.metric("flynn_router_accept_pauses_total") > 2)
        assert r.metric("flynn_router_clients_open") == 8
        # Those that are in are served all the while.
        assert ask(first[0], host).status == 200
        first[1].close()
        assert late.read_answer().status == 200
        # One that idles goes for a new one.
        with Client(r.http) as c:
            assert ask(c, host).status == 200
        for c in first[2:] + [late]:
            c.close()
        assert "-max-connections are open" in open(r.log.name).read()


@case
def one_client_has_so_many_connections(w):
    host, _, _ = w.app()
    with router(w, "-max-connections-per-client", "3", threads=2) as r:
        # Who looked whether it listens has come and gone.
        wait_for("nobody to be there", lambda: r.metric("flynn_router_clients_total") > 0 and r.metric("flynn_router_clients_open") == 0)
        mine = [Client(r.http) for _ in range(3)]
        for c in mine:
            assert ask(c, host).status == 200
        for _ in range(5):
            with contextlib.suppress(ConnectionResetError, BrokenPipeError), Client(r.http) as c:
                c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
                assert c.ended()
        wait_for("them to be counted", lambda: r.metric("flynn_router_clients_refused_total") >= 5)
        with Client(r.http, host="::1") as c:
            assert ask(c, host).status == 200
        mine[0].close()
        wait_for("one to be served again", lambda: serves(r, host))
        for c in mine:
            c.close()


def serves(r, host):
    with contextlib.suppress(OSError, AssertionError), Client(r.http) as c:
        return ask(c, host).status == 200
    return False


@case
def trusted_proxies_may_have_more_and_their_clients_are_counted(w):
    host, _, _ = w.app()
    flags = ("-max-connections-per-client", "1", "-trusted-proxies", "127.0.0.1")
    with router(w, *flags) as r:
        clients = [Client(r.http) for _ in range(10)]
        assert all(ask(c, host).status == 200 for c in clients)
    with router(w, *flags, "-proxy-protocol") as r:
        line = "PROXY TCP4 203.0.113.{} 198.51.100.1 40000 8443\r\n"
        clients = [Client(r.http).send(line.format(i)) for i in range(10)]
        assert all(ask(c, host).status == 200 for c in clients)
        with Client(r.http) as c:
            assert c.send(line.format(3)).ended()


def same_for_a_while(r, seen):
    time.sleep(0.02)
    seen.append({int(fd) for fd in os.listdir(f"/proc/{r.proc.pid}/fd")})
    return len(seen) > 10 and all(s == seen[-1] for s in seen[-10:])


@contextlib.contextmanager
def few_descriptors(r, more):
    """It may open so many more, besides what it has."""
    seen = []
    wait_for("its descriptors to be the same for a while", lambda: same_for_a_while(r, seen))
    free = [i for i in range(1000) if i not in seen[-1]]  # the limit is about numbers, and the lowest is taken
    old = resource.prlimit(r.proc.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(r.proc.pid, resource.RLIMIT_NOFILE, (free[more], old[1]))
    try:
        yield
    finally:
        resource.prlimit(r.proc.pid, resource.RLIMIT_NOFILE, old)


@case
def running_out_of_descriptors_is_survived(w):
    host, _, _ = w.app()
    other, _, _ = w.app()
    with router(w) as r:
        with Client(r.http) as kept:
            assert ask(kept, host).status == 200  # leaves an idle connection to the instance
            with few_descriptors(r, 0):
                # The idle one gives its descriptor for one to another instance; and that one again.
                for h in (other, host, other):
                    assert ask(kept, h).status == 200
                # And to a client who comes.
                with Client(r.http) as late:
                    assert ask(late, "none.example.com").status == 404
        with few_descriptors(r, 3):
            clients = [Client(r.http) for _ in range(10)]
            answers = []
            for c in clients[:1]:
                answers.append(ask(c, host))
            wait_for("accepting to pause", lambda: "Too many open files" in open(r.log.name).read())
            for c in clients[1:3]:
                c.sock.settimeout(2)
                with contextlib.suppress(TimeoutError):
                    answers.append(ask(c, host))
            assert answers and all(a.status == 200 or b"out of file descriptors" in a.body for a in answers), answers
            for c in clients:
                c.close()
        for _ in range(3):
            with Client(r.http) as c:
                assert ask(c, host).status == 200


@case
def no_descriptor_for_an_instance_is_told(w):
    host, (inst,), _ = w.app()
    with router(w) as r, Client(r.http) as c:
        assert ask(c, "none.example.com").status == 404
        with few_descriptors(r, 0):
            a = ask(c, host)
            assert a.status == 503 and b"out of file descriptors" in a.body, a.body
        # The instance is not to blame for it.
        assert ask(c, host).status == 200 and r.metric("flynn_router_connect_failures_total") == 0


@case
def maximum_follows_the_limit_of_descriptors(w):
    host, _, _ = w.app()
    prlimit = ["prlimit", "--nofile=160:160"]
    r = Router.__new__(Router)
    r.http, r.https, r.api, r.log = free_port(), free_port(), free_port(), open(os.path.join(os.environ["TMP"], "few.log"), "ab")
    r.proc = subprocess.Popen(prlimit + ["flynn-router", "-httpaddr", f":{r.http}", "-httpsaddr", f":{r.https}", "-threads", "1"],
                              env=dict(os.environ, CLUSTER_KEY=KEY, ETCD=w.etcd.url, DISCOVERD=f"127.0.0.1:{w.discoverd.port}",
                                       EXTERNAL_IP="127.0.0.1", PORT=str(r.api)), stdout=r.log, stderr=r.log)
    try:
        wait_for("it to serve", lambda: serves(r, host))
        clients = [Client(r.http) for _ in range(30)]  # (160 - 128) / 2 are let in
        wait_for("accepting to pause", lambda: r.metric("flynn_router_accept_pauses_total") > 0)
        wait_for("so many to be in", lambda: r.metric("flynn_router_clients_open") == 16)
        assert all(ask(c, host).status == 200 for c in clients[:3])
        for c in clients:
            c.close()
        wait_for("it to serve again", lambda: serves(r, host))
        assert "max-connections are open" in open(r.log.name).read() and "Too many" not in open(r.log.name).read()
    finally:
        r.proc.kill()
        r.proc.wait()


@case
def memory_held_for_slow_clients_is_bounded(w):
    host, (inst,), _ = w.app(endless)
    good, _, _ = w.app()
    with router(w, "-buffer-memory", "1", "-head-timeout", "60") as r:
        readers = [small_reader(r.http, host) for _ in range(60)]  # 256 KiB each, if they could
        wait_for("them to be stuck", lambda: len(inst.open) == 60)
        wait_for("memory to be short", lambda: r.metric("flynn_router_buffer_bytes") > 1 << 20)
        assert r.metric("flynn_router_buffer_bytes") < (1 << 20) + (256 << 10) + 60 * 4096, r.metric("flynn_router_buffer_bytes")
        assert serves(r, good)
        # Heads that do not end, of 20 KB: each takes a block that is larger.
        part = (f"GET / HTTP/1.1\r\nHost: {good}\r\n" + f"X-Fill: {'x' * 5000}\r\n" * 4).encode()
        heads = [Client(r.http).send(part) for _ in range(40)]
        wait_for("requests to be turned away", lambda: turned_away(r, good))
        assert r.metric("flynn_router_buffer_bytes") < (2 << 20) + (256 << 10), r.metric("flynn_router_buffer_bytes")
        for c in readers + heads:
            c.close()
        wait_for("all to be well again", lambda: serves(r, good) and r.metric("flynn_router_buffer_bytes") < 1 << 20)


def turned_away(r, host):
    with contextlib.suppress(OSError), Client(r.http) as c:
        a = ask(c, host)
        return a.status == 503 and b"short of memory" in a.body and a.get("Connection") == "close"


# ---- parts that come back empty -------------------------------------------------------------

@case
def discoverd_that_comes_back_empty_makes_nobody_forgotten(w):
    """Its hosts register again within seconds; until then the instances are those that were known."""
    apps = [w.app() for _ in range(4)]
    hosts = [host for host, _, _ in apps]
    assert all(w.get(h).status == 200 for h in hosts)
    known = w.discoverd.services
    for _ in range(2):
        w.discoverd.stop()
        w.discoverd.services = {}
        w.discoverd.start()
        wait_for("the router to have come back to it", lambda: w.discoverd.streams.get(None), 20)
        for _ in range(20):
            assert all(w.get(h).status == 200 for h in hosts)
            time.sleep(0.05)
    # One by one they come back, with others; who is not there any more is forgotten in the end.
    new = Instance()
    for service, instances in list(known.items())[:-1]:
        w.discoverd.set(service, list(instances))
    w.discoverd.set(apps[0][2], [new.addr])
    wait_for("the new instance", lambda: w.get(hosts[0]).json["port"] == new.port)
    assert all(w.get(h).status == 200 for h in hosts)
    wait_for("the last to be forgotten", lambda: b"no instance of" in w.get(hosts[3]).body, 30)
    assert all(w.get(h).status == 200 for h in hosts[:3])
    wait_for("only the new instance", lambda: all(w.get(hosts[0]).json["port"] == new.port for _ in range(10)))


@case
def etcd_that_comes_back_empty_makes_nobody_forgotten(w):
    hosts = [w.app()[0] for _ in range(3)]
    n = len(w.router.call("GET", "/routes")[1])
    for _ in range(2):
        w.etcd.stop()
        shutil.rmtree(w.etcd.dir)
        w.etcd.start()
        for _ in range(40):
            assert all(w.get(h).status == 200 for h in hosts)
            time.sleep(0.05)
        wait_for("all routes to be there", lambda: len(w.router.call("GET", "/routes")[1]) == n)
        with router(w) as r:
            wait_for("another router to know them", lambda: all(serves(r, h) for h in hosts), 20)
