"""The router as a bench of routers wants it: `adaptor lacks|start|control SPEC` (which is
faster at `start` than this is).

SPEC is a JSON file: dir, threads, ports (http, https, tcp, admin), hosts_file and services_file
(tab-separated), tcp_backends, certs (host, cert, key). `lacks` makes what stands before a router
starts, etcd with the routes and a discoverd with the instances, in processes of their own that end with
the router; `start` becomes the router, by a script that `lacks` wrote, so that nothing else is measured; `control`
adds routes.
"""

import base64
import hashlib
import http.client
import json
import os
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import time

KEY = "bench-key"
AUTH = "Authorization: Basic " + base64.b64encode(b":" + KEY.encode()).decode() + "\r\n"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
ROUTER = os.path.join(os.environ.get("BUILD", os.path.join(ROOT, "build")), "bin/flynn-router")
STAMP = "2026-01-01T00:00:00Z"
START_LIMIT = 60  # seconds for `start` to follow `lacks`


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def read_pairs(path):
    with open(path) as f:
        return [line.rstrip("\n").split("\t") for line in f]


class Discoverd:
    """Streams of services as the real one sends them, from one thread: it must not be what is measured."""

    def __init__(self, services):
        self.services = services
        self.watchers = []  # (socket, service or None for all)
        self.sel = selectors.DefaultSelector()
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.sock.getsockname()[1]
        self.index = 0
        self.sel.register(self.sock, selectors.EVENT_READ, self.accept)

    def accept(self, sock):
        conn, _ = sock.accept()
        self.sel.register(conn, selectors.EVENT_READ, self.serve)

    def event(self, kind, service, addr=None):
        text = f'data: {{"service":"{service}","kind":"{kind}"'
        if addr:
            self.index += 1
            text += f',"instance":{{"id":"{service}-{addr}","addr":"{addr}","proto":"tcp","meta":{{}},"index":{self.index}}}'
        return text + "}\n\n"

    def serve(self, conn):
        data = conn.recv(65536)
        if not data:
            self.sel.unregister(conn)
            self.watchers = [w for w in self.watchers if w[0] is not conn]
            conn.close()
            return
        method, path = data.decode().split(" ", 2)[:2]
        name = path.split("?")[0].split("/")[2] if path.count("/") > 1 else None
        if method == "PUT":
            self.services[name] = path.split("?")[1].split(",")
            text = "".join(self.event("up", name, a) for a in self.services[name])
            for w, service in self.watchers:
                if service in (name, None):
                    w.sendall(text.encode())
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        out = ["HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"]
        for service in [name] if name else self.services:
            out += [self.event("up", service, a) for a in self.services.get(service, [])]
        conn.sendall("".join([*out, self.event("current", name or "")]).encode())
        self.watchers.append((conn, name))

    def turn(self, timeout):
        for key, _ in self.sel.select(timeout):
            key.data(key.fileobj)


class Etcd:
    def __init__(self, path):
        self.port, peer = free_port(), f"http://127.0.0.1:{free_port()}"
        self.url = f"http://127.0.0.1:{self.port}"
        with open(os.path.join(path, "etcd.log"), "w") as log:
            self.proc = subprocess.Popen(
                ["etcd", "--data-dir", os.path.join(path, f"etcd-{os.getpid()}"), "--log-level", "error",
                 "--listen-client-urls", self.url, "--advertise-client-urls", self.url, "--listen-peer-urls", peer,
                 "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}", "--unsafe-no-fsync",
                 "--bcrypt-cost", "4"],
                env={**os.environ, "GOMAXPROCS": "1"},  # as in docker/etcd
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def load(self, routes):
        """Put all, a hundred at a time."""
        end = time.monotonic() + 10
        while True:
            try:
                c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                c.connect()
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)
        self.api = c
        text = lambda s: base64.b64encode(s.encode()).decode()
        for i in range(0, len(routes), 100):
            puts = [{"requestPut": {"key": text(k), "value": text(v)}} for k, v in routes[i:i + 100]]
            self.call("kv/txn", success=puts)

    def call(self, path, **body):
        self.api.request("POST", "/v3/" + path, json.dumps(body))
        r = self.api.getresponse()
        text = r.read()
        assert r.status == 200, text

    def lock(self):
        """As the first daemon that reaches it does."""
        self.call("auth/user/add", name="root", password=KEY)
        self.call("auth/role/add", name="root")
        self.call("auth/user/grant", user="root", role="root")
        self.call("auth/enable")


def http_route(host, service, cert=None):
    name = hashlib.md5(host.encode()).hexdigest()
    config = {"domain": host, "service": service}
    if cert:
        for field, key in (("tls_cert", "cert"), ("tls_key", "key")):
            with open(cert[key]) as f:
                config[field] = f.read()
    return f"/router/http/{name}", {"id": name, "type": "http", "config": config, "created_at": STAMP, "updated_at": STAMP}


def routes_of(spec):
    """A certificate stands with one host that it is for: the first, if it is for all of a domain."""
    certs = {c["host"]: c for c in spec["certs"]}
    out, hosts = [], read_pairs(spec["hosts_file"])
    for host, service in hosts:
        cert = certs.pop(host, None) or certs.pop("*." + host.split(".", 1)[1], None)
        out.append(http_route(host, service, cert))
    port = spec["ports"]["tcp"]
    name = hashlib.md5(str(port).encode()).hexdigest()
    out.append((f"/router/tcp/{name}", {"id": name, "type": "tcp", "config": {"port": port, "service": "tcp"},
                                        "created_at": STAMP, "updated_at": STAMP}))
    return [(k, json.dumps(v, separators=(",", ":"))) for k, v in out]


def stand(spec, ready):
    """Hold the world until the router has ended."""
    services = {s: a.split(",") for s, a in read_pairs(spec["services_file"])}
    services["tcp"] = spec["tcp_backends"]
    etcd = Etcd(spec["dir"])
    try:
        discoverd = Discoverd(services)
        etcd.load(routes_of(spec))
        etcd.lock()
        write_start(spec, etcd, discoverd)
        with open(os.path.join(spec["dir"], "world.json"), "w") as f:
            json.dump({"etcd": etcd.url, "discoverd": f"127.0.0.1:{discoverd.port}"}, f)
        os.write(ready, b"1")
        os.close(ready)
        pid, begun = None, time.monotonic()
        while True:
            discoverd.turn(0.2)
            if pid is None and os.path.exists(os.path.join(spec["dir"], "router.pid")):
                with open(os.path.join(spec["dir"], "router.pid")) as f:
                    pid = int(f.read())
            if pid is None and time.monotonic() > begun + START_LIMIT:
                return
            if pid is not None and not os.path.exists(f"/proc/{pid}"):
                return
    finally:
        etcd.proc.kill()
        etcd.proc.wait()


def lacks(spec):
    r, w = os.pipe()
    if os.path.exists(os.path.join(spec["dir"], "router.pid")):
        os.remove(os.path.join(spec["dir"], "router.pid"))
    if os.fork() == 0:
        os.setsid()
        os.close(r)
        log = os.open(os.path.join(spec["dir"], "world.log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for fd in (0, 1, 2):
            os.dup2(log, fd)
        stand(spec, w)
        os._exit(0)
    os.close(w)
    if not os.read(r, 1):
        sys.exit("the world did not come up; see world.log")


def write_start(spec, etcd, discoverd):
    ports, pid = spec["ports"], shlex.quote(os.path.join(spec["dir"], "router.pid"))
    with open(os.path.join(spec["dir"], "start.sh"), "w") as f:
        f.write(f"""echo $$ >{pid}.new && mv {pid}.new {pid}
CLUSTER_KEY={KEY} ETCD={etcd.url} DISCOVERD=127.0.0.1:{discoverd.port} EXTERNAL_IP=127.0.0.1 \\
exec {shlex.quote(ROUTER)} -httpaddr 127.0.0.1:{ports["http"]} -httpsaddr 127.0.0.1:{ports["https"]} \\
  -apiaddr 127.0.0.1:{ports["admin"]} -tcpip 127.0.0.1 -threads {spec["threads"]}
""")


def start(spec):
    os.execv("/bin/sh", ["sh", os.path.join(spec["dir"], "start.sh")])


class Caller:
    """Requests on one connection, without what a library takes: they are in what is measured."""

    def __init__(self, host, port):
        self.sock = socket.create_connection((host, int(port)))

    def ask(self, method, path, body="", auth=""):
        self.sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{auth}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def answer(self):
        """The status line, and the body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.sock.recv(65536)
        head, body = data.decode().split("\r\n\r\n", 1)
        length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
        while len(body) < length:
            body += self.sock.recv(65536).decode()
        return head.split("\r\n")[0], body


def control(spec):
    """`ok` says that a route was asked for, as of any peer: that it is there, the bench sees by its answer. The instances of
    its service register meanwhile, as those of a deployed app do."""
    with open(os.path.join(spec["dir"], "world.json")) as f:
        discoverd = Caller(*json.load(f)["discoverd"].split(":"))
    api, is_asked = Caller("127.0.0.1", spec["ports"]["admin"]), False
    for line in sys.stdin:
        words, said = line.split(), "ok"
        if is_asked:
            discoverd.answer()
            status, body = api.answer()
            said = "ok" if " 200 " in status else f"error {status} {body!r}"
        is_asked = words[0] == "add"
        if is_asked:
            discoverd.ask("PUT", f"/services/{words[2]}?{words[3]}")
            route = {"type": "http", "config": {"domain": words[1], "service": words[2]}}
            api.ask("POST", "/routes", json.dumps(route), AUTH)
        print(said, flush=True)


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with open(sys.argv[2]) as f:
        spec = json.load(f)
    {"lacks": lacks, "start": start, "control": control}[sys.argv[1]](spec)


main()
