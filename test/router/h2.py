"""HTTP/2, seen from its clients and from the instances."""

import contextlib
import os
import socket
import struct
import subprocess
import threading
import time

import hpack
import h2_client as h2
from h2_client import ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, H2, HEADERS, PADDED, PING, PREFACE, PRIORITISED, PRIORITY
from h2_client import PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, pack
from world import LIMIT, Client, Instance, Router, answer, case, holding, read_head, read_request, wait_for, without_body


def connect(w, **how):
    return H2(w.router.http, **how)


@case
def request_is_answered_by_prior_knowledge(w):
    host, (inst,), _ = w.app()
    with connect(w) as c:
        s = c.get(host, "/some/path?q=1", headers=[("x-custom", "kept"), ("x-request-id", "12345678901234567890")])
        assert s.status == 200 and s.ended and s.json["target"] == "/some/path?q=1", s.headers
        assert s.sent("host") == host and s.sent("x-custom") == "kept" and s.sent("x-forwarded-proto") == "http"
        assert s.sent("x-forwarded-for") == "127.0.0.1" and s.get("x-request-id") == "12345678901234567890" == s.sent("x-request-id")
        assert s.sent("via") == "2.0 flynn" and s.get("date").endswith(" GMT"), s.headers
        assert s.get("x-instance") == str(inst.port) and int(s.get("content-length")) == len(s.body)
        for i in range(100):
            assert c.get(host, f"/{i}").json["target"] == f"/{i}"
    assert inst.connections == 1, inst.connections


@case
def alpn_chooses_http2_and_http1_is_still_served(w):
    cert, key = w.cert("alpn.example.com")
    w.discoverd.set("alpn", [Instance().addr])
    w.router.route("alpn.example.com", "alpn", tls_cert=cert, tls_key=key)
    for offered in (["h2", "http/1.1"], ["http/1.1", "h2"], ["h2"]):
        with H2(w.router.https, tls={"name": "alpn.example.com", "alpn": offered}) as c:
            assert c.sock.selected_alpn_protocol() == "h2"
            s = c.get("alpn.example.com", "/x", scheme="https")
            assert s.status == 200 and s.sent("x-forwarded-proto") == "https", s.headers
            assert s.sent("x-forwarded-port") == str(w.router.https)
    for offered in (["http/1.1"], None):
        with Client(w.router.https, tls={"name": "alpn.example.com", "alpn": offered}) as c:
            assert c.sock.selected_alpn_protocol() == (offered and offered[0])
            assert c.send("GET / HTTP/1.1\r\nHost: alpn.example.com\r\n\r\n").read_answer().status == 200
    # Who chose HTTP/1.1, or nothing, does not speak HTTP/2 then.
    with Client(w.router.https, tls={"name": "alpn.example.com", "alpn": None}) as c:
        assert c.send(PREFACE).read_answer().status in (400, 505)


@case
def many_streams_at_once(w):
    host, (inst,), _ = w.app()
    with connect(w) as c:
        ids = [c.ask(host, f"/{i}") for i in range(100)]
        assert [c.answer(i).json["target"] for i in ids] == [f"/{i}" for i in range(100)]


@case
def bodies_pass_both_ways(w):
    def echo(inst, conn, f):
        while (r := read_request(f)) is not None:
            answer(conn, r.body, headers=[("X-Framing", "chunked" if r.get("Transfer-Encoding") else "length")])

    host, _, _ = w.app(echo)
    with connect(w) as c:
        for size in (0, 1, 16384, 16385, 70000, 3000000):
            body = os.urandom(size)
            for headers, framing in (([("content-length", str(size))], "length"), ([], "chunked")):
                stream = c.ask(host, method="POST", headers=headers, end=False)
                s = c.send(stream, body).answer(stream)
                assert s.status == 200 and s.body == body and s.get("x-framing") == framing, (size, s.headers, s.reset)


@case
def bodies_that_nobody_read_give_their_window_back(w):
    """Of requests that we answer ourselves, and of those that are given up: the connection has one window for all."""
    host, _, service = w.app()
    gone, _, nobody = w.app()
    w.discoverd.set(nobody, [])
    w.discoverd.set(nobody + "-starting", ["127.0.0.1:1"])
    body = b"x" * 50000
    for to, code in (("nowhere.example.com", None), (gone, h2.CANCEL)):
        with connect(w) as c:
            wait_for("its windows", lambda c=c: c.step() and c.window > 1000000)
            for _ in range(40):
                stream = c.ask(to, method="POST", end=False)
                c.send(stream, body)
                if code is None:
                    assert c.answer(stream).status == 404
                else:
                    c.frame(RST_STREAM, 0, stream, struct.pack(">I", code))
            stream = c.ask(host, method="POST", end=False)
            assert c.send(stream, body * 10).answer(stream).json["length"] == len(body) * 10


@case
def real_client_is_served(w):
    """curl has nghttp2, too, but as a client."""
    host, _, _ = w.app()
    url = f"http://127.0.0.1:{w.router.http}/"
    out = subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-H", f"Host: {host}", "-d", "@-", "-w", "%{http_version}", url],
                         input=b"x" * 200000, capture_output=True, check=True, timeout=LIMIT).stdout
    assert out.endswith(b"}2") and b'"length": 200000' in out, out


@case
def answers_without_a_body_end_with_their_head(w):
    host, (inst,), _ = w.app(without_body)
    with connect(w) as c:
        for method, path, length in (("HEAD", "/", "12345"), ("GET", "/304", "99"), ("GET", "/204", None), ("GET", "/empty", "0")):
            s = c.get(host, path, method=method)
            assert s.body == b"" and s.get("content-length") == length, (method, path, s.headers)
            assert c.frames[-1][0] == HEADERS and c.frames[-1][1] & END_STREAM, (method, path, c.frames[-1])
    assert inst.connections == 1


@case
def answers_of_all_framings_pass(w):
    def framed(inst, c, f):
        r = read_request(f)
        if r.target == "/chunked":
            answer(c, b"3\r\nabc\r\n2;x=1\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n", framing="Transfer-Encoding: chunked\r\n")
        elif r.target == "/pieces":
            answer(c, b"", framing="Transfer-Encoding: chunked\r\n")
            for i in range(200):
                c.sendall(b"%x\r\n%s\r\n" % (1000, b"%d" % (i % 10) * 1000))
            c.sendall(b"0\r\n\r\n")
        else:
            answer(c, b"x" * 300000, framing="")

    host, _, _ = w.app(framed)
    with connect(w) as c:
        s = c.get(host, "/chunked")
        assert s.body == b"abcde" and s.get("content-length") is None and s.ended
        assert s.trailers == [("x-trailer", "1")], s.trailers
        s = c.get(host, "/pieces")
        assert s.body == b"".join(b"%d" % (i % 10) * 1000 for i in range(200)) and s.ended
        assert c.get(host, "/eof").body == b"x" * 300000


@case
def interim_answers_pass(w):
    def careful(inst, c, f):
        while (head := read_head(f)) is not None:
            assert ("expect", "100-continue") in head[1]
            c.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
            assert f.read(5) == b"hello"
            answer(c, b"thanks")

    host, _, _ = w.app(careful)
    with connect(w) as c:
        stream = c.ask(host, method="POST", headers=[("content-length", "5"), ("expect", "100-continue")], end=False)
        s = c.streams[stream]
        c.until(lambda: len(s.interim) == 2)
        assert s.interim == [[(":status", "103"), ("link", "</a.css>")], [(":status", "100")]]
        assert c.send(stream, b"hello").answer(stream).body == b"thanks"


@case
def switching_protocols_is_a_bad_answer(w):
    def switch(inst, c, f):
        read_request(f)
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        f.read(1)

    host, _, _ = w.app(switch)
    with connect(w) as c:
        assert c.get(host).status == 502


@case
def pages_are_answered_by_stream(w):
    service, gone = "h2-gone-web", "gone.h2.example.com"
    w.discoverd.set(service, [])
    w.router.route(gone, service)
    with connect(w) as c:
        s = c.get("nobody.h2.example.com")
        assert s.status == 404 and b"nobody.h2.example.com" in s.body and int(s.get("content-length")) == len(s.body)
        s = c.get("nobody.h2.example.com", headers=[("accept", "application/json")])
        assert s.status == 404 and s.json["code"] == "not_found"
        s = c.get("nobody.h2.example.com", method="HEAD")
        assert s.status == 404 and s.body == b"" and s.ended
        assert c.get(gone).status == 503
        # What is still being sent is stopped.
        stream = c.ask(gone, method="POST", end=False)
        s = c.answer(stream)
        assert s.status == 503 and s.ended
        c.until(lambda: s.reset is not None)
        assert s.reset == h2.NO_ERROR
        host, _, _ = w.app()
        assert c.get(host).status == 200


@case
def cookies_are_joined(w):
    host, (inst,), _ = w.app()
    with connect(w) as c:
        s = c.get(host, headers=[("cookie", "a=1"), ("x-one", "1"), ("cookie", "b=2"), ("cookie", "c=3"), ("x-two", "2")])
        assert [v for k, v in s.json["headers"] if k.lower() == "cookie"] == ["a=1; b=2; c=3"], s.json
        assert s.sent("x-one") == "1" and s.sent("x-two") == "2"


@case
def fields_about_connections_go_no_further(w):
    def hops(inst, c, f):
        while read_request(f) is not None:
            answer(c, headers=[("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"), ("X-Kept", "Yes")])

    host, _, _ = w.app()
    other, _, _ = w.app(hops)
    with connect(w) as c:
        s = c.get(host, headers=[("te", "trailers"), ("x-forwarded-for", "1.2.3.4")])
        assert s.sent("te") is None and s.sent("x-forwarded-for") == "1.2.3.4, 127.0.0.1"
        assert not {k.lower() for k, _ in s.json["headers"]} & {"connection", "upgrade"}
        s = c.get(other)
        assert s.get("x-kept") == "Yes" and s.get("x-hop") is None


@case
def host_alone_names_the_route(w):
    host, (inst,), _ = w.app()
    with connect(w) as c:
        base = [(":method", "GET"), (":scheme", "http"), (":path", "/")]
        assert c.answer(c.head([*base, ("host", host)])).sent("host") == host
        assert c.answer(c.head([*base, (":authority", host), ("host", host.upper())])).sent("host") == host
        n = len(inst.requests)
        for fields in ([(":authority", host), ("host", "other.example.com")], [(":authority", host), ("host", host + ":8080")]):
            assert c.answer(c.head(base + fields)).status == 400
        assert len(inst.requests) == n


@case
def trailers_of_a_request_pass(w):
    def raw(inst, c, f):
        line, headers, _ = read_head(f)
        seen = b""
        while not seen.endswith(b"\r\n\r\n"):
            seen += f.readline()
        answer(c, seen)

    host, _, _ = w.app(raw)
    with connect(w) as c:
        stream = c.ask(host, method="POST", end=False)
        s = c.send(stream, b"hello", trailers=[("x-check", "abc"), ("x-more", "1")]).answer(stream)
        assert s.body == b"5\r\nhello\r\n0\r\nx-check: abc\r\nx-more: 1\r\n\r\n", s.body


@case
def trailers_of_an_answer_pass(w):
    def framed(inst, c, f):
        while (r := read_request(f)) is not None:
            answer(c, b"", framing="Transfer-Encoding: chunked\r\nTrailer: X-Check\r\n")
            if r.target != "/empty":
                c.sendall(b"5\r\nhello\r\n")
            if r.target == "/forbidden":
                c.sendall(b"0\r\nConnection: close\r\n\r\n")
                return
            for byte in b"0\r\nX-Check:  abc \r\nX-More:\r\n\r\n" if r.target == "/slow" else ():
                c.sendall(bytes([byte]))
            if r.target == "/none":
                c.sendall(b"0\r\n\r\n")
            elif r.target != "/slow":
                c.sendall(b"0\r\nX-Check:  abc \r\nX-More:\r\n\r\n")

    host, (inst,), _ = w.app(framed)
    with connect(w) as c:
        for path, body, trailers in (("/", b"hello", True), ("/slow", b"hello", True), ("/empty", b"", True), ("/none", b"hello", False)):
            s = c.get(host, path)
            assert s.body == body and s.ended and s.trailers == ([("x-check", "abc"), ("x-more", "")] if trailers else None), (path, s.trailers)
        assert inst.connections == 1
        s = c.get(host, "/forbidden")
        assert s.reset == h2.INTERNAL_ERROR or s.status == 502
    # They wait for the window that the body needs.
    with connect(w, settings=[(h2.INITIAL_WINDOW_SIZE, 5)], update=False) as c:
        stream = c.ask(host)
        s = c.streams[stream]
        c.until(lambda: s.body == b"hello")
        c.give(stream, 1)
        assert c.answer(stream).trailers == [("x-check", "abc"), ("x-more", "")]


@case
def content_length_must_be_true(w):
    lengths = []

    def count(inst, c, f):
        while (head := read_head(f)) is not None:
            length = int(dict(head[1]).get("content-length", 0))
            body = f.read(length)
            if len(body) < length:
                return
            lengths.append(len(body))
            answer(c)

    host, _, _ = w.app(count)
    with connect(w) as c:
        for told, body in (("5", b"hell"), ("5", b"hello!"), ("5", b"")):
            stream = c.ask(host, method="POST", headers=[("content-length", told)], end=False)
            s = c.send(stream, body).answer(stream)
            assert s.reset == h2.PROTOCOL_ERROR and s.headers is None, (told, body, s.reset, s.headers)
        s = c.answer(c.ask(host, method="POST", headers=[("content-length", "5")]))
        assert s.reset == h2.PROTOCOL_ERROR
        assert c.get(host).status == 200
    assert set(lengths) <= {0}, lengths


MALFORMED = {
    "upper case": [("X-Upper", "1")],
    "empty name": [("", "1")],
    "space in a name": [("x y", "1")],
    "colon in a name": [("x:y", "1")],
    "pseudo-header field behind others": [("x", "1"), (":path", "/")],
    "unknown pseudo-header field": [(":unknown", "1")],
    "answer's pseudo-header field": [(":status", "200")],
    "method twice": [(":method", "GET")],
    "path twice": [(":path", "/")],
    "scheme twice": [(":scheme", "http")],
    "authority twice": [(":authority", "a.example.com")],
    "protocol without connect": [(":protocol", "websocket")],
    "connection": [("connection", "close")],
    "keep-alive": [("keep-alive", "1")],
    "proxy-connection": [("proxy-connection", "close")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "upgrade": [("upgrade", "h2c")],
    "te": [("te", "gzip")],
    "line end in a value": [("x", "a\r\nY: b")],
    "lf in a value": [("x", "a\nb")],
    "nul in a value": [("x", "a\0b")],
    "space before a value": [("x", " a")],
    "tab behind a value": [("x", "a\t")],
    "lf in a name": [("x\ny", "1")],
    "host twice": [("host", "a.example.com"), ("host", "a.example.com")],
    "content-length twice": [("content-length", "0"), ("content-length", "0")],
    "content-length of words": [("content-length", "five")],
    "content-length below zero": [("content-length", "-1")],
    "content-length with a sign": [("content-length", "+0")],
    "content-length list": [("content-length", "0, 0")],
}
PSEUDO = {
    "no method": {":method": None},
    "no path": {":path": None},
    "no scheme": {":scheme": None},
    "no authority and no host": {":authority": None},
    "empty path": {":path": ""},
    "empty method": {":method": ""},
    "path without slash": {":path": "x"},
    "absolute path": {":path": "http://a.example.com/"},
    "space in the path": {":path": "/a b"},
    "request line in the path": {":path": "/ HTTP/1.1\r\nX: y\r\n\r\nGET /"},
    "lf in the path": {":path": "/a\nb"},
    "fragment in the path": {":path": "/a#b"},
    "asterisk for get": {":path": "*"},
    "space in the method": {":method": "GET /x"},
    "lf in the method": {":method": "GET\n"},
    "brackets in the method": {":method": "G(T"},
    "space in the authority": {":authority": "a b"},
    "user in the authority": {":authority": "user@a.example.com"},
    "lf in the authority": {":authority": "a.example.com\r\nX: y"},
    "slash in the authority": {":authority": "a.example.com/x"},
    "other scheme": {":scheme": "ftp"},
    "connect": {":method": "CONNECT"},
    "connect as it should be": {":method": "CONNECT", ":path": None, ":scheme": None},
}


@case
def malformed_requests_reach_nobody(w):
    """RFC 9113 8.1.1: a stream error, or a 400; and the next request is served."""
    host, (inst,), _ = w.app()
    good = {":method": "GET", ":scheme": "http", ":authority": host, ":path": "/"}
    with connect(w) as c:
        for what, fields in [*MALFORMED.items(), *PSEUDO.items()]:
            for huffman in (False, True):
                if isinstance(fields, dict):
                    wrong = [(k, v) for k, v in (good | fields).items() if v is not None]
                else:
                    wrong = [*good.items(), *fields]
                n = len(inst.requests)
                s = c.answer(c.head(wrong, huffman=huffman))
                assert s.reset == h2.PROTOCOL_ERROR or s.status in (400, 405), (what, s.reset, s.headers)
                assert len(inst.requests) == n, (what, inst.requests[-1].raw)
                assert c.get(host).status == 200, what


@case
def malformed_trailers_end_the_stream(w):
    host, (inst,), _ = w.app()
    with connect(w) as c:
        for trailers in ([(":path", "/")], [("X-Upper", "1")], [("connection", "close")], [("x", "a\r\nb: c")]):
            n = len(inst.requests)
            stream = c.ask(host, method="POST", end=False)
            s = c.send(stream, b"x", trailers=trailers).answer(stream)
            assert s.reset == h2.PROTOCOL_ERROR and len(inst.requests) == n, (trailers, s.reset, s.headers)
        # Trailers that do not end the stream.
        stream = c.ask(host, method="POST", end=False)
        c.head([("x", "1")], end=False, stream=stream)
        assert c.answer(stream).reset == h2.PROTOCOL_ERROR
        assert c.get(host).status == 200


@case
def heads_are_bounded(w):
    host, (inst,), _ = w.app()
    with connect(w) as c:
        assert c.get(host, "/" + "x" * 7000, headers=[("x", "y" * 7000)]).status == 200
        c.until(lambda: c.acks > 0)
        assert c.settings[h2.MAX_HEADER_LIST_SIZE] == 32768 and c.settings[h2.MAX_CONCURRENT_STREAMS] == 100
        many = [(f"x-{i}", "y") for i in range(100)]
        assert c.get(host, headers=many).status == 200
        n = len(inst.requests)
        for headers in ([(f"x-{i}", "y") for i in range(140)], [(f"x-{i}", "y" * 7000) for i in range(5)], [("x", "y" * 9000)],
                        [("cookie", "a=b")] * 1000, [("x", "")] * 900):
            s = c.get(host, headers=headers)
            assert s.status == 431, (len(headers), s.headers, s.reset)
        s = c.get(host, "/" + "x" * 9000)
        assert s.status == 414, s.headers
        assert len(inst.requests) == n and c.get(host).status == 200


@case
def hpack_bomb_is_bounded(w):
    """A few bytes that stand for many megabytes: one indexed field of 4000 bytes, thousands of times."""
    host, (inst,), _ = w.app()
    with connect(w) as c:
        fields = hpack.encode([(":method", "GET"), (":scheme", "http"), (":authority", host), (":path", "/")])
        bomb = hpack.literal("x", "y" * 3900, index=True) + b"\xbe" * 12000
        before = resident(w)
        for _ in range(20):
            stream = c.open()
            c.frame(HEADERS, END_STREAM | END_HEADERS, stream, fields + bomb)
            assert c.answer(stream).status == 431
        assert not inst.requests and resident(w) - before < 8 << 20
        assert c.get(host).status == 200


def resident(w, router=None):
    with open(f"/proc/{(router or w.router).proc.pid}/statm") as f:
        return int(f.read().split()[1]) * 4096


# ---- frames ---------------------------------------------------------------------------------

def headers(c, host, flags=END_STREAM | END_HEADERS, stream=None):
    block = hpack.encode([(":method", "GET"), (":scheme", "http"), (":authority", host), (":path", "/")])
    return pack(HEADERS, flags, stream or c.open(), block)


def done(c, host, cancel=False, left_out=False):
    """A stream that is over. Nothing more is to be sent for it."""
    if left_out:
        c.open()
    if cancel:
        stream = c.ask(host)
        c.frame(RST_STREAM, 0, stream, u32(h2.CANCEL))
    else:
        c.get("nobody.example.com")
    c.ping()
    return b""


def u32(*values):
    return struct.pack(f">{len(values)}I", *values)


P, F, W, Z, H = h2.PROTOCOL_ERROR, h2.FRAME_SIZE_ERROR, h2.FLOW_CONTROL_ERROR, h2.STREAM_CLOSED, h2.COMPRESSION_ERROR
# What is sent, given the client and a host, and what GOAWAY may say.
WRONG_FRAMES = {
    "data on stream 0": (lambda c, h: pack(DATA, 0, 0, b"x"), {P}),
    "data on an idle stream": (lambda c, h: pack(DATA, 0, 101, b"x"), {P}),
    "data behind the end": (lambda c, h: headers(c, h, stream=c.open()) + pack(DATA, 0, c.next_id - 2, b"x"), {Z}),
    "headers on stream 0": (lambda c, h: pack(HEADERS, END_HEADERS, 0, b"\x82"), {P}),
    "headers on a closed stream": (lambda c, h: done(c, h) + headers(c, h, stream=c.next_id - 2), {Z}),
    "headers on a cancelled stream": (lambda c, h: done(c, h, True) + headers(c, h, stream=c.next_id - 2), {Z}),
    "headers behind the last stream": (lambda c, h: headers(c, "nobody", stream=0x7fffffff) + headers(c, h, stream=0x7fffffff), {P, Z}),
    "headers on a stream left out": (lambda c, h: done(c, h, left_out=True) + headers(c, h, stream=1), {P}),
    "headers on a stream of ours": (lambda c, h: headers(c, h, stream=2), {P}),
    "headers without end_stream twice": (lambda c, h: headers(c, h, stream=c.open()) + headers(c, h, stream=c.next_id - 2), {P, Z}),
    "continuation without headers": (lambda c, h: pack(CONTINUATION, END_HEADERS, 1, b"\x82"), {P}),
    "continuation behind the end of headers": (lambda c, h: headers(c, h) + pack(CONTINUATION, END_HEADERS, 1, b"\x82"), {P}),
    "ping within headers": (lambda c, h: headers(c, h, END_STREAM) + pack(PING, 0, 0, b"01234567"), {P}),
    "headers within headers": (lambda c, h: headers(c, h, END_STREAM) + headers(c, h), {P}),
    "continuation of another stream": (lambda c, h: headers(c, h, END_STREAM) + pack(CONTINUATION, END_HEADERS, 77, b""), {P}),
    "unknown frame within headers": (lambda c, h: headers(c, h, END_STREAM) + pack(99, 0, 1, b""), {P}),
    "too long a data frame": (lambda c, h: headers(c, h, END_HEADERS) + pack(DATA, 0, 1, b"x" * 16385), {F}),
    "too long headers": (lambda c, h: pack(HEADERS, END_HEADERS, 1, b"x" * 16385), {F}),
    "too long an unknown frame": (lambda c, h: pack(99, 0, 0, b"x" * 16385), {F}),
    "padding longer than headers": (lambda c, h: pack(HEADERS, END_HEADERS | PADDED, c.open(), b"\x05\x82"), {P}),
    "padding longer than data": (lambda c, h: headers(c, h, END_HEADERS) + pack(DATA, PADDED, 1, b"\x05x"), {P}),
    "padded data without padding": (lambda c, h: headers(c, h, END_HEADERS) + pack(DATA, PADDED, 1, b""), {F, P}),
    "priority headers too short": (lambda c, h: pack(HEADERS, END_HEADERS | PRIORITISED, c.open(), b"\0\0"), {F, P}),
    "no such index": (lambda c, h: pack(HEADERS, END_HEADERS, c.open(), b"\xff\xff\x7f"), {H}),
    "index 0": (lambda c, h: pack(HEADERS, END_HEADERS, c.open(), b"\x80"), {H}),
    "string cut": (lambda c, h: pack(HEADERS, END_HEADERS, c.open(), b"\0\x05abc"), {H}),
    "huffman with a wrong end": (lambda c, h: pack(HEADERS, END_HEADERS, c.open(), b"\0\x81\0\x01a"), {H}),
    "integer without end": (lambda c, h: pack(HEADERS, END_HEADERS, c.open(), b"\0\x7f" + b"\xff" * 20), {H}),
    "table larger than allowed": (lambda c, h: pack(HEADERS, END_HEADERS, c.open(), b"\x3f\xe1\xff\x03"), {H}),
    "table size behind a field": (lambda c, h: pack(HEADERS, END_HEADERS, c.open(), b"\x82\x20"), {H}),
    "rst_stream of an idle stream": (lambda c, h: pack(RST_STREAM, 0, 101, u32(8)), {P}),
    "rst_stream of stream 0": (lambda c, h: pack(RST_STREAM, 0, 0, u32(8)), {P}),
    "rst_stream too short": (lambda c, h: headers(c, h) + pack(RST_STREAM, 0, 1, b"\0\0"), {F}),
    "settings acknowledged with a payload": (lambda c, h: pack(SETTINGS, ACK, 0, b"\0" * 6), {F}),
    "settings not of six bytes": (lambda c, h: pack(SETTINGS, 0, 0, b"\0" * 5), {F}),
    "settings on a stream": (lambda c, h: pack(SETTINGS, 0, 1, b""), {P}),
    "settings: push 2": (lambda c, h: pack(SETTINGS, 0, 0, struct.pack(">HI", h2.ENABLE_PUSH, 2)), {P}),
    "settings: window too large": (lambda c, h: pack(SETTINGS, 0, 0, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, 1 << 31)), {W}),
    "settings: frames too small": (lambda c, h: pack(SETTINGS, 0, 0, struct.pack(">HI", h2.MAX_FRAME_SIZE, 16383)), {P}),
    "settings: frames too large": (lambda c, h: pack(SETTINGS, 0, 0, struct.pack(">HI", h2.MAX_FRAME_SIZE, 1 << 24)), {P}),
    "push_promise": (lambda c, h: headers(c, h, END_HEADERS) + pack(PUSH_PROMISE, END_HEADERS, 1, u32(2) + b"\x82"), {P}),
    "ping too short": (lambda c, h: pack(PING, 0, 0, b"0123456"), {F}),
    "ping on a stream": (lambda c, h: pack(PING, 0, 1, b"01234567"), {P}),
    "goaway on a stream": (lambda c, h: pack(GOAWAY, 0, 1, u32(0, 0)), {P}),
    "goaway too short": (lambda c, h: pack(GOAWAY, 0, 0, b"\0\0"), {F}),
    "window_update of 0": (lambda c, h: pack(WINDOW_UPDATE, 0, 0, u32(0)), {P}),
    "window_update of 0 for a stream": (lambda c, h: headers(c, h) + pack(WINDOW_UPDATE, 0, 1, u32(0)), {P}),
    "window_update too short": (lambda c, h: pack(WINDOW_UPDATE, 0, 0, b"\0\0"), {F}),
    "window_update beyond the bound": (lambda c, h: pack(WINDOW_UPDATE, 0, 0, u32((1 << 31) - 1)), {W}),
    "window_update of an idle stream": (lambda c, h: pack(WINDOW_UPDATE, 0, 101, u32(1)), {P}),
    "priority on stream 0": (lambda c, h: pack(PRIORITY, 0, 0, b"\0" * 5), {P}),
}


@case
def wrong_frames_end_the_connection(w):
    """RFC 9113 5 to 7: by GOAWAY with the code that it names."""
    host, _, _ = w.app(lambda inst, c, f: f.read(1) and time.sleep(LIMIT))
    good, _, _ = w.app()
    for what, (send, codes) in WRONG_FRAMES.items():
        with connect(w) as c:
            c.raw(send(c, host))
            try:
                code = c.end()
            except TimeoutError:
                code = "none"
            assert code in codes, (what, code)
        with connect(w) as c:
            assert c.get(good).status == 200, what


# The same, where only the stream ends.
WRONG_FOR_STREAM = {
    "window_update beyond the bound": (lambda c, s: pack(WINDOW_UPDATE, 0, s, u32((1 << 31) - 1)), W),
    "headers that do not end": (lambda c, s: pack(HEADERS, END_HEADERS, s, b""), P),
}


@case
def wrong_frames_of_a_stream_end_it(w):
    host, (inst,), _ = w.app(lambda inst, c, f: f.read())
    good, _, _ = w.app()
    with connect(w) as c:
        for what, (send, code) in WRONG_FOR_STREAM.items():
            stream = c.ask(host, method="POST", end=False)
            c.raw(send(c, stream))
            assert c.answer(stream).reset == code, (what, c.streams[stream].reset)
            assert c.get(good).status == 200, what
    wait_for("the instance to be let go", lambda: not inst.open)


@case
def odd_frames_are_borne(w):
    host, _, _ = w.app()
    with connect(w, settings=[(h2.ENABLE_PUSH, 0), (0x99, 7)]) as c:
        c.frame(99, 0xff, 0, b"what is this").frame(99, 0, 5, b"")
        c.frame(PING, ACK, 0, b"unasked.")
        c.frame(PRIORITY, 0, 1, u32(3) + b"\x05").frame(PRIORITY, 0, 101, u32(0) + b"\x05")
        stream = c.open()
        block = hpack.encode([(":method", "POST"), (":scheme", "http"), (":authority", host), (":path", "/")])
        c.frame(HEADERS, PADDED | PRIORITISED, stream, b"\x03" + u32(0) + b"\x10" + block[:10] + b"\0" * 3)
        c.frame(CONTINUATION, 0, stream, b"")
        c.frame(CONTINUATION, END_HEADERS, stream, block[10:])
        c.frame(DATA, PADDED, stream, b"\x04hello\0\0\0\0").frame(DATA, 0, stream).frame(DATA, END_STREAM, stream, b"")
        assert c.answer(stream).json["length"] == 5
        # Of streams that are over.
        c.frame(WINDOW_UPDATE, 0, stream, u32(1)).frame(RST_STREAM, 0, stream, u32(8)).frame(PRIORITY, 0, stream, u32(0) + b"\x05")
        # Its place is given back.
        for _ in range(300):
            assert c.get(host).status == 200
        assert c.goaway is None


@case
def what_is_no_http2_is_refused(w):
    for first in (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI * HTTP/2.0\r\nHost: a\r\n\r\n", b"PRI /x HTTP/2.0\r\n\r\n"):
        with w.client() as c:
            assert c.send(first).read_answer().status in (400, 505), first
    for then in (pack(PING, 0, 0, b"01234567"), pack(SETTINGS, ACK), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
        with H2(w.router.http, greet=False) as c:
            c.raw(PREFACE + then)
            c.end()
            assert c.goaway is None or c.goaway[1] in (P, F), (then, c.goaway)
    # Behind a request of HTTP/1.1 it is no preface any more.
    host, _, _ = w.app()
    with w.client() as c:
        assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200
        assert c.send(PREFACE).read_answer().status in (400, 505)


@case
def preface_may_come_byte_by_byte(w):
    host, _, _ = w.app()
    with H2(w.router.http, greet=False) as c:
        first = PREFACE + pack(SETTINGS)
        block = hpack.encode([(":method", "GET"), (":scheme", "http"), (":authority", host), (":path", "/")])
        stream = c.open()
        for byte in first + pack(HEADERS, END_STREAM | END_HEADERS, stream, block):
            c.raw(bytes([byte]))
        assert c.answer(stream).status == 200


# ---- floods ---------------------------------------------------------------------------------

def begun(c, host):
    """Stream 1, the first time."""
    return headers(c, host, END_HEADERS) if c.next_id == 1 else b""


FLOODS = {
    "ping": lambda c, h: pack(PING, 0, 0, b"01234567") * 500,
    "settings": lambda c, h: pack(SETTINGS, 0, 0, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, 65535)) * 500,
    "empty data": lambda c, h: begun(c, h) + pack(DATA, 0, 1) * 500,
    "priority": lambda c, h: pack(PRIORITY, 0, 1, u32(3) + b"\x05") * 500,
    "unknown frames": lambda c, h: pack(99, 0, 0, b"") * 500,
    "window_update": lambda c, h: pack(WINDOW_UPDATE, 0, 0, u32(1)) * 500,
    "padding alone": lambda c, h: begun(c, h) + pack(DATA, PADDED, 1, b"\x03\0\0\0") * 500,
}


@case
def floods_end_the_connection(w):
    """CVE-2019-9511 to 9518: frames that cost us and bring nothing."""
    host, _, _ = w.app(lambda inst, c, f: f.read())
    for what, some in FLOODS.items():
        floods = w.router.metric("flynn_router_http2_floods_total")
        with connect(w) as c:
            reader = threading.Thread(target=c.end)
            reader.start()
            sent = 0
            try:
                while reader.is_alive() and sent < 5000:
                    c.raw(some(c, host))
                    sent += 1
            except OSError:
                pass
            reader.join(LIMIT)
            assert not reader.is_alive() and sent < 5000, what
            assert c.goaway is None or c.goaway[1] in (h2.ENHANCE_YOUR_CALM, P), (what, c.goaway)
        assert w.router.metric("flynn_router_http2_floods_total") == floods + 1, what


@case
def frames_at_an_even_pace_are_no_flood(w):
    """Thousands over a long time are borne: so many at once, and so many more for each second."""
    with connect(w) as c:
        some = pack(PRIORITY, 0, 1, u32(3) + b"\x05")
        c.raw(some * 1900).ping()
        time.sleep(1.5)
        c.raw(some * 250).ping()
        assert c.goaway is None


@case
def requests_are_no_flood_however_many(w):
    """Nor are those whose answers have no body."""
    host, _, _ = w.app(without_body)
    with connect(w) as c:
        for _ in range(60):
            ids = [c.ask(host, "/204") for _ in range(100)]
            assert all(c.answer(i).status == 204 for i in ids)


@case
def windows_for_crumbs_end_the_connection(w):
    """CVE-2019-9511: a large answer byte by byte."""
    host, _, _ = w.app(lambda inst, c, f: [read_request(f), answer(c, b"x" * 1000000)])
    with connect(w, settings=[(h2.INITIAL_WINDOW_SIZE, 0)], update=False) as c:
        stream = c.ask(host)
        s = c.streams[stream]
        with contextlib.suppress(AssertionError, OSError):
            while len(s.body) < 20000:
                n = len(s.body)
                c.give(stream, 1)
                c.until(lambda: len(s.body) > n)
        assert len(s.body) < 20000 and (c.goaway is None or c.goaway[1] == h2.ENHANCE_YOUR_CALM), (len(s.body), c.goaway)


@case
def window_given_back_frame_by_frame_is_no_flood(w):
    """What is left of a window makes small frames, which are given back, too: clumsy, but of use."""
    def pieces(inst, c, f):
        read_request(f)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12000000\r\n\r\n")
        for _ in range(2000):
            c.sendall(b"x" * 6000)

    host, _, _ = w.app(pieces)
    with connect(w) as c:
        s = c.answer(c.ask(host))
        assert s.body == b"x" * 12000000, len(s.body)


@case
def flood_whose_answers_nobody_reads_is_not_kept(w):
    before = resident(w)
    with connect(w) as c:
        c.sock.settimeout(2)
        ping = pack(PING, 0, 0, b"01234567") * 1000
        try:
            for _ in range(1000):
                c.raw(ping)
            raise AssertionError("the router takes PINGs for ever")
        except OSError:
            pass
        assert resident(w) - before < 4 << 20


@case
def continuation_flood_ends_the_connection(w):
    """CVE-2024-27316 and its kin."""
    host, _, _ = w.app()
    for part in (hpack.literal("x", "y" * 1000), b""):
        with connect(w) as c:
            c.frame(HEADERS, END_STREAM, c.open(), hpack.encode([(":method", "GET"), (":path", "/")]))
            try:
                for _ in range(5000):
                    c.frame(CONTINUATION, 0, 1, part)
            except OSError:
                pass
            c.end()
            assert not any(kind == HEADERS for kind, _, _, _ in c.frames)


@case
def rapid_reset_ends_the_connection(w):
    """CVE-2023-44487: each request is given up at once; and CVE-2025-8671: we are made to reset it."""
    host, (inst,), _ = w.app(lambda inst, c, f: f.read())
    for after in (lambda s: pack(RST_STREAM, 0, s, u32(h2.CANCEL)), lambda s: pack(WINDOW_UPDATE, 0, s, u32((1 << 31) - 1))):
        with connect(w) as c:
            reader = threading.Thread(target=c.end)
            reader.start()
            sent = 0
            try:
                while reader.is_alive() and sent < 20000:
                    c.raw(headers(c, host, stream=(stream := c.open())) + after(stream))
                    sent += 1
            except OSError:
                pass
            reader.join(LIMIT)
            assert not reader.is_alive() and sent < 20000, sent
            # Too many at once is another error.
            assert c.goaway is None or c.goaway[1] in (h2.ENHANCE_YOUR_CALM, P), c.goaway
        wait_for("the instance to be let go", lambda: not inst.open)


@case
def resets_have_a_bound_of_their_own(w):
    """Each costs more than a frame: they are too many long before these are."""
    host, _, _ = w.app(lambda inst, c, f: f.read())
    for after in (lambda s: pack(RST_STREAM, 0, s, u32(h2.CANCEL)), lambda s: pack(WINDOW_UPDATE, 0, s, u32((1 << 31) - 1))):
        with connect(w) as c:
            sent = 0
            with contextlib.suppress(AssertionError, OSError):
                while sent < 1500:
                    c.raw(b"".join(headers(c, host, stream=(s := c.open())) + after(s) for _ in range(50))).ping()
                    sent += 50
            assert 500 <= sent < 1500 and c.goaway[1] == h2.ENHANCE_YOUR_CALM, (sent, c.goaway)


@case
def requests_beyond_the_bound_are_refused(w):
    held = threading.Event()
    host, _, _ = w.app(holding(held))
    with connect(w) as c:
        c.ping()
        ids = [c.ask(host) for _ in range(100)]
        c.ping()
        more = c.ask(host)
        c.until(lambda: c.streams[more].reset is not None or c.goaway is not None)
        assert c.streams[more].reset == h2.REFUSED_STREAM or c.goaway[1] == P
        held.set()
        if c.goaway is None:
            assert all(c.answer(i).status == 200 for i in ids)


@case
def some_cancelled_requests_are_borne(w):
    host, (inst,), _ = w.app(lambda inst, c, f: f.read())
    good, _, _ = w.app()
    with connect(w) as c:
        for _ in range(3):
            ids = [c.ask(host) for _ in range(60)]
            for i in ids:
                c.frame(RST_STREAM, 0, i, u32(h2.CANCEL))
            assert c.get(good).status == 200
    wait_for("the instance to be let go", lambda: not inst.open)


# ---- flow control ---------------------------------------------------------------------------

@case
def body_that_no_instance_takes_is_not_kept(w):
    """The client gets no window for what we could only keep."""
    release = threading.Event()

    def slow(inst, c, f):
        read_head(f)
        release.wait(LIMIT)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    host, _, _ = w.app(slow)
    good, _, _ = w.app()
    before = resident(w)
    with connect(w) as c:
        sent, idle = 0, 0
        stream = c.ask(host, method="POST", headers=[("content-length", str(1 << 30))], end=False)
        s = c.streams[stream]
        c.ping()
        while idle < 20 and sent < 200 << 20:
            n = min(s.window, c.window, 16384)
            if n <= 0:
                c.ping()  # a WINDOW_UPDATE would have come before its answer
                time.sleep(0.01)
                idle += 1
                continue
            idle = 0
            c.frame(DATA, 0, stream, b"x" * n)
            s.window -= n
            c.window -= n
            sent += n
        assert sent < 30 << 20, sent  # what sockets hold
        assert resident(w) - before < 4 << 20
        assert c.get(good).status == 200  # others are not blocked by it
        release.set()


@case
def answer_that_no_client_takes_waits_at_the_instance(w):
    told = []

    def much(inst, c, f):
        while read_request(f) is not None:
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            for i in range(100):
                c.sendall(b"x" * 1000000)
                told.append(i)

    host, _, _ = w.app(much)
    good, _, _ = w.app()
    before = resident(w)
    with connect(w, update=False) as c:
        stream = c.ask(host)
        s = c.streams[stream]
        c.until(lambda: len(s.body) == 65535)
        c.ping()
        assert len(s.body) == 65535 and len(told) < 30 and resident(w) - before < 4 << 20
        c.give(0, 1 << 20)
        assert c.get(good).status == 200
        # All of it comes once it is wanted, by odd windows.
        c.update = True
        c.give(stream, 7)
        c.until(lambda: len(s.body) == 65542)
        c.give(stream, 1 << 20)
        c.until(lambda: len(s.body) >= 3000000)
        c.frame(RST_STREAM, 0, stream, u32(h2.CANCEL))
        assert c.get(good).status == 200


@case
def answers_over_tls_survive_a_slow_reader(w):
    """What waits within OpenSSL and what is added behind it stay in order."""
    def big(inst, c, f):
        while (r := read_request(f)) is not None:
            answer(c, (r.target[1:] * 100000).encode())

    cert, key = w.cert("slow.example.com")
    w.discoverd.set("slow", [Instance(big).addr])
    w.router.route("slow.example.com", "slow", tls_cert=cert, tls_key=key)
    with H2(w.router.https, tls={"name": "slow.example.com", "alpn": ["h2"]}) as c:
        c.give(0, 1 << 30)
        c.frame(SETTINGS, 0, 0, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, 1 << 30))
        ids = {c.ask("slow.example.com", f"/{i:08d}"): f"{i:08d}" for i in range(20)}
        for n, stream in enumerate(ids):
            time.sleep(0.05)
            c.frame(PING, 0, 0, b"01234567")
            assert c.answer(stream).body.decode() == ids[stream] * 100000, n
        c.until(lambda: len(c.pongs) == 20)


@case
def windows_of_zero_and_below_are_kept(w):
    host, _, _ = w.app()
    with connect(w, settings=[(h2.INITIAL_WINDOW_SIZE, 0)], update=False) as c:
        streams = [c.ask(host) for _ in range(5)]
        c.until(lambda: all(c.streams[i].headers for i in streams))
        c.ping()
        assert not any(c.streams[i].body for i in streams)
        for i in streams:
            c.give(i, 5)
        c.until(lambda: all(len(c.streams[i].body) == 5 for i in streams))
        # A smaller initial window makes them negative.
        c.frame(SETTINGS, 0, 0, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, 10))
        c.until(lambda: all(len(c.streams[i].body) == 15 for i in streams))
        c.frame(SETTINGS, 0, 0, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, 0))
        for i in streams:
            c.give(i, 5)
        c.ping().ping()
        assert all(len(c.streams[i].body) == 15 for i in streams)
        for i in streams:
            c.give(i, 100000)
        assert all(c.answer(i).json["method"] == "GET" for i in streams)


@case
def window_that_is_exceeded_ends_the_connection(w):
    host, _, _ = w.app(lambda inst, c, f: read_head(f) and time.sleep(LIMIT))
    with connect(w) as c:
        reader = threading.Thread(target=c.end)
        reader.start()
        try:
            c.raw(headers(c, host, END_HEADERS))
            for _ in range(4000):
                c.frame(DATA, 0, 1, b"x" * 16384)
            raise AssertionError("the router takes more than it said")
        except OSError:
            pass
        reader.join(LIMIT)
        assert not reader.is_alive() and (c.goaway is None or c.goaway[1] in (W, h2.ENHANCE_YOUR_CALM)), c.goaway


@case
def answers_of_many_streams_share_the_connection(w):
    def big(inst, c, f):
        while (r := read_request(f)) is not None:
            answer(c, r.target[-1:].encode() * 500000)

    host, _, _ = w.app(big)
    with connect(w) as c:
        ids = [c.ask(host, f"/{i}") for i in range(30)]
        for n, i in enumerate(ids):
            assert c.answer(i).body == b"%d" % (n % 10) * 500000


@case
def small_answer_passes_large_ones(w):
    """Streams share the connection even while its client reads slowly."""
    host, _, _ = w.app(lambda inst, c, f: [read_request(f), answer(c, b"x" * 50000000)])
    good, _, _ = w.app()
    with connect(w) as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        c.give(0, 1 << 30)
        c.frame(SETTINGS, 0, 0, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, 1 << 30))
        large = [c.streams[c.ask(host, f"/{i}")] for i in range(3)]
        c.until(lambda: all(s.body for s in large))
        time.sleep(0.1)  # all that can be buffered is
        before = sum(len(s.body) for s in large)
        s = c.get(good)
        passed = sum(len(s.body) for s in large) - before
        assert s.status == 200 and passed < 12000000, passed
        c.until(lambda: sum(len(s.body) for s in large) > 40000000)
        each = sorted(len(s.body) for s in large)
        assert each[0] > each[2] // 2, each


# ---- ends -----------------------------------------------------------------------------------

def dies(after, then=None):
    """An instance that sends some bytes, and goes."""
    def do(inst, c, f):
        read_head(f)
        c.sendall(after)
        if then == "reset":
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            c.close()
    return do


@case
def dying_instance_is_a_502_or_a_reset(w):
    """Never a clean end of what is not whole."""
    head = b"HTTP/1.1 200 OK\r\n"
    cases = {
        b"": 502,
        b"HTTP/1.1 200 O": 502,
        head + b"Content-Length: 5\r\n": 502,
        b"garbage\r\n\r\n": 502,
        head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello": 502,
        head + b"Content-Length: 50\r\n\r\nhello": None,
        head + b"Content-Length: 5\r\n\r\n": None,
        head + b"Transfer-Encoding: chunked\r\n\r\n": None,
        head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel": None,
        head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n": None,
        head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n": None,
    }
    good, _, _ = w.app()
    with connect(w) as c:
        for sent, status in cases.items():
            for then in (None, "reset") if status is None else (None,):
                host, _, _ = w.app(dies(sent, then))
                s = c.answer(c.ask(host, method="POST", headers=[("content-length", "0")]))
                if then == "reset" and s.status == 502:
                    continue  # the RST overtook the answer
                assert s.status == (status or 200) and (s.reset is None) == (status is not None), (sent, then, s.headers, s.reset)
                assert s.ended == (status is not None), (sent, then)
                assert s.reset in (None, h2.INTERNAL_ERROR)
            assert c.get(good).status == 200, sent
        host, _, _ = w.app(dies(head + b"\r\nuntil the end"))
        assert c.get(host).body == b"until the end"
        host, _, _ = w.app(dies(head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"))
        s = c.get(host)
        assert s.reset == h2.INTERNAL_ERROR or s.status == 502, (s.headers, s.reset)


@case
def silent_instance_is_a_504(w):
    host, _, _ = w.app(lambda inst, c, f: f.read())
    with connect(w) as c:
        assert c.get(host).status == 504


@case
def request_that_is_given_up_is_given_up_at_the_instance(w):
    gone = threading.Event()

    def wait(inst, c, f):
        read_head(f)
        f.read()
        gone.set()

    host, (inst,), _ = w.app(wait)
    with connect(w) as c:
        for send in (lambda i: c.frame(RST_STREAM, 0, i, u32(h2.CANCEL)),
                     lambda i: c.frame(DATA, 0, i, b"x").frame(RST_STREAM, 0, i, u32(h2.NO_ERROR))):
            gone.clear()
            stream = c.ask(host, method="POST", end=False)
            wait_for("the request", lambda: inst.open)
            send(stream)
            assert gone.wait(LIMIT)
    # And when the connection breaks off.
    for _ in range(2):
        gone.clear()
        c = connect(w)
        c.ask(host, method="POST", end=False)
        wait_for("the request", lambda: inst.open)
        c.close()
        assert gone.wait(LIMIT)


@case
def reset_within_an_answer_ends_it_only(w):
    def forever(inst, c, f):
        read_head(f)
        c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            c.sendall(b"x" * 10000)

    host, (inst,), _ = w.app(forever)
    good, _, _ = w.app()
    with connect(w) as c:
        for _ in range(20):
            stream = c.ask(host)
            c.until(lambda: len(c.streams[stream].body) > 20000)
            c.frame(RST_STREAM, 0, stream, u32(h2.CANCEL))
            assert c.get(good).status == 200
    wait_for("the instance to be let go", lambda: not inst.open)


@case
def early_answer_stops_the_request(w):
    def refuse(inst, c, f):
        read_head(f)
        answer(c, b"too much", "413 Content Too Large")
        time.sleep(0.2)

    host, _, _ = w.app(refuse)
    with connect(w) as c:
        stream = c.ask(host, method="POST", headers=[("content-length", str(10 << 20))], end=False)
        s = c.send(stream, b"x" * 30000, end=False).answer(stream)
        assert s.status == 413 and s.body == b"too much" and s.ended
        c.until(lambda: s.reset is not None)
        assert s.reset == h2.NO_ERROR
        # What the client sent before it knew of that: the rest of the body, and trailers.
        c.send(stream, b"x" * 1000, end=False)
        c.head([("x-check", "1")], stream=stream)
        assert c.get(host).status == 413 and c.goaway is None, c.goaway


@case
def head_must_come_in_time(w):
    host, _, _ = w.app()
    with connect(w) as c:
        assert c.get(host).status == 200
        c.raw(headers(c, host, END_STREAM))
        began = time.monotonic()
        assert c.end() == h2.ENHANCE_YOUR_CALM and time.monotonic() - began < LIMIT


@case
def client_that_ends_its_side_within_a_body_is_gone(w):
    host, (inst,), _ = w.app(lambda inst, c, f: f.read())
    with H2(w.router.http) as c:
        stream = c.ask(host, method="POST", headers=[("content-length", "10")], end=False)
        c.send(stream, b"hello", end=False)
        wait_for("the request", lambda: inst.open)
        c.sock.shutdown(socket.SHUT_WR)
        wait_for("the instance to be let go", lambda: not inst.open)


@case
def client_that_ends_its_side_gets_its_answers(w):
    def slow(inst, c, f):
        read_request(f)
        time.sleep(0.3)
        answer(c)

    host, _, _ = w.app(slow)
    with connect(w) as c:
        ids = [c.ask(host) for _ in range(5)]
        c.sock.shutdown(socket.SHUT_WR)
        for i in ids:
            assert c.answer(i).body == b"ok"
        assert c.client.ended()


@case
def goaway_of_the_client_lets_it_finish(w):
    host, _, _ = w.app()
    with connect(w) as c:
        stream = c.ask(host, method="POST", end=False)
        c.frame(GOAWAY, 0, 0, u32(0, 0))
        assert c.send(stream, b"hello").answer(stream).json["length"] == 5
        assert c.end() in (None, h2.NO_ERROR)


@case
def drain_lets_requests_finish_and_says_goaway(w):
    release = threading.Event()

    def slow(inst, c, f):
        read_request(f)
        release.wait(LIMIT)
        answer(c, b"late")

    host, (inst,), _ = w.app(slow)
    good, _, _ = w.app()
    r = Router(w.etcd.url, w.discoverd)
    try:
        with H2(r.http) as idle, H2(r.http) as busy, H2(r.http) as mute:
            assert idle.get(good).status == 200 and busy.get(good).status == 200 and mute.get(good).status == 200
            stream = busy.ask(host)
            wait_for("the request", lambda: inst.open)
            mute.take = lambda *_: None  # acknowledges nothing
            stopper = threading.Thread(target=r.stop)
            stopper.start()
            busy.until(lambda: busy.goaway is not None)
            # What was sent before the client knew is served yet.
            busy.until(lambda: busy.goaway[0] < 0x7fffffff)
            assert idle.end() == h2.NO_ERROR
            release.set()
            assert busy.answer(stream).body == b"late"
            assert busy.end() == h2.NO_ERROR
            mute.end()
            stopper.join(LIMIT)
            assert not stopper.is_alive()
    finally:
        r.proc.kill()


@case
def requests_on_their_way_are_served_while_draining(w):
    host, _, _ = w.app()
    r = Router(w.etcd.url, w.discoverd)
    try:
        with H2(r.http) as c:
            assert c.get(host).status == 200
            c.reply = lambda *_: None  # it has not heard of GOAWAY yet: the PING behind it is on its way
            r.proc.send_signal(15)
            c.until(lambda: c.goaway is not None)
            assert c.goaway == (0x7fffffff, 0)
            assert c.get(host).status == 200
            assert c.end() == h2.NO_ERROR and c.goaway[0] == 3
        assert r.proc.wait(LIMIT) == 0
    finally:
        r.proc.kill()


@case
def idle_connections_hold_little(w):
    host, _, _ = w.app()
    clients = []
    for _ in range(50):
        clients.append(connect(w))
        assert clients[-1].get(host).status == 200
    before = resident(w)
    for _ in range(200):
        clients.append(connect(w))
        assert clients[-1].get(host).status == 200
    kib = (resident(w) - before) / 200 / 1024
    print(f"# {kib:.1f} KiB an idle connection")
    assert os.environ.get("SAN") or kib < 40, kib
    for c in clients:
        c.close()


# ---- as for every other client --------------------------------------------------------------

@case
def routes_say_the_same_to_http2(w):
    host, insts, service = w.app(None, None, sticky=True)
    with connect(w) as c:
        s = c.get(host)
        cookie = s.get("set-cookie").split(";")[0]
        assert {c.get(host, headers=[("cookie", "a=b"), ("cookie", cookie)]).get("x-instance") for _ in range(20)} == {s.get("x-instance")}
    host, _, _ = w.app(redirect_https=True)
    with connect(w) as c:
        s = c.get(host, "/a?b")
        assert s.status == 301 and s.get("location") == f"https://{host}:{w.router.https}/a?b", s.headers
    host, _, _ = w.app(maintenance=True)
    with connect(w) as c:
        s = c.get(host)
        assert s.status == 503 and s.get("retry-after"), s.headers


@case
def http2_is_counted_and_told(w):
    host, _, _ = w.app()
    before = [w.router.metric(f"flynn_router_http2{x}_total") for x in ("", "_resets", "_floods")]
    with connect(w) as c:
        assert c.get(host, "/seen").status == 200
        c.head([(":method", "GET"), (":scheme", "http"), (":authority", host), (":path", "/"), ("connection", "close")])
        c.ping()
    after = [w.router.metric(f"flynn_router_http2{x}_total") for x in ("", "_resets", "_floods")]
    assert [b - a for a, b in zip(before, after)] == [1, 1, 0], (before, after)


# ---- slow clients ---------------------------------------------------------------------------

@contextlib.contextmanager
def router(w, *flags):
    r = Router(w.etcd.url, w.discoverd, *flags)
    try:
        yield r
    finally:
        r.proc.kill()
        r.proc.wait()


@case
def stuck_stream_is_cut_and_others_go_on(w):
    host, (inst,), _ = w.app(lambda inst, c, f: [read_request(f), answer(c, b"x" * 1000000)])
    good, _, _ = w.app()
    eof, _, _ = w.app(lambda inst, c, f: [read_request(f), answer(c, b"x" * 65535, framing="")])
    with router(w, "-send-timeout", "1") as r, H2(r.http, update=False) as c:
        stream = c.ask(host)
        s = c.streams[stream]
        c.until(lambda: len(s.body) == 65535)
        c.give(0, 1 << 20)
        c.until(lambda: s.reset is not None)
        assert s.reset == h2.INTERNAL_ERROR and not s.ended
        wait_for("the instance to be let go", lambda: not inst.open)
        assert c.get(good).status == 200
        # One whose answer is over but for its last frame, which waits for window.
        late = c.ask(eof)
        c.until(lambda: c.streams[late].reset is not None)
        assert c.get(good).status == 200


@case
def client_that_reads_nothing_is_cut(w):
    host, (inst,), _ = w.app(lambda inst, c, f: [read_request(f), answer(c, b"x" * 100000000)])
    with router(w, "-send-timeout", "1") as r, H2(r.http, settings=[(h2.INITIAL_WINDOW_SIZE, (1 << 31) - 1)]) as c:
        c.give(0, (1 << 31) - 1 - 65535)
        c.ask(host)
        wait_for("the instance to be let go", lambda: not inst.open and inst.connections)
        wait_for("the connection to end", lambda: r.metric("flynn_router_clients_open") == 0)


def is_same(value):
    before = value()
    time.sleep(0.2)
    return value() == before


def cpu_ticks(r):
    with open(f"/proc/{r.proc.pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[11:13]


@case
def client_that_reads_nothing_costs_nothing(w):
    """Even if its output is full but for a rest into which none of what waits for it fits."""
    sent = []

    def trickle(inst, c, f):
        c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        read_request(f)
        answer(c, framing="Content-Length: 100000000\r\n")
        while True:
            c.sendall(b"x" * 1000)
            sent.append(c)
            time.sleep(0.0002)

    host, _, _ = w.app(trickle)
    with router(w) as r, H2(r.http, settings=[(h2.INITIAL_WINDOW_SIZE, (1 << 31) - 1)]) as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.give(0, (1 << 31) - 1 - 65535)
        for _ in range(2):
            c.ask(host)
        wait_for("all that can be buffered to be", lambda: sent and is_same(lambda: len(sent)))
        wait_for("the router to rest", lambda: is_same(lambda: cpu_ticks(r)))


@case
def idle_connection_is_ended_by_goaway(w):
    host, _, _ = w.app()
    with router(w, "-idle-timeout", "1") as r, H2(r.http) as c, H2(r.http) as pinging:
        assert c.get(host).status == 200
        assert c.end() == h2.NO_ERROR
        # PINGs are no use of it.
        with contextlib.suppress(AssertionError, OSError):
            while True:
                pinging.ping()
                time.sleep(0.05)
        assert pinging.goaway[1] == h2.NO_ERROR


@case
def connection_with_requests_is_not_idle(w):
    """Not even if each is answered at once, as those for which there is no route."""
    with router(w, "-idle-timeout", "1") as r, H2(r.http) as c:
        for _ in range(5):
            assert c.get("nobody.example.com").status == 404
            time.sleep(0.4)
        assert c.goaway is None


@case
def body_that_does_not_come_is_a_408(w):
    host, (inst,), _ = w.app(lambda inst, c, f: f.read())
    with router(w, "-body-timeout", "1") as r, H2(r.http) as c:
        stream = c.ask(host, method="POST", headers=[("content-length", "10")], end=False)
        s = c.send(stream, b"hello", end=False).answer(stream)
        assert s.status == 408 and s.ended
        c.until(lambda: s.reset is not None)
        assert s.reset == h2.NO_ERROR
        wait_for("the instance to be let go", lambda: not inst.open)


@case
def short_memory_ends_what_is_held_and_serves_others(w):
    release = threading.Event()
    stuck, (inst,), _ = w.app(lambda inst, c, f: release.wait(LIMIT))
    good, _, _ = w.app()
    with router(w, "-buffer-memory", "1") as r:
        clients = [H2(r.http) for _ in range(8)]
        for c in clients:
            for _ in range(16):
                stream = c.ask(stuck, method="POST", headers=[("content-length", str(1 << 30))], end=False)
                for _ in range(3):
                    c.frame(DATA, 0, stream, b"x" * 16384)
        for c in clients:
            c.ping()
        kept = sum(s.reset is None and s.status is None for c in clients for s in c.streams.values())
        assert kept < 128, kept
        release.set()
        for c in clients:
            c.close()
        wait_for("memory", lambda: r.metric("flynn_router_buffer_bytes") < 1 << 20)
        with H2(r.http) as c:
            assert c.get(good).status == 200
