"""An ACME server (RFC 8555) that checks what it is sent: nonces, signatures, bindings, challenges. And misbehaves on request."""

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone

from world import LIMIT, free_port

# ---- P-256 ----------------------------------------------------------------------------------

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(n, point):
    out = None
    while n:
        if n & 1:
            out = add(out, point)
        point = add(point, point)
        n >>= 1
    return out


def verifies(jwk, message, signature):
    """ES256, RFC 7518 section 3.4."""
    q = tuple(int.from_bytes(decode(jwk[c]), "big") for c in "xy")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not 0 < r < N or not 0 < s < N or (q[1] ** 2 - q[0] ** 3 + 3 * q[0] - B) % P:
        return False
    w, e = pow(s, -1, N), int.from_bytes(hashlib.sha256(message).digest(), "big")
    point = add(times(e * w % N, G), times(r * w % N, q))
    return point is not None and point[0] % N == r


B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text):
    assert "=" not in text and "+" not in text and "/" not in text, text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def thumbprint(jwk):
    return encode(hashlib.sha256(json.dumps({k: jwk[k] for k in ("crv", "kty", "x", "y")}, separators=(",", ":"),
                                            sort_keys=True).encode()).digest())


# ---- certificates ---------------------------------------------------------------------------

def openssl(*args, **kw):
    return subprocess.run(["openssl", *args], check=True, capture_output=True, **kw).stdout


class Ca:
    """Signs what it is asked to, for as long as it is told."""

    made = 0

    def __init__(self):
        Ca.made += 1
        self.dir = os.path.join(os.environ["TMP"], f"ca-{Ca.made}")
        os.mkdir(self.dir)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj", "/CN=Test CA",
                "-keyout", self.file("ca.key"), "-out", self.file("ca.crt"))
        self.pem = open(self.file("ca.crt")).read()
        self.n = 0

    def file(self, name):
        return os.path.join(self.dir, name)

    def sign(self, csr, names, before=-60, after=86400):
        """A PEM certificate for a CSR in DER, valid from so many seconds from now to so many."""
        self.n += 1
        base = self.file(str(self.n))
        when = lambda s: (datetime.now(timezone.utc) + timedelta(seconds=s)).strftime("%Y%m%d%H%M%SZ")
        open(base + ".txt", "w").close()
        with open(base + ".cnf", "w") as f:
            f.write(f"""[ca]\ndefault_ca=c\n[c]\ndatabase={base}.txt\nnew_certs_dir={self.dir}\nrand_serial=yes\ndefault_md=sha256
policy=p\nx509_extensions=e\nunique_subject=no\n[p]\ncommonName=optional\n[e]\nsubjectAltName={",".join("DNS:" + n for n in names)}
basicConstraints=CA:FALSE\n""")
        with open(base + ".csr", "wb") as f:
            f.write(csr)
        openssl("req", "-inform", "DER", "-in", base + ".csr", "-out", base + ".pem")
        openssl("ca", "-batch", "-notext", "-config", base + ".cnf", "-cert", self.file("ca.crt"), "-keyfile", self.file("ca.key"),
                "-startdate", when(before), "-enddate", when(after), "-subj", "/", "-in", base + ".pem", "-out", base + ".crt")
        return open(base + ".crt").read()


def server_context(ca, name):
    """For a TLS server of the test's own, whose certificate is the CA's."""
    base = ca.file("server")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=acme", "-keyout", base + ".key",
            "-out", base + ".csr")
    with open(base + ".ext", "w") as f:
        f.write(f"subjectAltName=IP:{name}\n")
    openssl("x509", "-req", "-days", "2", "-in", base + ".csr", "-CA", ca.file("ca.crt"), "-CAkey", ca.file("ca.key"), "-CAcreateserial",
            "-extfile", base + ".ext", "-out", base + ".crt")
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(base + ".crt", base + ".key")
    return ctx


# ---- the server -----------------------------------------------------------------------------

class Problem(Exception):
    def __init__(self, status, kind, detail, headers=()):
        super().__init__(detail)
        self.status, self.kind, self.detail, self.headers = status, kind, detail, dict(headers)


class AcmeServer:
    """
    http, https: the ports of routers to validate at, in turn. offers: the challenges. What it does wrong is in its attributes,
    which may be changed while it runs.
    """

    def __init__(self, http_ports, https_ports, port=None):
        self.http_ports, self.https_ports = http_ports, https_ports
        self.offers = ["dns-01", "http-01", "tls-alpn-01"]
        self.before, self.after = -60, 86400  # seconds of the certificate's life from now
        self.bad_nonces = 0  # POSTs to refuse so
        self.rate_limit = None  # seconds of Retry-After, for new orders
        self.garbage = None  # the kind of request that is answered with nonsense
        self.stuck = False  # orders are processed for ever
        self.slow = 0  # polls of an authorisation, and of an order, until they are decided
        self.poll_after = None  # Retry-After of these
        self.eab = None  # kid -> key, if accounts need a binding
        self.wrong_names = None  # what certificates are for instead
        self.refuse_validation = False
        self.on_finalize = None  # called before the certificate is given
        self.requests = []  # kind, at
        self.validations = []  # challenge, port, whether it worked
        self.accounts = {}  # URL -> jwk
        self.contacts = []
        self.orders, self.authzs, self.certs = {}, {}, {}
        self.nonces = set()
        self.lock = threading.RLock()
        self.n = 0
        self.ca, self.tls_ca = Ca(), Ca()
        self.port = port or free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_GET(self):
                server.handle(self)

            do_HEAD = do_POST = do_GET

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.http = Server(("127.0.0.1", self.port), Handler)
        self.http.socket = server_context(self.tls_ca, "127.0.0.1").wrap_socket(self.http.socket, server_side=True,
                                                                               do_handshake_on_connect=False)
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def count(self, kind):
        with self.lock:
            return sum(k == kind for k, _ in self.requests)

    def new_url(self, kind):
        self.n += 1
        return f"{self.url}/{kind}/{self.n}"

    # ---- requests ----

    def handle(self, h):
        kind = h.path.split("/")[1]
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        with self.lock:
            self.requests.append((kind, time.monotonic()))
            try:
                if kind == self.garbage:
                    status, headers, out = 200, {"Location": self.url + "/x"}, b'{"status": "val'
                elif h.command != "POST":
                    status, headers, out = self.get(kind, h)
                else:
                    status, headers, out = self.post(kind, h, body)
            except Problem as e:
                status, headers = e.status, dict(e.headers, **{"Content-Type": "application/problem+json"})
                out = {"type": "urn:ietf:params:acme:error:" + e.kind, "detail": e.detail, "status": e.status}
            nonce = encode(os.urandom(12))
            self.nonces.add(nonce)
        if not isinstance(out, bytes):
            out = json.dumps(out).encode()
        h.send_response(status)
        if kind != "directory":
            h.send_header("Replay-Nonce", nonce)
        h.send_header("Content-Length", str(len(out)))
        for name, value in headers.items():
            h.send_header(name, str(value))
        h.end_headers()
        if h.command != "HEAD":
            h.wfile.write(out)

    def get(self, kind, h):
        assert h.headers["User-Agent"].startswith("flynn-router/"), h.headers
        if kind == "directory":
            return 200, {}, {"newNonce": self.url + "/nonce", "newAccount": self.url + "/account", "newOrder": self.url + "/order",
                             "meta": {"externalAccountRequired": self.eab is not None}}
        if kind == "nonce":
            return 200, {}, b""
        raise Problem(405, "malformed", "POST only")

    def post(self, kind, h, body):
        if h.headers["Content-Type"] != "application/jose+json":
            raise Problem(415, "malformed", "wrong content type")
        jws = json.loads(body)
        header, payload = json.loads(decode(jws["protected"])), decode(jws["payload"])
        if header["url"] != self.url + h.path or header["alg"] != "ES256" or ("jwk" in header) == ("kid" in header):
            raise Problem(400, "malformed", f"bad header {header}")
        if ("jwk" in header) != (kind == "account"):
            raise Problem(400, "malformed", "jwk is for new accounts alone")
        if header.get("nonce") not in self.nonces or self.bad_nonces > 0:
            self.bad_nonces = max(0, self.bad_nonces - 1)
            raise Problem(400, "badNonce", "this nonce was not given, or was used")
        self.nonces.discard(header["nonce"])
        jwk = header.get("jwk") or self.accounts.get(header.get("kid"))
        if jwk is None:
            raise Problem(400, "accountDoesNotExist", "no such account")
        if not verifies(jwk, f"{jws['protected']}.{jws['payload']}".encode(), decode(jws["signature"])):
            raise Problem(400, "malformed", "bad signature")
        return getattr(self, "post_" + kind)(h, jwk, json.loads(payload) if payload else None)

    def post_account(self, h, jwk, payload):
        for url, known in self.accounts.items():
            if known == jwk:
                return 200, {"Location": url}, {"status": "valid"}
        if payload["termsOfServiceAgreed"] is not True:
            raise Problem(400, "userActionRequired", "agree to the terms")
        if self.eab is not None:
            self.check_binding(payload.get("externalAccountBinding"), jwk)
        self.contacts.append(payload.get("contact"))
        url = self.new_url("acct")
        self.accounts[url] = jwk
        return 201, {"Location": url}, {"status": "valid"}

    def check_binding(self, jws, jwk):
        if jws is None:
            raise Problem(403, "externalAccountRequired", "an external account is required")
        header = json.loads(decode(jws["protected"]))
        mac = hmac.new(self.eab[header["kid"]], f"{jws['protected']}.{jws['payload']}".encode(), hashlib.sha256).digest()
        if header["alg"] != "HS256" or header["url"] != self.url + "/account" or mac != decode(jws["signature"]) or \
                json.loads(decode(jws["payload"])) != jwk:
            raise Problem(403, "unauthorized", "bad binding")

    def post_order(self, h, jwk, payload):
        if payload is None:
            return self.show_order(self.orders[self.url + h.path])
        if self.rate_limit is not None:
            raise Problem(429, "rateLimited", "too many certificates", {"Retry-After": self.rate_limit})
        names = [i["value"] for i in payload["identifiers"]]
        assert len(names) == 1 and payload["identifiers"][0]["type"] == "dns", payload
        authz, url = self.new_url("authz"), self.new_url("order")
        token = encode(os.urandom(16))
        self.authzs[authz] = {"status": "pending", "identifier": payload["identifiers"][0], "jwk": jwk, "polls": 0, "challenges": [
            {"type": t, "url": self.new_url("challenge"), "token": token, "status": "pending"} for t in self.offers]}
        self.orders[url] = {"status": "pending", "identifiers": payload["identifiers"], "authorizations": [authz], "polls": 0,
                            "finalize": self.new_url("finalize"), "url": url}
        return 201, {"Location": url}, self.show_order(self.orders[url])[2]

    def show_order(self, order):
        state = self.authzs[order["authorizations"][0]]["status"]
        if order["status"] == "pending" and state != "pending":
            order["status"] = "ready" if state == "valid" else "invalid"
        if order["status"] == "processing" and not self.stuck:
            order["polls"] += 1
            if order["polls"] > self.slow:
                order["status"], order["certificate"] = "valid", order["cert"]
        hide = ("polls", "url", "cert")
        headers = {"Retry-After": self.poll_after} if self.poll_after and order["status"] == "processing" else {}
        return 200, headers, {k: v for k, v in order.items() if k not in hide}

    def post_authz(self, h, jwk, payload):
        assert payload is None
        authz = self.authzs[self.url + h.path]
        if authz.get("result"):
            authz["polls"] += 1
            if authz["polls"] > self.slow:
                authz["status"] = authz["result"]
        headers = {"Retry-After": self.poll_after} if self.poll_after and authz["status"] == "pending" else {}
        return 200, headers, {k: v for k, v in authz.items() if k not in ("jwk", "polls", "result")}

    def post_challenge(self, h, jwk, payload):
        assert payload == {}, payload
        for authz in self.authzs.values():
            for c in authz["challenges"]:
                if c["url"] == self.url + h.path:
                    if not authz.get("result"):
                        self.validate(authz, c)
                    return 200, {}, c
        raise Problem(404, "malformed", "no such challenge")

    def post_finalize(self, h, jwk, payload):
        order = next(o for o in self.orders.values() if o["finalize"] == self.url + h.path)
        if order["status"] != "ready":
            raise Problem(403, "orderNotReady", "the order is not ready")
        names = [i["value"] for i in order["identifiers"]]
        csr = decode(payload["csr"])
        text = openssl("req", "-inform", "DER", "-noout", "-text", "-verify", input=csr).decode()
        assert [x.strip() for x in text.split("Subject Alternative Name:")[1].split("\n")[1].split(",")] == ["DNS:" + n for n in names]
        url = order["cert"] = self.new_url("cert")
        self.certs[url] = self.ca.sign(csr, self.wrong_names or names, self.before, self.after) + self.ca.pem
        order["status"] = "processing"
        if self.on_finalize:
            self.on_finalize()
        return self.show_order(order)

    def post_cert(self, h, jwk, payload):
        assert payload is None
        return 200, {"Content-Type": "application/pem-certificate-chain"}, self.certs[self.url + h.path].encode()

    # ---- validation ----

    def validate(self, authz, challenge):
        domain = authz["identifier"]["value"]
        expected = f"{challenge['token']}.{thumbprint(authz['jwk'])}"
        ports = self.http_ports if challenge["type"] == "http-01" else self.https_ports
        see = see_http if challenge["type"] == "http-01" else see_tls
        problem = "refused for the test" if self.refuse_validation else None
        for port in ports if problem is None else []:  # a server looks from several places: all must agree
            why = see(port, domain, challenge["token"], expected)
            self.validations.append((challenge["type"], port, why))
            problem = problem or why
        challenge["status"] = authz["result"] = "invalid" if problem else "valid"
        if problem:
            challenge["error"] = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": problem, "status": 403}


def see_http(port, domain, token, expected):
    """What is wrong with it, or None."""
    try:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
        c.request("GET", "/.well-known/acme-challenge/" + token, headers={"Host": domain})
        r = c.getresponse()
        body = r.read().decode()
    except OSError as e:
        return f"cannot connect: {e}"
    return None if r.status == 200 and body == expected else f"{r.status}: {body[:80]}"


def see_tls(port, domain, token, expected, alpn=("acme-tls/1",)):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    ctx.set_alpn_protocols(alpn)
    try:
        with ctx.wrap_socket(socket.create_connection(("127.0.0.1", port), LIMIT), server_hostname=domain) as s:
            if s.selected_alpn_protocol() != "acme-tls/1":
                return f"ALPN chose {s.selected_alpn_protocol()}"
            der = s.getpeercert(True)
    except OSError as e:
        return f"cannot connect: {e}"
    # The extension 1.3.6.1.5.5.7.1.31, critical, an OCTET STRING of an OCTET STRING of the digest.
    extension = bytes.fromhex("06082b0601050507011f0101ff04220420") + hashlib.sha256(expected.encode()).digest()
    alt = openssl("x509", "-inform", "DER", "-noout", "-ext", "subjectAltName", input=der).decode()
    if extension not in der:
        return "the certificate does not have the digest"
    return None if alt.split("\n")[1].strip() == "DNS:" + domain else f"the certificate is for {alt}"
