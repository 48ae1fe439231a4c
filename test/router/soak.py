"""Everything at once, for SOAK_S seconds: mixed load at a modest rate, routes changed 100 times a second, instances
killed and taken out, etcd killed and started again with its data. No request may be lost that the rules say must not be,
nothing be left behind.

What may be lost: a request that cannot be sent twice, a transfer or a tunnel, whose instance was killed while it lasted; and
changes of routes while etcd is away."""

import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib

from h2_client import H2
from world import Client, Router, case, free_port, wait_for

SECONDS = float(os.environ.get("SOAK_S", 20))
ROUNDS_MAX = 4
WARM_S = max(5.0, min(30.0, SECONDS / 4))
CLIENTS = 10
REQUESTS_A_SECOND = 250
CHANGES_A_SECOND = 100
HERE = os.path.dirname(os.path.abspath(__file__))
HOST, TLS_HOST, FLAPPING = "soak.example.com", "soak-tls.example.com", "flapping.example.com"
# A kill is known by the router's side a little later than by ours.
AFTER_S = 1.0
SAN = bool(os.environ.get("SAN"))


class Fleet:
    """The instances of two services: soak-web and soak-tcp, three and more at any time."""

    def __init__(self, discoverd):
        self.discoverd = discoverd
        self.procs = {}  # (web, tcp) -> process
        self.known = []
        self.kills = []
        self.n_drained = 0
        self.lock = threading.Lock()

    def add(self):
        ports = free_port(), free_port()
        proc = subprocess.Popen([sys.executable, f"{HERE}/soak_instance.py", *map(str, ports)], stdout=subprocess.PIPE)
        assert proc.stdout.readline() == b"ready\n"
        self.procs[ports] = proc
        with self.lock:
            self.known.append(ports)
            self.tell()

    def tell(self):
        for i, name in enumerate(("soak-web", "soak-tcp")):
            self.discoverd.set(name, [f"127.0.0.1:{p[i]}" for p in self.known])
        # The same by another name: the busy route changes between the two.
        self.discoverd.set("soak-also", [f"127.0.0.1:{p[0]}" for p in self.known])

    def forget(self, ports):
        with self.lock:
            if ports in self.known:
                self.known.remove(ports)
            self.tell()

    def kill(self, ports):
        """As a crash: it is gone before anybody is told."""
        self.kills.append(time.monotonic())
        self.procs[ports].kill()
        self.procs.pop(ports).wait()
        time.sleep(random.uniform(0, 0.5))
        self.forget(ports)

    def drain(self, ports):
        """As host stops a job: taken out, then told to end."""
        self.forget(ports)
        self.n_drained += 1
        time.sleep(3)
        self.procs[ports].terminate()
        self.procs.pop(ports).wait()

    def churn(self, stop):
        for go in itertools.cycle((self.kill, self.drain)):
            if stop.wait(random.uniform(0.3, 1.2)):
                return
            ports = self.known[0]
            self.add()
            go(ports)

    def end(self):
        with self.lock:
            self.known = []
            self.tell()

    def stop(self):
        for proc in self.procs.values():
            proc.kill()
            proc.wait()


class Load:
    """Clients; each failure is kept with its times."""

    def __init__(self, w, router, tcp_port, fleet):
        self.w, self.router, self.tcp_port, self.fleet = w, router, tcp_port, fleet
        self.counts = {}
        self.failures = []
        self.statuses = {}
        self.lock = threading.Lock()
        self.local = threading.local()
        self.kinds = [(40, self.small), (10, self.anew), (10, self.post), (5, self.upload), (5, self.chunked_upload), (4, self.big),
                      (4, self.big_chunks), (3, self.until_end), (5, self.head), (6, self.tls), (2, self.tls_big), (4, self.websocket), (4, self.tcp),
                      (4, self.flapping), (3, self.pipelined), (2, self.leave), (4, self.h2), (2, self.h2_tls), (2, self.h2_big), (2, self.h2_upload)]

    # One request each. What may be lost by a kill is said by its name in FRAGILE.

    def kept(self, name="c", port=None, tls=None):
        c = getattr(self.local, name, None)
        if c is None:
            c = Client(port or self.router.http, tls=tls)
            c.sock.settimeout(30)
            setattr(self.local, name, c)
        return c

    def drop(self, name="c"):
        c = getattr(self.local, name, None)
        setattr(self.local, name, None)
        if c is not None:
            with contextlib.suppress(OSError):
                c.close()

    def ask(self, c, text, body=b"", **kw):
        a = c.send(text.encode() + body).read_answer(**kw)
        if a.status != 200:
            raise AssertionError(f"{a.status} {a.body[:200]!r}")
        return a

    def small(self, n):
        a = self.ask(self.kept(), f"GET /small/{n} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
        assert a.json["target"] == f"/small/{n}", a.body

    def head(self, n):
        self.ask(self.kept(), f"HEAD /bytes/0 HTTP/1.1\r\nHost: {HOST}\r\n\r\n", head_only=True)

    def pipelined(self, n):
        c = self.kept("p")
        c.send("".join(f"GET /{n}-{i} HTTP/1.1\r\nHost: {HOST}\r\n\r\n" for i in range(5)))
        for i in range(5):
            a = c.read_answer()
            assert a.status == 200 and a.json["target"] == f"/{n}-{i}", (a.line, a.body)

    def anew(self, n):
        with Client(self.router.http) as c:
            self.ask(c, f"GET /anew/{n} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")

    def sum_is(self, a, body):
        assert a.json["length"] == len(body) and a.json["sum"] == zlib.crc32(body), a.body

    def post(self, n):
        body = b"%d" % n
        self.sum_is(self.ask(self.kept(), f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n", body), body)

    def upload(self, n):
        body = random.randbytes(random.choice((1000, 100000, 1 << 20)))
        self.sum_is(self.ask(self.kept(), f"PUT / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n", body), body)

    def chunked_upload(self, n):
        body = random.randbytes(random.choice((1000, 100000)))
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[i:i + 7000] for i in range(0, len(body), 7000))) + b"0\r\n\r\n"
        self.sum_is(self.ask(self.kept(), f"POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n", chunks), body)

    def sized(self, c, host, how, size):
        a = self.ask(c, f"GET /{how}/{size} HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert len(a.body) == size, f"{len(a.body)} of {size} bytes"

    def big(self, n):
        self.sized(self.kept(), HOST, "bytes", random.choice((100000, 1 << 20)))

    def big_chunks(self, n):
        self.sized(self.kept(), HOST, "chunks", random.choice((65536, 300000)))

    def until_end(self, n):
        with Client(self.router.http) as c:
            self.sized(c, HOST, "end", 100000)

    def tls(self, n):
        if random.random() < 0.2:
            self.drop("t")
        c = self.kept("t", self.router.https, {"name": TLS_HOST})
        a = self.ask(c, f"GET /tls/{n} HTTP/1.1\r\nHost: {TLS_HOST}\r\n\r\n")
        assert a.json["target"] == f"/tls/{n}", a.body

    def tls_big(self, n):
        self.sized(self.kept("t", self.router.https, {"name": TLS_HOST}), TLS_HOST, "bytes", 1 << 20)

    def websocket(self, n):
        with Client(self.router.http) as c:
            a = c.send(f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").read_answer()
            assert a.status == 101, a.line
            for i in range(5):
                word = b"%d-%d" % (n, i)
                assert c.send(word).f.read(len(word)) == word, "the tunnel ended"
                time.sleep(0.02)

    def tcp(self, n):
        data = random.randbytes(random.choice((10, 30000)))
        with Client(self.tcp_port) as c:
            assert c.send(data).f.read(len(data)) == data, "the tunnel ended"

    def flapping(self, n):
        a = self.kept().send(f"GET /flap/{n} HTTP/1.1\r\nHost: {FLAPPING}\r\n\r\n").read_answer()
        assert a.status in (200, 404) and (a.status == 404 or a.json["target"] == f"/flap/{n}"), (a.line, a.body)

    def leave(self, n):
        """A client that goes in the middle; nothing is lost by it but what it asked for."""
        c = Client(self.router.http)
        c.send(random.choice((f"GET /bytes/1000000 HTTP/1.1\r\nHost: {HOST}\r\n\r\n", f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100\r\n\r\nabc",
                              "GET / HTTP/1.1\r\nHo")))
        if random.random() < 0.5:
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        c.close()

    def streams(self, c, host, n):
        """Five at once."""
        ids = [c.ask(host, f"/h2/{n}-{i}", scheme="https" if host == TLS_HOST else "http") for i in range(5)]
        for i, stream in enumerate(ids):
            s = c.answer(stream)
            assert s.status == 200 and s.ended and s.json["target"] == f"/h2/{n}-{i}", (s.headers, s.reset, s.body[:200])

    def kept_h2(self, tls):
        name = "h2t" if tls else "h2"
        c = getattr(self.local, name, None)
        if c is None or c.next_id > 500:
            self.drop(name)
            c = H2(self.router.https if tls else self.router.http, tls={"name": TLS_HOST, "alpn": ["h2"]} if tls else None)
            c.sock.settimeout(30)
            setattr(self.local, name, c)
        c.frames.clear()
        return c

    def h2(self, n):
        self.streams(self.kept_h2(False), HOST, n)

    def h2_tls(self, n):
        self.streams(self.kept_h2(True), TLS_HOST, n)

    def h2_big(self, n):
        s = self.kept_h2(False).get(HOST, "/chunks/300000")
        assert s.status == 200 and s.ended and len(s.body) == 300000, (s.headers, s.reset, len(s.body))

    def h2_upload(self, n):
        c, body = self.kept_h2(False), random.randbytes(100000)
        stream = c.ask(HOST, method="POST", end=False)
        s = c.send(stream, body).answer(stream)
        assert s.status == 200 and s.json["sum"] == zlib.crc32(body), (s.headers, s.reset)

    # The clients.

    def one(self, do, n):
        began = time.monotonic()
        try:
            do(n)
        except (AssertionError, OSError, ValueError, KeyError, subprocess.SubprocessError) as e:
            for name in ("c", "t", "p", "h2", "h2t"):
                self.drop(name)
            with self.lock:
                self.failures.append((do.__name__, began, time.monotonic(), repr(e)[:300]))
        with self.lock:
            self.counts[do.__name__] = self.counts.get(do.__name__, 0) + 1

    def client(self, stop, seed):
        pick = random.Random(seed)
        weights, kinds = zip(*self.kinds)
        due, n = time.monotonic(), seed * 1000000
        while not stop.is_set():
            n += 1
            self.one(pick.choices(kinds, weights)[0], n)
            due += CLIENTS / REQUESTS_A_SECOND * pick.uniform(0.5, 1.5)
            if (left := due - time.monotonic()) > 0:
                stop.wait(left)
            else:
                due = time.monotonic()  # no burst to make up for it
        for name in ("c", "t", "p", "h2", "h2t"):
            self.drop(name)

    # What a kill may cost: what cannot be sent twice, and what was under way already.
    FRAGILE = ("post", "upload", "chunked_upload", "big", "big_chunks", "until_end", "tls_big", "websocket", "tcp", "h2_big", "h2_upload")

    def lost(self):
        """Failures that the rules do not allow."""
        def is_allowed(name, began, ended):
            return name in self.FRAGILE and any(began - AFTER_S <= t <= ended for t in self.fleet.kills)

        return [f for f in self.failures if not is_allowed(f[0], f[1], f[2])]


class Changes:
    """Routes that come, change and go all the time; and the busy one's changes from one service to the other."""

    def __init__(self, router):
        self.router = router
        self.n = 0
        self.failures = []
        self.slowest = 0
        self.away = [float("inf"), float("-inf")]  # from when to when etcd is
        self.n_refused = 0
        self.unsure = set()  # whether etcd has taken their deletion, or that they are there, is not known

    def call(self, method, path, body=None):
        """What the router told; {} when it could not."""
        began = time.monotonic()
        status, told = self.router.call(method, path, body)
        ended = time.monotonic()
        self.n += 1
        if status == 200:
            if not self.is_away(began, ended):
                self.slowest = max(self.slowest, ended - began)
            self.unsure.discard(path)
            return told
        if self.is_away(began, ended) and status in (503, 504):
            self.n_refused += 1
            self.unsure.add(path)
        elif method != "DELETE" or status != 404 or path not in self.unsure:
            self.failures.append((method, path, body, status, told))
        return {}

    def is_away(self, began, ended):
        return began <= self.away[1] and ended >= self.away[0]

    def delete(self, route):
        """Until it is gone for certain."""
        path = f"/routes/{route}"
        while self.call("DELETE", path) == {} and path in self.unsure and self.is_away(time.monotonic(), time.monotonic()):
            time.sleep(0.1)

    def route(self, domain, service, **config):
        return {"type": "http", "config": dict(config, domain=domain, service=service)}

    def run(self, stop, me, n):
        """One of n who share the work."""
        due, ids, flapping = time.monotonic(), [], "http/none"
        i = 0
        while not stop.is_set():
            i += 1
            if i % 10 == 0 and me == 0:
                self.call("PUT", "/routes", self.route(HOST, random.choice(("soak-web", "soak-also"))))
            elif i % 10 == 5 and me == 0:
                told = self.call("POST", "/routes", self.route(FLAPPING, "soak-web"))
                flapping = told.get("id") or flapping
                if not told:  # it may have come all the same, under the id it had before
                    self.unsure.add(f"/routes/{flapping}")
                self.delete(flapping)
            elif len(ids) < 50 or (len(ids) < 100 and random.random() < 0.5):
                told = self.call("POST", "/routes", self.route(f"r{me}-{i}.example.com", random.choice(("soak-web", "nobody")), sticky=i % 3 == 0))
                ids += [told["id"]] if told else []
            elif random.random() < 0.3:
                self.call("PUT", "/routes", self.route(f"r{me}-x.example.com", "soak-web", redirect_https=i % 2 == 0))
            else:
                self.delete(ids.pop(random.randrange(len(ids))))
            due += n / CHANGES_A_SECOND
            if (left := due - time.monotonic()) > 0:
                stop.wait(left)
        for x in ids:
            self.delete(x)


def proc_status(router):
    """Memory that is the process's own, in KiB, and descriptors."""
    with open(f"/proc/{router.proc.pid}/status") as f:
        rss = sum(int(line.split()[1]) for line in f if line.startswith("RssAnon"))
    return rss, len(os.listdir(f"/proc/{router.proc.pid}/fd"))


class Soak:
    """Starts all of it, runs it, and remembers what was measured."""

    done = None

    def __init__(self, w):
        self.router = Router(w.etcd.url, w.discoverd, "-head-timeout", "30", "-answer-timeout", "60", "-requests", "1000")
        self.fleet = Fleet(w.discoverd)
        for _ in range(4):
            self.fleet.add()
        cert, key = w.cert(TLS_HOST)
        self.router.route(HOST, "soak-web")
        self.router.route(TLS_HOST, "soak-web", tls_cert=cert, tls_key=key)
        port = self.router.tcp_route("soak-tcp", free_port())["config"]["port"]
        self.load = Load(w, self.router, port, self.fleet)
        self.changes = Changes(self.router)

    def restart_etcd(self, etcd):
        """As by kill -9; it has its data when it comes back."""
        self.changes.away = [time.monotonic(), float("inf")]
        etcd.stop()
        time.sleep(1)
        etcd.start()
        route = self.changes.route(HOST, "soak-web")
        wait_for("changes to be taken again", lambda: self.router.call("PUT", "/routes", route)[0] == 200, 30)
        self.changes.away[1] = time.monotonic()

    def run(self, seconds, etcd=None):
        """etcd: is restarted meanwhile."""
        stop = threading.Event()
        threads = [threading.Thread(target=self.load.client, args=(stop, i)) for i in range(CLIENTS)]
        threads += [threading.Thread(target=self.changes.run, args=(stop, i, 3)) for i in range(3)]
        churn = threading.Thread(target=self.fleet.churn, args=(stop,))
        began = time.monotonic()
        for t in [*threads, churn]:
            t.start()
        while (left := began + seconds - time.monotonic()) > 0 and self.router.proc.poll() is None:
            if etcd is not None and left < seconds / 2:
                self.restart_etcd(etcd)
                etcd = None
            stop.wait(min(left, 0.5))
        stop.set()
        for t in [*threads, churn]:
            t.join()
        return time.monotonic() - began

    def quiet(self):
        """No client, no instance, and so no connection: what is left then is the router's own."""
        known = list(self.fleet.known)
        self.fleet.end()
        wait_for("clients to be gone", lambda: self.router.metric("flynn_router_clients_open") == 0, 30)
        last = [None]

        def stable():
            now = proc_status(self.router)[1]
            same, last[0] = now == last[0], now
            time.sleep(0.5)
            return same

        wait_for("descriptors to be closed", stable, 60)
        time.sleep(0.5)
        measured = proc_status(self.router)
        self.fleet.known = known
        with self.fleet.lock:
            self.fleet.tell()
        wait_for("instances to be known again", lambda: self.is_served(), 10)
        return measured

    def is_served(self):
        with Client(self.router.http) as c:
            return c.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").read_answer().status == 200


def has_grown(measured):
    """What the heap keeps differs by what met in time, but what leaks is more after every round. (Under the sanitizers
    freed memory is kept to find its use, and the end of the process tells of leaks.)"""
    (rss, _), (rss_after, _) = measured[-2:]
    return not SAN and rss_after > rss * 1.1 + 1024


def soak(w):
    """Run it once, for all cases."""
    if Soak.done is None:
        Soak.done = s = Soak(w)
        try:
            s.run(WARM_S)
            s.measured = [s.quiet()]
            n, changes = sum(s.load.counts.values()), s.changes.n
            s.seconds = s.run(SECONDS - WARM_S, w.etcd)
            s.requests, s.changed = sum(s.load.counts.values()) - n, s.changes.n - changes
            s.measured.append(s.quiet())
            while has_grown(s.measured) and len(s.measured) < ROUNDS_MAX:
                s.run(SECONDS - WARM_S)
                s.measured.append(s.quiet())
        finally:
            s.fleet.stop()
        for line in (f"{s.requests} requests in {s.seconds:.0f} s, {s.requests / s.seconds:.0f} a second: " +
                     " ".join(f"{k} {v}" for k, v in sorted(s.load.counts.items())),
                     f"{s.changed} changes of routes, {s.changed / s.seconds:.0f} a second, the slowest {s.changes.slowest * 1000:.0f} ms; "
                     f"{s.changes.n_refused} refused while etcd was away, for {s.changes.away[1] - s.changes.away[0]:.1f} s",
                     f"{len(s.fleet.kills)} instances killed, {s.fleet.n_drained} taken out; {len(s.load.failures)} requests failed, "
                     f"{len(s.load.lost())} of them against the rules",
                     f"anonymous memory in KiB after {WARM_S:.0f} s and at the end, and descriptors: {s.measured}",
                     f"retries {s.router.metric('flynn_router_retries_total'):.0f}, connects {s.router.metric('flynn_router_connects_total'):.0f}"):
            print(f"# {line}")
    return Soak.done


@case
def no_request_is_lost_that_must_not_be(w):
    s = soak(w)
    assert s.router.proc.poll() is None, "the router ended"
    lost = s.load.lost()
    assert not lost, (len(lost), lost[:10])


@case
def every_change_of_a_route_is_made(w):
    s = soak(w)
    assert not s.changes.failures, (len(s.changes.failures), s.changes.failures[:5])
    # A machine that is busy with other things may do less; but not nothing.
    assert s.changed > s.seconds * CHANGES_A_SECOND / 10, s.changed


@case
def every_kind_of_load_was_there(w):
    s = soak(w)
    assert len(s.load.counts) == len(s.load.kinds) and s.fleet.kills and s.fleet.n_drained, s.load.counts


@case
def no_memory_and_no_descriptor_is_left(w):
    s = soak(w)
    assert s.measured[-1][1] <= s.measured[0][1] + 3, s.measured
    assert not has_grown(s.measured), s.measured


@case
def router_ends_in_time_and_with_success(w):
    s = soak(w)
    s.router.proc.send_signal(signal.SIGTERM)
    assert s.router.proc.wait(20) == 0, s.router.proc.returncode
