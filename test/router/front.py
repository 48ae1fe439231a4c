"""What stands between strangers and instances: headers that tell where a request came from, trusted
proxies, the PROXY protocol, slow clients, limits."""

import contextlib

from world import Client, Router, answer, case, read_request


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
