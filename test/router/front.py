"""What stands between strangers and instances: headers that tell where a request came from, trusted
proxies, the PROXY protocol, slow clients, limits."""

import contextlib
import json
import socket
import ssl
import struct
import time

from world import Client, Router, answer, case, read_head, read_request, wait_for


@contextlib.contextmanager
def router(w, *flags, threads=1):
    """Another router, with these flags, on the world's routes."""
    r = Router(w.etcd.url, w.discoverd, *flags, threads=threads)
    try:
        yield r
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
