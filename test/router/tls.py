"""Certificates by name, the default one, and session tickets that all routers share."""

import base64
import contextlib
import json
import os
import socket
import ssl
import subprocess

from etcd_api import b64, etcd_call
from world import KEY, LIMIT, SLOW, Client, Instance, Router, case, free_port, wait_for

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def context(version=None):
    """A client's: it keeps sessions only when it is the same one that resumes them."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    if version:
        ctx.minimum_version = ctx.maximum_version = version
    return ctx


class Shake:
    """One handshake and a request: which certificate, whether resumed, the session for the next."""

    def __init__(self, port, name, host=None, ctx=None, session=None):
        ctx = ctx or context()
        with ctx.wrap_socket(socket.create_connection(("127.0.0.1", port), LIMIT), server_hostname=name, session=session) as s:
            s.sendall(f"GET / HTTP/1.1\r\nHost: {host or name}\r\n\r\n".encode())
            self.status = int(s.recv(12).split()[1])
            # A resumed session has no certificate of its own in TLS 1.3: what Python tells is the session's.
            self.cert = ssl.DER_cert_to_PEM_cert(s.getpeercert(True))
            self.resumed = s.session_reused
            self.session = s.session


def refused(port, name):
    try:
        Client(port, tls={"name": name}).close()
    except ssl.SSLError as e:
        return "UNRECOGNIZED_NAME" in str(e)
    return False


def site(w, domain, cert_name=None):
    """A route with a certificate; what it is."""
    cert, key = w.cert(cert_name or domain)
    service = "tls-" + domain.replace("*", "any").replace(".", "-")
    w.discoverd.set(service, [Instance().addr])
    w.router.route(domain, service, tls_cert=cert, tls_key=key)
    return cert


def same(one, two):
    return one.split() == two.split()


def ticket_keys(w, rotation):
    """Those in etcd: name -> value."""
    prefix = f"/router-tls/tickets/{rotation}/"
    found = etcd_call(w, "/v3/kv/range", {"key": b64(prefix), "range_end": b64(prefix[:-1] + "0")})
    return {base64.b64decode(kv["key"]).decode(): base64.b64decode(kv["value"]).decode() for kv in found.get("kvs", [])}


@contextlib.contextmanager
def router(w, *flags):
    r = Router(w.etcd.url, w.discoverd, *flags, threads=1)
    try:
        yield r
    except BaseException:
        r.proc.kill()
        raise
    assert r.stop() == 0


# ---- certificates ---------------------------------------------------------------------------

@case
def wildcard_certificate_serves_all_names_below(w):
    wild = site(w, "*.wild.example.com")
    own = site(w, "own.wild.example.com")
    for name, cert in (("a.wild.example.com", wild), ("B.Wild.Example.com", wild), ("own.wild.example.com", own),
                       ("a.wild.example.com", wild)):
        shake = Shake(w.router.https, name)
        assert shake.status == 200 and same(shake.cert, cert), name
    assert refused(w.router.https, "wild.example.com")


@case
def certificate_is_replaced_without_a_restart(w):
    site(w, "new.example.com")
    cert, key = w.cert("newer.example.com")
    route = {"type": "http", "config": {"domain": "new.example.com", "service": "x", "tls_cert": cert, "tls_key": key}}
    assert w.router.call("PUT", "/routes", route)[0] == 200
    assert same(Shake(w.router.https, "new.example.com").cert, cert)


@case
def certificates_that_nobody_asks_for_cost_little_memory(w):
    with router(w) as r:
        cert, key = w.cert("many.example.com")
        before = heap(r)
        for i in range(300):
            r.route(f"{i}.many.example.com", "many", tls_cert=cert, tls_key=key)
        # 4 KiB each here; OpenSSL's objects of one are 40. A sanitizer keeps what was freed.
        wait_for("the heap to be trimmed", lambda: heap(r) - before < 300 * 15 or SLOW > 1)
        for i in (0, 299):
            w.discoverd.set("many", [Instance().addr])
            assert same(Shake(r.https, f"{i}.many.example.com").cert, cert)
        routes = [x["id"] for x in r.call("GET", "/routes")[1] if x["config"].get("domain", "").endswith(".many.example.com")]
        for i in routes:
            assert r.call("DELETE", "/routes/" + i)[0] == 200


def heap(r):
    """KiB of memory that is the router's alone."""
    with open(f"/proc/{r.proc.pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Private_Dirty"))


@case
def rsa_certificates_serve_too(w):
    base = os.path.join(os.environ["TMP"], "rsa")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=rsa.example.com",
                    "-keyout", base + ".key", "-out", base + ".crt"], check=True, capture_output=True)
    cert = open(base + ".crt").read()
    w.discoverd.set("rsa", [Instance().addr])
    w.router.route("rsa.example.com", "rsa", tls_cert=cert, tls_key=open(base + ".key").read())
    for version in VERSIONS:
        assert same(Shake(w.router.https, "rsa.example.com", ctx=context(version)).cert, cert)


@case
def chain_is_sent_with_the_certificate(w):
    dirname = os.environ["TMP"]
    def run(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=dirname)

    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=chain CA",
        "-keyout", "chain-ca.key", "-out", "chain-ca.crt")
    for name, ca, ext in (("chain-mid", "chain-ca", "basicConstraints=critical,CA:TRUE"),
                          ("chain.example.com", "chain-mid", "subjectAltName=DNS:chain.example.com")):
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", name + ".key", "-out", name + ".csr")
        with open(os.path.join(dirname, name + ".ext"), "w") as f:
            f.write(ext + "\n")
        run("x509", "-req", "-days", "2", "-in", name + ".csr", "-CA", ca + ".crt", "-CAkey", ca + ".key", "-CAcreateserial",
            "-extfile", name + ".ext", "-out", name + ".crt")
    read = lambda name: open(os.path.join(dirname, name)).read()
    w.discoverd.set("chain", [Instance().addr])
    w.router.route("chain.example.com", "chain", tls_cert=read("chain.example.com.crt") + read("chain-mid.crt"),
                   tls_key=read("chain.example.com.key"))
    ctx = ssl.create_default_context(cafile=os.path.join(dirname, "chain-ca.crt"))
    assert Shake(w.router.https, "chain.example.com", ctx=ctx).status == 200


@case
def without_a_default_certificate_an_unknown_name_is_refused(w):
    host, _, _ = w.app()
    for name in (None, "nobody.example.com", host):
        assert refused(w.router.https, name), name


@case
def default_certificate_is_for_clients_without_a_name_of_ours(w):
    own = site(w, "known.example.com")
    host, (inst,), _ = w.app()  # a route without a certificate
    cert, key = w.cert("default.example.com")
    path = os.path.join(os.environ["TMP"], "default.pem")
    with open(path, "w") as f:
        f.write(key + cert)
    os.environ["DEFAULT_CERT"] = cert + key
    try:
        by_env = Router(w.etcd.url, w.discoverd, threads=1)
    finally:
        del os.environ["DEFAULT_CERT"]
    try:
        with router(w, "-default-cert", path) as r:
            for port in (r.https, by_env.https):
                for version in VERSIONS:
                    for name in (None, "nobody.example.com", host):
                        shake = Shake(port, name, host, context(version))
                        assert same(shake.cert, cert) and shake.status == 200, name
                    assert Shake(port, "nobody.example.com").status == 404
                    assert same(Shake(port, "known.example.com", ctx=context(version)).cert, own)
    finally:
        by_env.proc.kill()
        by_env.proc.wait()
    assert len(inst.requests) == 12


@case
def default_certificate_may_be_made_on_the_spot(w):
    with router(w, "-default-cert", "self") as r:
        assert Shake(r.https, None, "nobody.example.com").status == 404


@case
def bad_default_certificate_ends_the_start_with_a_sentence(w):
    cert, key = w.cert("default.example.com")
    other = w.cert("other.example.com")[1]
    base = os.path.join(os.environ["TMP"], "bad-default")
    for text, why in ((None, "No such file"), ("nonsense", "no certificate in PEM"), (cert, "no private key"),
                      (cert + other, "not the key")):
        if text:
            with open(base, "w") as f:
                f.write(text)
        r = subprocess.run(["flynn-router", "-default-cert", base, "-httpaddr", f":{free_port()}", "-httpsaddr", f":{free_port()}"],
                           env=dict(os.environ, CLUSTER_KEY=KEY, ETCD=w.etcd.url, PORT=str(free_port())), capture_output=True,
                           text=True, timeout=LIMIT)
        assert r.returncode != 0 and why in r.stderr, (text, r.stderr)
        assert "PRIVATE" not in r.stderr


@case
def alert_ends_a_malformed_name(w):
    for name in (b"", b"a b.example.com", b"\xff.example.com", b"x" * 300):
        with socket.create_connection(("127.0.0.1", w.router.https), LIMIT) as s:
            s.sendall(client_hello(name))
            answer = s.recv(100)
        assert answer[:1] == b"\x15" and answer[6:7] == b"\x70", (name[:20], answer)


@case
def alert_ends_a_version_before_tls_1_2(w):
    site(w, "version.example.com")
    for version in (b"\x03\x01", b"\x03\x02"):
        with socket.create_connection(("127.0.0.1", w.router.https), LIMIT) as s:
            s.sendall(client_hello(b"version.example.com", version))
            answer = s.recv(100)
        assert answer[:1] == b"\x15" and answer[6:7] == b"\x46", (version, answer)  # protocol_version


def client_hello(name, version=b"\x03\x03"):
    """TLS 1.2's, or that of an older version, as bytes: Python sends no bad names."""
    sni = len(name).to_bytes(2, "big") + name
    sni = (len(sni) + 1).to_bytes(2, "big") + b"\0" + sni
    exts = b"\0\0" + len(sni).to_bytes(2, "big") + sni + b"\0\x0a\0\x04\0\x02\0\x1d" + b"\0\x0d\0\x04\0\x02\x04\x03"
    body = version + bytes(32) + b"\0" + b"\0\x02\xc0\x2b" + b"\x01\0" + len(exts).to_bytes(2, "big") + exts
    hello = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello


# ---- sessions -------------------------------------------------------------------------------

@case
def session_is_resumed_by_any_router_of_the_cluster(w):
    site(w, "cluster.example.com")
    with router(w) as other:
        wait_for("the keys to be shared", lambda: ticket_keys(w, 28800))
        for version in VERSIONS:
            ctx = context(version)
            first = Shake(w.router.https, "cluster.example.com", ctx=ctx)
            assert not first.resumed
            wait_for("a ticket that both open", lambda: hop(w, other, ctx))
        resumed = other.metric("flynn_router_tls_resumed_total")
        assert resumed >= 2, resumed


def hop(w, other, ctx):
    """A session of one router, on the other and back."""
    first = Shake(w.router.https, "cluster.example.com", ctx=ctx)
    second = Shake(other.https, "cluster.example.com", ctx=ctx, session=first.session)
    third = Shake(w.router.https, "cluster.example.com", ctx=ctx, session=second.session)
    return second.resumed and third.resumed


@case
def session_outlives_a_restart(w):
    site(w, "restart.example.com")
    wait_for("the keys to be shared", lambda: ticket_keys(w, 28800))
    with router(w) as r:
        wait_for("the shared key to seal", lambda: hop_names(w.router.https, r.https, "restart.example.com"))
        ctx = context()
        session = Shake(r.https, "restart.example.com", ctx=ctx).session
        assert r.stop() == 0
        r.start()
        wait_for("routes", lambda: not refused(r.https, "restart.example.com"))
        wait_for("the session to be resumed", lambda: Shake(r.https, "restart.example.com", ctx=ctx, session=session).resumed)


def hop_names(one, two, name):
    ctx = context()
    return Shake(two, name, ctx=ctx, session=Shake(one, name, ctx=ctx).session).resumed


@case
def session_of_one_name_is_none_of_another(w):
    one, two = site(w, "a.names.example.com"), site(w, "b.names.example.com")
    wild = site(w, "*.names.example.com")
    for version in VERSIONS:
        ctx = context(version)
        session = Shake(w.router.https, "a.names.example.com", ctx=ctx).session
        assert Shake(w.router.https, "a.names.example.com", ctx=ctx, session=session).resumed
        other = Shake(w.router.https, "b.names.example.com", ctx=ctx, session=session)
        assert not other.resumed and same(other.cert, two) and not same(one, two)
        # The same certificate, another name: RFC 6066 wants a full handshake.
        session = Shake(w.router.https, "c.names.example.com", ctx=ctx).session
        assert Shake(w.router.https, "c.names.example.com", ctx=ctx, session=session).resumed
        other = Shake(w.router.https, "d.names.example.com", ctx=ctx, session=session)
        assert not other.resumed and same(other.cert, wild)


@case
def session_ends_with_its_certificate(w):
    site(w, "change.example.com")
    ctx = context()
    session = Shake(w.router.https, "change.example.com", ctx=ctx).session
    cert, key = w.cert("changed.example.com")
    route = {"type": "http", "config": {"domain": "change.example.com", "service": "x", "tls_cert": cert, "tls_key": key}}
    status, changed = w.router.call("PUT", "/routes", route)
    assert status == 200
    shake = Shake(w.router.https, "change.example.com", ctx=ctx, session=session)
    assert not shake.resumed and same(shake.cert, cert)
    session = shake.session
    assert w.router.call("DELETE", "/routes/" + changed["id"])[0] == 200
    with contextlib.suppress(ssl.SSLError):
        Shake(w.router.https, "change.example.com", ctx=ctx, session=session)
        raise AssertionError("a session without a route was resumed")


@case
def keys_are_rotated_and_forgotten(w):
    site(w, "rotate.example.com")
    flags = ("-ticket-rotation", "2")
    with router(w, *flags) as one, router(w, *flags) as two:
        # From the second epoch on each key is there an epoch before it seals.
        wait_for("keys", lambda: len(ticket_keys(w, 2)) >= 3)
        # What a router sealed before it knew them is its own.
        wait_for("both to use them", lambda: hop_names(one.https, two.https, "rotate.example.com") and
                 hop_names(two.https, one.https, "rotate.example.com"))
        seen, ctx = set(), context()
        session = Shake(one.https, "rotate.example.com", ctx=ctx).session
        misses = 0
        # Over several epochs each session is resumed on the other router.
        while len(seen) < 7:
            keys = ticket_keys(w, 2)
            assert len(keys) <= 4, keys
            seen |= set(keys.values())
            one, two = two, one
            shake = Shake(one.https, "rotate.example.com", ctx=ctx, session=session)
            misses += not shake.resumed
            session = shake.session
        assert misses == 0, misses
    wait_for("etcd to forget them", lambda: ticket_keys(w, 2) == {}, 20)


@case
def sessions_are_resumed_while_etcd_is_away(w):
    site(w, "away.example.com")
    with router(w) as other:
        wait_for("a shared key", lambda: hop_names(w.router.https, other.https, "away.example.com"))
        w.etcd.stop()
        try:
            assert hop_names(w.router.https, other.https, "away.example.com")
            with router(w) as alone:  # it has never seen etcd: it knows no route, and has a key of its own
                assert refused(alone.https, "away.example.com")
            with router(w, "-default-cert", "self") as alone:
                ctx = context()
                session = Shake(alone.https, None, "x.example.com", ctx).session
                assert Shake(alone.https, None, "x.example.com", ctx, session).resumed
        finally:
            w.etcd.start()
        assert hop_names(w.router.https, other.https, "away.example.com")


@case
def keys_deleted_from_etcd_open_nothing_any_more(w):
    site(w, "revoke.example.com")
    ctx = context()
    with router(w) as other:
        wait_for("a shared key", lambda: hop_names(w.router.https, other.https, "revoke.example.com"))
        before = ticket_keys(w, 28800)
        session = Shake(w.router.https, "revoke.example.com", ctx=ctx).session
        prefix = "/router-tls/tickets/"
        etcd_call(w, "/v3/kv/deleterange", {"key": b64(prefix), "range_end": b64(prefix[:-1] + "0")})
        wait_for("the session to be refused", lambda: not Shake(w.router.https, "revoke.example.com", ctx=ctx, session=session).resumed)
        wait_for("new keys", lambda: ticket_keys(w, 28800))
        assert not set(before.values()) & set(ticket_keys(w, 28800).values())
        wait_for("them to be shared", lambda: hop_names(w.router.https, other.https, "revoke.example.com"))


@case
def no_key_is_told_by_the_api_or_the_log(w):
    cert, key = w.cert("secret.example.com")
    site(w, "secret.example.com")
    wait_for("keys", lambda: ticket_keys(w, 28800))
    told = json.dumps([w.router.call("GET", path)[1] for path in ("/routes", "/metrics", "/router-tls/tickets/", "/routes/tickets/28800")])
    with open(os.path.join(os.environ["TMP"], "router.log")) as f:
        log = f.read()
    for secret in [*ticket_keys(w, 28800).values(), *key.split("\n")[1:-2], "PRIVATE KEY"]:
        assert secret not in told and secret not in log, "a secret was told"
