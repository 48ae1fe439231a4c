"""A new router takes over from the old one on the same machine: neither a request nor a connection is lost."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

from world import KEY, Client, Etcd, Instance, Router, answer, case, free_port, listens, read_request, wait_for


class Line:
    """Routers that follow one another on the same ports."""

    def __init__(self, w, *flags, **kw):
        self.w = w
        self.http, self.https = free_port(), free_port()
        self.all = []
        self.now = self.start(*flags, **kw)
        wait_for("the first to serve", lambda: "msg=ready" in log_of(self.now))

    def start(self, *flags, threads=2, key=KEY, etcd=None, env=()):
        """One more, which asks the one before it."""
        r = Router.__new__(Router)
        r.http, r.https, r.api = self.http, self.https, free_port()
        r.log = open(os.path.join(os.environ["TMP"], f"router-{r.api}.log"), "ab")
        r.proc = subprocess.Popen(
            ["flynn-router", "-httpaddr", f":{r.http}", "-httpsaddr", f":{r.https}", "-threads", str(threads), *flags],
            env=dict(os.environ, CLUSTER_KEY=key, ETCD=etcd or self.w.etcd.url, DISCOVERD=f"127.0.0.1:{self.w.discoverd.port}",
                     EXTERNAL_IP="127.0.0.1", PORT=str(r.api), **dict(env)), stdout=r.log, stderr=r.log)
        self.all.append(r)
        return r

    def follow(self, *flags, **kw):
        """One more, until the one before it has ended."""
        old, new = self.now, self.start(*flags, **kw)
        assert old.proc.wait(20) == 0, "the old router did not end well"
        assert new.proc.poll() is None, "the new router ended"
        self.now = new
        return new


def log_of(r):
    with open(r.log.name) as f:
        return f.read()


@contextlib.contextmanager
def line(w, *flags, **kw):
    chain = Line(w, *flags, **kw)
    try:
        yield chain
    finally:
        for r in chain.all:
            r.proc.kill()
            r.proc.wait()


class Load:
    """Clients that ask again and again, and note everything that is not a good answer."""

    def __init__(self, chain, host, tcp_port):
        self.port, self.https, self.host, self.tcp_port = chain.http, chain.https, host, tcp_port
        self.errors, self.counts, self.over = [], {}, threading.Event()
        kinds = [self.keep_alive, self.keep_alive, self.fresh, self.fresh, self.pausing, self.tls, self.tcp]
        self.threads = [threading.Thread(target=self.run, args=(k,)) for k in kinds]
        for t in self.threads:
            t.start()

    def run(self, kind):
        n = 0
        try:
            while not self.over.is_set():
                n += kind()
        except Exception as e:  # whatever it is, a client has seen it
            self.errors.append(f"{kind.__name__} after {n}: {e!r}")
        self.counts[kind.__name__] = self.counts.get(kind.__name__, 0) + n

    def ask(self, c):
        a = c.send(f"POST / HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: 5\r\n\r\nhello").read_answer()
        assert a.status == 200 and a.json["length"] == 5, (a.line, a.body)
        return a.get("Connection") != "close"

    def keep_alive(self, pause=0.001):
        n = 0
        with Client(self.port) as c:
            while not self.over.is_set():
                n += 1
                if not self.ask(c):
                    break
                time.sleep(pause)
        return n

    def pausing(self):
        return self.keep_alive(0.3)

    def fresh(self):
        with Client(self.port) as c:
            self.ask(c)
        return 1

    def tls(self):
        with Client(self.https, tls={"name": self.host}) as c:
            for _ in range(3):
                if not self.ask(c):
                    break
        return 1

    def tcp(self):
        with Client(self.tcp_port) as c:
            assert c.f.read(5) == b"hello"
            assert c.send("abc").f.read(3) == b"ABC"
        return 1

    def end(self):
        self.over.set()
        for t in self.threads:
            t.join(20)
        assert not self.errors, self.errors
        return self.counts


def shout(inst, c, f):
    c.sendall(b"hello")
    while data := f.read1(65536):
        c.sendall(data.upper())


@case
def no_request_and_no_connection_is_lost_over_five_handovers(w):
    """The number of threads, and so of sockets for a port, goes up and down."""
    host, _, _ = w.app(**dict(zip(("tls_cert", "tls_key"), w.cert("handover.example.com"))))
    inst, port = Instance(shout), free_port()
    w.discoverd.set("handover-tcp", [inst.addr])
    w.router.tcp_route("handover-tcp", port)
    w.router.stop(signal.SIGKILL)  # the ports of TCP routes are one router's on a machine
    try:
        with line(w) as chain:
            wait_for("the TCP route", lambda: listens(port))
            load = Load(chain, host, port)
            for threads in (1, 4, 2, 3, 2):
                time.sleep(0.1)
                new = chain.follow(threads=threads)
                assert new.metric("flynn_router_clients_total") > 0
            counts = load.end()
            assert all(n >= 5 for n in counts.values()) and counts["fresh"] > 50, counts
            assert "a successor serves" in "".join(log_of(r) for r in chain.all[1:])
    finally:
        w.router.start()


@case
def requests_under_way_are_finished_by_the_old(w):
    go = threading.Event()

    def slow(inst, c, f):
        while (r := read_request(f)) is not None:
            if r.target == "/held":
                assert go.wait(10)
            answer(c, b"finished")

    host, _, _ = w.app(slow)
    with line(w) as chain:
        old = chain.now
        with Client(old.http) as c, Client(old.http) as idle:
            c.send(f"GET /held HTTP/1.1\r\nHost: {host}\r\n\r\n")
            idle.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
            wait_for("the request to arrive", lambda: old.metric("flynn_router_clients_open") == 2)
            chain.start()
            wait_for("the old to retire", lambda: "a successor serves" in log_of(old))
            # A connection that was idle gets another answer, which is its last.
            a = idle.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
            assert a.status == 200 and a.get("Connection") == "close" and idle.ended()
            assert old.proc.poll() is None
            go.set()
            a = c.read_answer()
            assert a.body == b"finished" and a.get("Connection") == "close", a.headers
        assert old.proc.wait(10) == 0


@case
def connections_that_do_not_end_are_cut_after_the_drain_time(w):
    host, _, _ = w.app(lambda inst, c, f: (read_request(f), c.sendall(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
                                           f.read()))
    with line(w, "-drain-timeout", "1") as chain:
        with Client(chain.now.http) as c:
            c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
            assert c.read_answer().status == 101
            chain.follow()
            assert c.ended()


@case
def job_of_a_host_waits_to_be_stopped(w):
    """Its host would start it again if it ended by itself."""
    host, _, _ = w.app()
    with line(w) as chain:
        first = chain.follow(env={"FLYNN_JOB_ID": "host-1"})
        idle = Client(first.http)
        idle.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
        chain.start()
        wait_for("the old to retire", lambda: "a successor serves" in log_of(first))
        first.proc.send_signal(signal.SIGTERM)  # as its host does as soon as the new one is up
        a = idle.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer()
        assert a.status == 200 and a.get("Connection") == "close", a.headers
        assert first.proc.wait(5) == 0
    with line(w, env={"FLYNN_JOB_ID": "host-1"}) as chain:
        first = chain.now
        chain.start()
        wait_for("the old to retire", lambda: "a successor serves" in log_of(first))
        with Client(first.http) as c:
            assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").read_answer().status == 200
        assert first.call("GET", "/ping", key=None)[0] == 200 and first.proc.poll() is None
        assert first.stop() == 0


@case
def wrong_key_gets_nothing(w):
    host, _, _ = w.app()
    with line(w) as chain:
        old = chain.now
        stranger = chain.start(key="wrong")
        wait_for("it to be refused", lambda: "CLUSTER_KEY is another one" in log_of(old))
        wait_for("it to say so", lambda: "does not hand over" in log_of(stranger))
        stranger.proc.kill()
        stranger.proc.wait()
        # Nor does one that says what nobody understands, or nothing.
        name = f"\0flynn-router/{old.http}"
        for words in (b"", b"x", b"x" * 80, b"x" * 10000, b"flynnho1\2" + b"\0" * 71, b"flynnho1\5" + b"\0" * 71):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                s.settimeout(10)
                s.connect(name)
                hello = s.recv(1000)
                assert hello[:9] == b"flynnho1\1" and len(hello) == 80, hello
                if words:
                    s.send(words[:80] if words.startswith(b"flynn") else words)
                    data, fds, _, _ = socket.recv_fds(s, 1000, 10)
                    assert data == b"" and not fds
        assert old.proc.poll() is None
        with Client(old.http) as c:
            assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200
        chain.follow()


@contextlib.contextmanager
def deceived(w, http, offer):
    """A router that finds its meeting point taken by somebody who does not know the key: offer(connection) talks to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.bind(f"\0flynn-router/{http}")
        s.listen()
        s.settimeout(10)

        def meet():
            c, _ = s.accept()
            c.send(b"flynnho1\1" + b"\0" * 71)
            c.recv(1000)
            offer(c)

        t = threading.Thread(target=meet)
        t.start()
        r = Router.__new__(Router)
        r.http, r.https, r.api, r.flags, r.threads, r.etcd, r.discoverd = http, free_port(), free_port(), (), 1, w.etcd.url, w.discoverd
        try:
            r.start()
            t.join(10)
            yield r
        finally:
            r.proc.kill()
            r.proc.wait()


@case
def one_that_does_not_know_the_key_is_not_believed(w):
    """The router serves without what it is offered."""
    host, _, _ = w.app()
    http, dual = free_port(), socket.has_dualstack_ipv6()
    # Just what the router wants.
    trap = socket.create_server(("", http), family=socket.AF_INET6 if dual else socket.AF_INET, dualstack_ipv6=dual, reuse_port=True)
    inode = os.fstat(trap.fileno()).st_ino

    def offer(c):
        socket.send_fds(c, [b"flynnho1\3\0" + (http).to_bytes(2, "little") + (1).to_bytes(4, "little") + b"\0" * 64], [trap.fileno()])
        trap.close()
        c.recv(1000)

    with deceived(w, http, offer) as r:
        fds = f"/proc/{r.proc.pid}/fd"
        assert f"socket:[{inode}]" not in [os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds)]
        with Client(http) as c:
            assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200


@case
def one_that_does_not_know_the_key_is_told_nothing(w):
    """It says that it has no sockets: a predecessor would be told when the router serves."""
    told = []

    def offer(c):
        c.settimeout(10)
        c.send(b"flynnho1\4" + b"\0" * 71)
        told.append(c.recv(1000))

    with deceived(w, free_port(), offer):
        assert told == [b""], told


@case
def successor_waits_for_routes_while_the_old_serves(w):
    """Without etcd it would know no route: the one that does goes on."""
    host, _, _ = w.app()
    with line(w) as chain:
        old, new = chain.now, chain.start(etcd=f"http://127.0.0.1:{free_port()}", threads=4)
        wait_for("it to have the sockets", lambda: "handed to a successor" in log_of(old))
        for _ in range(40):
            time.sleep(0.1)  # longer than one waits that has no predecessor
            with Client(old.http) as c:
                assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200
        assert "msg=ready" not in log_of(new)
        # It goes away, and the next one gets all.
        new.proc.kill()
        wait_for("the old to go on", lambda: "ended before it served" in log_of(old))
        chain.follow()


@case
def old_one_killed_in_the_middle_costs_nothing(w):
    """The new one has the sockets, and with them what waits in them."""
    host, _, _ = w.app()
    etcd = Etcd.__new__(Etcd)
    etcd.port = free_port()
    with line(w) as chain:
        old, new = chain.now, chain.start(etcd=f"http://127.0.0.1:{etcd.port}")
        wait_for("it to have the sockets", lambda: "handed to a successor" in log_of(old))
        old.proc.kill()
        old.proc.wait()
        with Client(new.http) as c:  # nobody accepts it yet
            c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            assert c.read_answer().status == 503  # it has waited long enough, and says that it knows no routes
        assert new.proc.poll() is None
        chain.now = new
        chain.follow()
        with Client(new.http) as c:
            assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200


@case
def old_one_stopped_in_the_middle_costs_nothing(w):
    """A frozen router does not answer: the new one does not wait for it for long, and serves."""
    host, _, _ = w.app()
    with line(w) as chain:
        old = chain.now
        old.proc.send_signal(signal.SIGSTOP)
        try:
            new = chain.start()
            wait_for("the new to serve", lambda: "msg=ready" in log_of(new), 20)
            assert "does not hand over" in log_of(new), log_of(new)
        finally:
            old.proc.kill()
            old.proc.wait()
        with Client(new.http) as c:
            assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200
        # The name is free again: the next one is handed what this one has.
        chain.now = new
        wait_for("it to take the name", lambda: asks(new.http), 20)
        chain.follow()


def asks(port):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s, contextlib.suppress(OSError):
        s.connect(f"\0flynn-router/{port}")
        return True
    return False
