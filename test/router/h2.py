"""HTTP/2, seen from its clients and from the instances."""

import os

from h2_client import H2, PREFACE
from world import Client, Instance, answer, case, read_request


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
