"""What the router's tests run in: etcd, a small discoverd, instances that do as they are told,
the router itself, and clients that write bytes."""

import base64
import contextlib
import http.client
import itertools
import json
import os
import queue
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time

KEY = "test-key"
AUTH = "Basic " + base64.b64encode(b":" + KEY.encode()).decode()
LIMIT = 10.0  # seconds that anything may take
SLOW = 4.0 if os.environ.get("SAN") else 1.0


PORTS = itertools.cycle(range(*(int(os.environ["TEST_PORTS"]) + i for i in (400, 1000))))


def free_port():
    """One of those that are this test's own, the longest unused."""
    while True:
        port = next(PORTS)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_for(what, true, limit=LIMIT):
    end = time.monotonic() + limit
    while not (value := true()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s for {what}")
        time.sleep(0.005)
    return value


def listens(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


class Discoverd:
    """The streams of services, as the real one sends them."""

    def __init__(self):
        self.port = free_port()
        self.services = {}
        self.streams = {}
        self.lock = threading.Lock()
        self.index = 0
        self.start()

    def start(self):
        world = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                world.serve(self)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for events in [q for qs in self.streams.values() for q in qs]:
                events.put(None)
            self.streams = {}

    def serve(self, h):
        line = h.rfile.readline().decode()
        while h.rfile.readline().strip():
            pass
        name = line.split()[1].split("/")[2] if line.split()[1].count("/") > 1 else None  # None: all services
        events = queue.Queue()
        with self.lock:
            for service in [name] if name else self.services:
                for inst in self.services.get(service, {}).values():
                    events.put((service, "up", inst))
            events.put((name or "", "current", None))
            self.streams.setdefault(name, []).append(events)
        h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(OSError):
            while (event := events.get()) is not None:
                service, kind, inst = event
                body = {"service": service, "kind": kind}
                if inst:
                    body["instance"] = inst
                h.wfile.write(b"data: " + json.dumps(body).encode() + b"\n\n")

    def set(self, name, addrs, **meta):
        """Let addrs be the instances of the service; meta is what is told of those that are new."""
        with self.lock:
            old = self.services.get(name, {})
            new = {}
            for addr in addrs:
                self.index += 1
                new[addr] = old.get(addr) or {"id": f"{abs(hash(addr)):032x}"[:32], "addr": addr, "proto": "tcp",
                                              "meta": meta, "index": self.index}
            self.services[name] = new
            for events in self.streams.get(name, []) + self.streams.get(None, []):
                for addr, inst in old.items():
                    if addr not in new:
                        events.put((name, "down", inst))
                for addr, inst in new.items():
                    if addr not in old:
                        events.put((name, "up", inst))

    def lead(self, name, addr):
        """Say that this instance leads the service."""
        with self.lock:
            for events in self.streams.get(name, []) + self.streams.get(None, []):
                events.put((name, "leader", self.services[name][addr]))


class Instance:
    """An instance: each connection is handed to do(connection, reader)."""

    def __init__(self, do=None, port=None):
        self.port = port or free_port()
        self.addr = f"127.0.0.1:{self.port}"
        self.do = do or plain
        self.connections = 0
        self.requests = []
        self.lock = threading.Lock()
        self.open = set()
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", self.port))
        self.sock.listen(128)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self.open.add(c)
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        with contextlib.suppress(OSError, AssertionError, ValueError):
            self.do(self, c, c.makefile("rb"))
        with self.lock:
            self.open.discard(c)
        with contextlib.suppress(OSError):
            c.shutdown(socket.SHUT_RDWR)
        c.close()

    def stop_listening(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def die(self):
        """As by kill -9: no more listener, every connection reset."""
        self.stop_listening()
        with self.lock:
            for c in self.open:
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                with contextlib.suppress(OSError):
                    c.shutdown(socket.SHUT_RD)
                c.close()
            self.open.clear()


class Request:
    def __init__(self, line, headers, body, raw):
        self.method, self.target, self.version = line.split(" ")
        self.headers = headers
        self.body = body
        self.raw = raw

    def get(self, name):
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        return values[0] if values else None


def read_head(f):
    raw = b""
    while not raw.endswith(b"\r\n\r\n"):
        line = f.readline()
        if not line:
            return None
        raw += line
    lines = raw.decode("latin-1").split("\r\n")[:-2]
    return lines[0], [tuple(x.strip() for x in h.split(":", 1)) for h in lines[1:]], raw


def read_chunked(f):
    body = b""
    while True:
        size = int(f.readline().split(b";")[0], 16)
        if size == 0:
            while (line := f.readline()).strip():
                pass
            assert line == b"\r\n", "the body ended within its trailers"
            return body
        body += f.read(size)
        assert f.read(2) == b"\r\n"


def read_request(f):
    head = read_head(f)
    if head is None:
        return None
    line, headers, raw = head
    request = Request(line, headers, b"", raw)
    if (request.get("Transfer-Encoding") or "").lower() == "chunked":
        request.body = read_chunked(f)
    elif request.get("Content-Length"):
        request.body = f.read(int(request.get("Content-Length")))
        if len(request.body) < int(request.get("Content-Length")):
            return None
    return request


def answer(c, body=b"ok", status="200 OK", headers=(), framing=None):
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers)
    head += framing if framing is not None else f"Content-Length: {len(body)}\r\n"
    c.sendall(head.encode("latin-1") + b"\r\n" + body)


def plain(inst, c, f):
    """Answers each request with what it was, as JSON."""
    while (r := read_request(f)) is not None:
        inst.requests.append(r)
        told = {"method": r.method, "target": r.target, "headers": r.headers, "length": len(r.body), "port": inst.port}
        answer(c, b"" if r.method == "HEAD" else json.dumps(told).encode(), headers=[("X-Instance", inst.port)])


def without_body(inst, c, f):
    """Answers HEAD, /304, /204 and /empty with heads that nothing follows, all else with "ok"."""
    while (r := read_request(f)) is not None:
        if r.target == "/304":
            answer(c, b"", "304 Not Modified", framing="Content-Length: 99\r\n")
        elif r.target == "/204":
            answer(c, b"", "204 No Content", framing="")
        elif r.method == "HEAD":
            answer(c, b"", framing="Content-Length: 12345\r\n")
        else:
            answer(c, b"" if r.target == "/empty" else b"ok")


def holding(until):
    """Answers the first request of a connection when the event is set."""
    def hold(inst, c, f):
        read_request(f)
        until.wait(LIMIT)
        answer(c)

    return hold


class Router:
    def __init__(self, etcd, discoverd, *flags, threads=2):
        self.http, self.https, self.api = free_port(), free_port(), free_port()
        self.flags, self.threads = flags, threads
        self.etcd, self.discoverd = etcd, discoverd
        self.start()

    def start(self):
        env = dict(os.environ, CLUSTER_KEY=KEY, ETCD=self.etcd, DISCOVERD=f"127.0.0.1:{self.discoverd.port}",
                   EXTERNAL_IP="127.0.0.1", PORT=str(self.api))
        self.log = open(os.path.join(os.environ["TMP"], "router.log"), "ab")
        self.proc = subprocess.Popen(["flynn-router", "-httpaddr", f":{self.http}", "-httpsaddr", f":{self.https}",
                                      "-threads", str(self.threads), "-head-timeout", "2", "-answer-timeout", "3",
                                      *self.flags], env=env, stdout=self.log, stderr=self.log)
        wait_for("the router to listen", lambda: listens(self.https) or self.proc.poll() is not None)
        assert self.proc.poll() is None, "the router ended at its start"

    def stop(self, sig=signal.SIGTERM):
        self.proc.send_signal(sig)
        return self.proc.wait(15)

    def call(self, method, path, body=None, key=KEY):
        c = http.client.HTTPConnection("127.0.0.1", self.api, timeout=LIMIT)
        headers = {"Authorization": "Basic " + base64.b64encode(b":" + key.encode()).decode()} if key else {}
        data = None if body is None else body if isinstance(body, (str, bytes)) else json.dumps(body)
        c.request(method, path, data, headers)
        r = c.getresponse()
        text = r.read().decode()
        c.close()
        with contextlib.suppress(ValueError):
            return r.status, json.loads(text)
        return r.status, text

    def route(self, domain, service, **config):
        status, route = self.call("POST", "/routes", {"type": "http", "config": dict(config, domain=domain, service=service)})
        assert status == 200, (status, route)
        return route

    def tcp_route(self, service, port=0):
        status, route = self.call("POST", "/routes", {"type": "tcp", "config": {"port": port, "service": service}})
        assert status == 200, (status, route)
        return route

    def metric(self, name):
        text = self.call("GET", "/metrics")[1]
        return sum(float(line.split()[-1]) for line in text.split("\n") if line.startswith(name) and line[0] != "#")


class Client:
    """A connection to the router, for bytes."""

    def __init__(self, port, tls=None, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), LIMIT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            ctx.check_hostname = False
            ctx.verify_mode = ssl.CERT_NONE
            if tls.get("max"):
                ctx.maximum_version = tls["max"]
            if tls.get("alpn"):
                ctx.set_alpn_protocols(tls["alpn"])
            self.raw = self.sock
            self.sock = ctx.wrap_socket(self.sock, server_hostname=tls.get("name"), suppress_ragged_eofs=False,
                                        session=tls.get("session"))
        self.f = self.sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def read_answer(self, head_only=False, raw=False):
        head = read_head(self.f)
        assert head is not None, "the connection ended without an answer"
        line, headers, _ = head
        a = Answer(line, headers)
        if a.status < 200 or head_only or a.status in (204, 304):
            pass
        elif (a.get("Transfer-Encoding") or "") == "chunked":
            a.body = read_chunked(self.f)
        elif a.get("Content-Length") is not None:
            a.body = self.f.read(int(a.get("Content-Length")))
            assert len(a.body) == int(a.get("Content-Length")), "the answer was cut"
        else:
            a.body = self.f.read()
        return a

    def ended(self):
        """Whether the router ends the connection now, without another byte."""
        try:
            return self.f.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.f.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Answer:
    def __init__(self, line, headers):
        self.line = line
        self.status = int(line.split(" ")[1])
        self.headers = headers
        self.body = b""

    def get(self, name):
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)


class Etcd:
    def __init__(self):
        self.port, self.peer = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.dir = os.path.join(os.environ["TMP"], "etcd")
        self.start()

    def start(self):
        with open(os.path.join(os.environ["TMP"], "etcd.log"), "ab") as log:
            peer = f"http://127.0.0.1:{self.peer}"
            self.proc = subprocess.Popen(["etcd", "--data-dir", self.dir, "--log-level", "error", "--listen-client-urls", self.url,
                                          "--advertise-client-urls", self.url, "--listen-peer-urls", peer,
                                          "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
                                          "--unsafe-no-fsync"], stdout=log, stderr=log)
        wait_for("etcd", lambda: listens(self.port))

    def stop(self):
        self.proc.kill()
        self.proc.wait()


CASES = []


def case(f):
    CASES.append(f)
    return f


class World:
    """One router for most cases; each case has hosts and services of its own."""

    def __init__(self):
        self.etcd = Etcd()
        self.discoverd = Discoverd()
        self.router = Router(self.etcd.url, self.discoverd)
        self.n = 0
        self.pem = {}

    def app(self, *dos, **config):
        """A new host that leads to new instances; one for each of dos."""
        self.n += 1
        service, host = f"app{self.n}-web", f"app{self.n}.example.com"
        insts = [Instance(do) for do in dos] if dos else [Instance()]
        self.discoverd.set(service, [i.addr for i in insts])
        self.router.route(host, service, **config)
        return host, insts, service

    def client(self, **kw):
        return Client(self.router.http, **kw)

    def get(self, host, path="/", headers="", method="GET"):
        with self.client() as c:
            return c.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").read_answer(head_only=method == "HEAD")

    def cert(self, name):
        if name not in self.pem:
            base = os.path.join(os.environ["TMP"], name.replace("*", "_"))
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                            "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", base + ".key",
                            "-out", base + ".crt"], check=True, capture_output=True)
            self.pem[name] = open(base + ".crt").read(), open(base + ".key").read()
        return self.pem[name]


def run(cases, world):
    """TAP. A case is a function of world; its name and its first line of documentation say what it shows."""
    failed = 0
    only = sys.argv[1:]
    chosen = [c for c in cases if not only or c.__name__ in only]
    print(f"1..{len(chosen)}")
    for n, case in enumerate(chosen, 1):
        began = time.monotonic()
        try:
            case(world)
            print(f"ok {n} - {case.__name__.replace('_', ' ')}", flush=True)
        except Exception as e:  # a test that breaks has failed
            failed += 1
            import traceback
            print(f"not ok {n} - {case.__name__.replace('_', ' ')}")
            for line in (traceback.format_exc().rstrip() + f"\nafter {time.monotonic() - began:.1f} s: {e!r}").split("\n"):
                print(f"# {line}")
            sys.stdout.flush()
        if world.router.proc.poll() is not None:
            with open(world.router.log.name, errors="replace") as log:
                for line in log.readlines()[-40:]:
                    print(f"# {line.rstrip()}")
            print(f"Bail out! the router ended with {world.router.proc.returncode}")
            return 1
    return 1 if failed else 0
