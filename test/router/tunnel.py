"""Bytes that are on their way when something ends: upgrades and TCP routes, half-closed connections, expectations,
peers that are slow, stuck or dying at any byte."""

import contextlib
import hashlib
import os
import random
import socket
import ssl
import struct
import threading
import time

from world import LIMIT, SLOW, Client, Instance, answer, case, free_port, listens, read_chunked, read_head, read_request, wait_for

UPGRADE = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"


def reset(sock, *files):
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for f in files:
        f.close()
    sock.close()


def echo(c, f):
    """Back what comes; at its end, one word more."""
    while data := f.read1(65536):
        c.sendall(data)
    c.sendall(b"<end>")


def websocket(inst, c, f):
    """Switches, and echoes; what else it does is the target's to say."""
    while (r := read_request(f)) is not None:
        inst.requests.append(r)
        if r.target.startswith("/no"):
            answer(c, b"refused", "403 Forbidden")
        elif r.target == "/glued":
            c.sendall(SWITCH + b"glued")
            echo(c, f)
            return
        elif r.target == "/interim":
            c.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + SWITCH)
            echo(c, f)
            return
        elif r.target == "/first":
            c.sendall(SWITCH + b"x" * 100000)
            c.shutdown(socket.SHUT_WR)
            inst.heard = f.read()
            return
        elif r.target == "/reset":
            c.sendall(SWITCH)
            f.read(3)
            reset(c, f)
            return
        else:
            c.sendall(SWITCH)
            echo(c, f)
            return


def open_ws(c, host, target="/", early=b"", version="1.1"):
    c.send(f"GET {target} HTTP/{version}\r\nHost: {host}\r\n{UPGRADE}\r\n".encode() + early)
    a = c.read_answer()
    while a.status in (100, 103):
        a = c.read_answer()
    return a


def tls_app(w, name, do):
    """A host with a certificate."""
    cert, key = w.cert(name)
    inst = Instance(do)
    w.discoverd.set(name, [inst.addr])
    w.router.route(name, name, tls_cert=cert, tls_key=key)
    return inst


def tls_client(w, name):
    return Client(w.router.https, tls={"name": name})


def fin(c):
    """The client's side ends by a bare FIN, under TLS too."""
    raw = socket.socket(fileno=os.dup(c.sock.fileno()))
    raw.shutdown(socket.SHUT_WR)
    raw.close()


def exchange(c, size, chunk=50000):
    """Send random bytes, in random pieces, and read them back at the same time."""
    data = os.urandom(size)

    def send():
        at = 0
        while at < size:
            n = random.randint(1, chunk)
            c.send(data[at:at + n])
            at += n

    t = threading.Thread(target=send)
    t.start()
    got = hashlib.sha256()
    left = size
    while left > 0:
        piece = c.f.read1(min(left, 1 << 20))
        assert piece, f"{left} bytes are missing"
        got.update(piece)
        left -= len(piece)
    t.join()
    assert got.digest() == hashlib.sha256(data).digest(), "other bytes came back"


# ---- upgrades -------------------------------------------------------------------------------

@case
def websocket_carries_bytes_both_ways_at_once(w):
    host, (inst,), _ = w.app(websocket)
    for size in (1, 5000, 8000000):
        with w.client() as c:
            a = open_ws(c, host)
            assert a.status == 101 and a.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", a.headers
            exchange(c, size)
            fin(c)
            assert c.f.read() == b"<end>"
    r = inst.requests[0]
    assert r.get("Sec-WebSocket-Key") == "dGhlIHNhbXBsZSBub25jZQ==" and r.get("Connection") == "Upgrade", r.headers


@case
def websocket_under_tls_carries_bytes_both_ways_at_once(w):
    tls_app(w, "ws.example.com", websocket)
    with tls_client(w, "ws.example.com") as c:
        c.sock.settimeout(LIMIT)
        assert open_ws(c, "ws.example.com").status == 101
        # One thread for both ways: an SSL object of Python's is not for two.
        data = os.urandom(2000000)
        at, got = 0, b""
        while len(got) < len(data):
            if at < len(data) and at - len(got) < 60000:
                c.send(data[at:at + 20000])
                at += 20000
            else:
                got += c.f.read1(65536)
        assert got == data
        fin(c)
        assert c.f.read() == b"<end>"


@case
def small_messages_go_back_and_forth(w):
    host, _, _ = w.app(websocket)
    with w.client() as c:
        assert open_ws(c, host).status == 101
        for i in range(1000):
            word = b"%d" % i
            assert c.send(word).f.read(len(word)) == word


@case
def bytes_sent_with_the_request_arrive_behind_the_switch(w):
    """Few and many: what is too much to be kept waits in the kernel."""
    host, _, _ = w.app(websocket)
    for size in (1, 1000, 15000, 100000, 1000000):
        early = os.urandom(size)
        with w.client() as c:
            t = threading.Thread(target=lambda: c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n{UPGRADE}\r\n".encode() + early))
            t.start()
            assert c.read_answer().status == 101
            assert c.f.read(size) == early
            t.join()


@case
def bytes_glued_to_the_switch_arrive(w):
    host, _, _ = w.app(websocket)
    with w.client() as c:
        assert open_ws(c, host, "/glued").status == 101
        assert c.f.read(5) == b"glued"
        assert c.send("x").f.read(1) == b"x"


@case
def interim_answers_may_come_before_the_switch(w):
    host, _, _ = w.app(websocket)
    with w.client() as c:
        assert open_ws(c, host, "/interim").status == 101
        exchange(c, 1000)


@case
def refused_upgrade_leaves_a_connection_for_requests(w):
    host, (inst,), _ = w.app(websocket)
    with w.client() as c:
        for _ in range(3):
            a = open_ws(c, host, "/no")
            assert a.status == 403 and a.body == b"refused" and a.get("Upgrade") is None, a.headers
        assert open_ws(c, host).status == 101
        exchange(c, 1000)
    assert inst.connections == 1, inst.connections


@case
def request_behind_a_refused_upgrade_is_a_request(w):
    """What was sent early is no tunnel's bytes then."""
    host, (inst,), _ = w.app(websocket)
    with w.client() as c:
        assert open_ws(c, host, "/no1", f"GET /no2 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).status == 403
        assert c.read_answer().status == 403
    assert [r.target for r in inst.requests] == ["/no1", "/no2"]


@case
def instance_may_end_its_side_first(w):
    host, (inst,), _ = w.app(websocket)
    with w.client() as c:
        assert open_ws(c, host, "/first").status == 101
        assert len(c.f.read()) == 100000
        c.send("still ").send(b"y" * 100000)
        c.sock.shutdown(socket.SHUT_WR)
        wait_for("the instance to hear it", lambda: getattr(inst, "heard", b"") == b"still " + b"y" * 100000)


@case
def end_of_one_side_by_force_ends_the_other(w):
    host, (inst,), _ = w.app(websocket)
    with w.client() as c:
        assert open_ws(c, host, "/reset").status == 101
        c.send("now")
        assert c.ended()
    gone = threading.Event()

    def wait(inst, c, f):
        read_request(f)
        c.sendall(SWITCH)
        try:
            f.read()
        finally:
            gone.set()

    host, _, _ = w.app(wait)
    c = w.client()
    assert open_ws(c, host).status == 101
    reset(c.sock, c.f)
    assert gone.wait(LIMIT)


@case
def switch_in_the_middle_of_a_body_is_a_502(w):
    def hasty(inst, c, f):
        read_head(f)
        c.sendall(SWITCH)
        f.read()

    host, _, _ = w.app(hasty)
    with w.client() as c:
        c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n{UPGRADE}\r\nabc")
        a = c.read_answer()
        assert a.status == 502 and c.ended(), a.line


@case
def switch_is_not_for_old_clients(w):
    """9110 7.8: their Upgrade is ignored, and an instance that obeys it all the same is not."""
    host, (inst,), _ = w.app(websocket)
    with w.client() as c:
        assert open_ws(c, host, version="1.0").status == 502
        assert inst.requests[0].get("Upgrade") is None and inst.requests[0].get("Connection") is None, inst.requests[0].headers


@case
def tunnel_may_be_quiet_for_longer_than_an_answer(w):
    host, _, _ = w.app(websocket)
    with w.client() as c, w.client() as d:
        assert open_ws(c, host).status == 101
        assert open_ws(d, host).status == 101
        time.sleep(3.5)  # -head-timeout 2 -answer-timeout 3
        exchange(c, 10)
        exchange(d, 10)


@case
def many_tunnels_leave_nothing_behind(w):
    host, _, _ = w.app(websocket)
    wait_for("clients to be gone", lambda: w.router.metric("flynn_router_clients_open") == 0)
    before = descriptors(w)
    clients = []
    for _ in range(150):
        c = w.client()
        clients.append(c)
        assert open_ws(c, host).status == 101
    for c in clients:
        c.send("hello")
    for c in clients:
        assert c.f.read(5) == b"hello"
    for i, c in enumerate(clients):
        if i % 2:
            reset(c.sock, c.f)
        else:
            c.close()
    wait_for("clients to be gone again", lambda: w.router.metric("flynn_router_clients_open") == 0)
    wait_for("descriptors to be closed", lambda: descriptors(w) <= before + 4)


def descriptors(w):
    return len(os.listdir(f"/proc/{w.router.proc.pid}/fd"))


# ---- TCP routes -----------------------------------------------------------------------------

def tcp_app(w, name, do):
    inst = Instance(do)
    w.discoverd.set(name, [inst.addr])
    port = free_port()
    w.router.tcp_route(name, port)
    return port, inst


def deaf():
    """A port that takes no connection and refuses none: its queue is full."""
    s = socket.socket()
    s.bind(("127.0.0.1", free_port()))
    s.listen(0)
    fill = []
    for _ in range(3):
        c = socket.socket()
        c.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            c.connect(s.getsockname())
        fill.append(c)
    return s, fill


@case
def tcp_route_carries_much_both_ways_at_once(w):
    port, _ = tcp_app(w, "tcp-much", lambda inst, c, f: echo(c, f))
    for size in (1, 100000, 20000000):
        with Client(port) as c:
            exchange(c, size)
            c.sock.shutdown(socket.SHUT_WR)
            assert c.f.read() == b"<end>"


@case
def tcp_client_that_sends_and_ends_at_once_is_heard(w):
    """As `nc -N` does: all of it may have come before the instance is connected."""
    def whole(inst, c, f):
        data = f.read()
        c.sendall(b"%d " % len(data) + hashlib.sha256(data).hexdigest().encode())

    port, _ = tcp_app(w, "tcp-nc", whole)
    for size in (0, 1, 1000, 70000, 3000000):
        data = os.urandom(size)
        with Client(port) as c:
            c.send(data)
            c.sock.shutdown(socket.SHUT_WR)
            assert c.f.read() == b"%d " % size + hashlib.sha256(data).hexdigest().encode(), size


@case
def tcp_instance_may_end_its_side_first(w):
    heard = []

    def first(inst, c, f):
        c.sendall(b"bye")
        c.shutdown(socket.SHUT_WR)
        heard.append(f.read())

    port, _ = tcp_app(w, "tcp-first", first)
    with Client(port) as c:
        assert c.f.read() == b"bye"
        c.send("x" * 100000)
        c.sock.shutdown(socket.SHUT_WR)
        wait_for("the rest", lambda: heard)
        assert heard == [b"x" * 100000]


@case
def tcp_reset_is_passed_on_both_ways(w):
    gone = threading.Event()

    def odd(inst, c, f):
        if f.read(1) == b"r":
            reset(c, f)
            return
        try:
            f.read()
        finally:
            gone.set()

    port, _ = tcp_app(w, "tcp-reset", odd)
    with Client(port) as c:
        c.send("r")
        assert c.ended()
    c = Client(port)
    c.send("w")
    reset(c.sock, c.f)
    assert gone.wait(LIMIT)


def segments_in(c):
    """How many segments have come over a connection, of struct tcp_info."""
    return struct.unpack_from("I", c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 140)[0]


@case
def end_of_a_handshake_goes_with_the_first_bytes(w):
    """A segment and a waking of the instance less. Where instances have ever spoken first they are not kept waiting for it."""
    segments = []

    def talk(inst, c, f):
        if inst.is_eager:
            c.sendall(b"hello")
        f.read(3)
        segments.append(segments_in(c))
        c.sendall(b"bye")

    def visit(port):
        with Client(port) as c:
            c.send("hey")
            assert c.f.read() in (b"bye", b"hellobye")
        return segments.pop()

    port, inst = tcp_app(w, "tcp-handshake", talk)
    inst.is_eager = False
    assert visit(port) == 3  # with the first of all; who speaks first is not known yet
    for _ in range(3):
        assert visit(port) == 2
    inst.is_eager = True
    with Client(port) as c:
        assert c.f.read(5) == b"hello"
        c.send("hey")
        assert c.f.read() == b"bye"
    segments.clear()
    inst.is_eager = False
    for _ in range(3):
        assert visit(port) == 3


@case
def requests_go_with_the_end_of_the_handshake(w):
    segments = []

    def once(inst, c, f):
        read_request(f)
        segments.append(segments_in(c))
        answer(c, b"x")

    host, _, _ = w.app(once)
    for _ in range(3):
        with Client(w.router.http) as c:
            c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            assert c.read_answer().status == 200
    assert segments == [2, 2, 2], segments


@case
def tcp_route_without_an_instance_closes_and_lives_on(w):
    """The original's whole router ended."""
    port = free_port()
    w.router.tcp_route("tcp-nobody", port)
    for _ in range(50):
        with contextlib.suppress(ConnectionError), Client(port) as c:
            assert c.f.read() == b""
    inst = Instance(lambda inst, c, f: c.sendall(b"here"))
    w.discoverd.set("tcp-nobody", [inst.addr])

    def here():
        with contextlib.suppress(ConnectionError), Client(port) as c:
            return c.f.read() == b"here"

    wait_for("the instance", here)


@case
def tcp_route_listens_once_it_is_known_where_it_leads(w):
    """Until discoverd has said that, a connection could only be closed."""
    port, inst = free_port(), Instance(lambda inst, c, f: c.sendall(b"here"))
    w.discoverd.stop()
    w.router.tcp_route("tcp-unsaid", port)
    w.router.route("unsaid.example.com", "tcp-unsaid")
    wait_for("the routes to be there", lambda: b"has not said" in w.get("unsaid.example.com").body)
    assert not listens(port)
    w.discoverd.set("tcp-unsaid", [inst.addr])
    w.discoverd.start()

    def greeted():
        with contextlib.suppress(ConnectionRefusedError), Client(port) as c:
            return c.f.read()

    assert wait_for("somebody to listen", lambda: (got := greeted()) is not None and [got]) == [b"here"]


@case
def clients_that_leave_while_we_dial_cost_nothing(w):
    """The original's whole router ended. By FIN, by RST, with bytes and without, TCP and HTTP."""
    s, fill = deaf()
    addr = "127.0.0.1:%d" % s.getsockname()[1]
    port = free_port()
    w.discoverd.set("tcp-deaf", [addr])
    w.router.tcp_route("tcp-deaf", port)
    w.router.route("deaf.example.com", "tcp-deaf")
    wait_for("clients to be gone", lambda: w.router.metric("flynn_router_clients_open") == 0)
    before = descriptors(w)
    request = "POST / HTTP/1.1\r\nHost: deaf.example.com\r\nContent-Length: 100\r\n\r\nabc"
    for i in range(80):
        to_tcp = i % 2 == 0
        c = Client(port if to_tcp else w.router.http)
        if i % 4 < 2:
            c.send("hello" if to_tcp else request)
        if i % 8 < 4:
            reset(c.sock, c.f)
        else:
            c.close()
    wait_for("clients to be gone again", lambda: w.router.metric("flynn_router_clients_open") == 0)
    wait_for("descriptors to be closed", lambda: descriptors(w) <= before + 4)
    began = time.monotonic()
    with w.client() as c:
        a = c.send("GET / HTTP/1.1\r\nHost: deaf.example.com\r\n\r\n").read_answer()
        assert a.status in (503, 504) and time.monotonic() - began > 2, a.line
    for x in fill:
        x.close()
    s.close()


@case
def tcp_connection_is_cut_where_its_instance_dies(w):
    """At each of its bytes: what came before has arrived, and nothing behind it."""
    text = b"0123456789" * 4
    cut = [0]

    def dies(inst, c, f):
        c.sendall(text[:cut[0]])
        f.read(1)
        reset(c, f)

    port, _ = tcp_app(w, "tcp-dies", dies)
    for cut[0] in range(len(text)):
        with Client(port) as c:
            got = c.f.read(cut[0])
            c.send("x")
            assert got == text[:cut[0]] and c.ended()


@case
def slow_tcp_reader_gets_all(w):
    size = 1000000
    port, _ = tcp_app(w, "tcp-slow", lambda inst, c, f: c.sendall(b"z" * size))
    with Client(port) as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        got = 0
        while data := c.f.read1(100000):
            got += len(data)
            if got % 7 == 0:
                time.sleep(0.001)
        assert got == size


# ---- half-closed clients --------------------------------------------------------------------

def thoughtful(inst, c, f):
    """Answers when the test says go: by then the client's end has been seen."""
    while (r := read_request(f)) is not None:
        inst.requests.append(r)
        inst.go.acquire(timeout=LIMIT)
        answer(c, b"%d bytes to %s" % (len(r.body), r.target.encode()))


def half_closed(w, c, host, inst, text, n):
    inst.go = threading.Semaphore(0)
    c.send(text)
    fin(c)
    for i in range(n):
        wait_for("the request", lambda: len(inst.requests) > i)
        w.router.metric("flynn_router_clients_open")  # a turn or two of the router
        inst.go.release()
        a = c.read_answer()
        assert a.status == 200 and a.body.endswith(b"/%d" % i), (a.line, a.body)
    try:
        assert c.ended()
    except ssl.SSLError:
        pass  # Python's own end was not closed by the book


BODIES = [("no body", "", ""), ("a length", "Content-Length: 3\r\n", "abc"), ("chunks", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n")]


@case
def client_that_still_sends_gets_its_refusal(w):
    """Its connection is not reset under it, as by closing at once: what else it sends is taken, within reason."""
    tls_app(w, "linger.example.com", echo)
    for tls in (None, {"name": "linger.example.com"}):
        with Client(w.router.https if tls else w.router.http, tls=tls) as c:
            c.send("POST / HTTP/1.1\r\nHost: a b\r\nContent-Length: 900000\r\n\r\n")
            assert c.read_answer().status == 400
            for _ in range(9):
                c.send(b"x" * 100000)
                time.sleep(0.01)  # for a reset to come back
            assert c.ended()


@case
def client_that_ended_its_side_gets_its_answers(w):
    """Also those to requests that were sent early."""
    for _, fields, body in BODIES:
        for n in (1, 3):
            host, (inst,), _ = w.app(thoughtful)
            text = "".join(f"POST /{i} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n{body}" for i in range(n))
            with w.client() as c:
                half_closed(w, c, host, inst, text, n)


@case
def tls_client_that_ended_its_side_gets_its_answers(w):
    """By a bare FIN, without close_notify."""
    inst = tls_app(w, "half.example.com", thoughtful)
    for _, fields, body in BODIES:
        for n in (1, 3):
            inst.requests.clear()
            text = "".join(f"POST /{i} HTTP/1.1\r\nHost: half.example.com\r\n{fields}\r\n{body}" for i in range(n))
            with tls_client(w, "half.example.com") as c:
                half_closed(w, c, "half.example.com", inst, text, n)


@case
def tls_request_cut_by_a_bare_fin_is_none(w):
    """Truncation of a body must not pass for its end."""
    inst = tls_app(w, "cut.example.com", thoughtful)
    inst.go = threading.Semaphore(100)
    for fields, body in (("Content-Length: 9\r\n", "abc"), ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n"), ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n")):
        with tls_client(w, "cut.example.com") as c:
            c.send(f"POST / HTTP/1.1\r\nHost: cut.example.com\r\n{fields}\r\n{body}")
            fin(c)
            with contextlib.suppress(ssl.SSLError, ConnectionError, AssertionError):
                assert c.read_answer().status == 400
    with tls_client(w, "cut.example.com") as c:
        assert c.send("GET /good HTTP/1.1\r\nHost: cut.example.com\r\n\r\n").read_answer().status == 200
    assert [r.target for r in inst.requests] == ["/good"]


@case
def client_that_ends_while_its_answer_flows_gets_all_of_it(w):
    size = 5000000

    def big(inst, c, f):
        read_request(f)
        answer(c, b"b" * size)

    host, _, _ = w.app(big)
    with w.client() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        head = read_head(c.f)
        assert head[0].endswith("200 OK")
        fin(c)
        assert len(c.f.read()) == size


# ---- expectations ---------------------------------------------------------------------------

def expecting(inst, c, f):
    """/no is refused at once, /yes is asked for its body, /silent waits for it."""
    while (h := read_head(f)) is not None:
        fields = {k.lower(): v for k, v in h[1]}
        how = h[0].split()[1]
        if how.startswith("/no"):
            answer(c, b"refused", "401 Unauthorized")
            if how == "/noclose":
                return
            f.read()
            return
        for _ in range({"/yes": 1, "/twice": 2}.get(how, 0)):
            c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "transfer-encoding" in fields:
            body = read_chunked(f)
        else:
            body = f.read(int(fields["content-length"]))
        answer(c, body)


def expect(c, host, how, version="1.1", fields="Content-Length: 4\r\n"):
    return c.send(f"PUT {how} HTTP/{version}\r\nHost: {host}\r\nExpect: 100-continue\r\n{fields}\r\n")


@case
def client_that_waits_is_told_to_continue(w):
    host, _, _ = w.app(expecting)
    with w.client() as c:
        for how, n in (("/yes", 1), ("/twice", 2), ("/yes", 1)):
            expect(c, host, how)
            for _ in range(n):
                assert c.read_answer().status == 100
            assert c.send("body").read_answer().body == b"body"
        expect(c, host, "/yes", fields="Transfer-Encoding: chunked\r\n")
        assert c.read_answer().status == 100
        assert c.send("4\r\nbody\r\n0\r\n\r\n").read_answer().body == b"body"


@case
def client_that_does_not_wait_is_served(w):
    host, _, _ = w.app(expecting)
    with w.client() as c:
        for how in ("/yes", "/silent", "/twice"):
            a = expect(c, host, how).send("body").read_answer()
            while a.status == 100:
                a = c.read_answer()
            assert a.body == b"body", how


@case
def final_answer_instead_of_continue_ends_the_connection(w):
    """What the client sends then is no request: it may still be the body."""
    for how in ("/no", "/noclose"):
        host, _, _ = w.app(expecting)
        for send in ("", "body", f"GET /smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n"):
            with w.client() as c:
                a = expect(c, host, how).read_answer()
                assert a.status == 401 and a.body == b"refused" and a.get("Connection") == "close", a.headers
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    c.send(send)
                assert c.ended()


@case
def old_client_is_not_told_to_continue(w):
    """9110 10.1.1: its expectation is ignored."""
    host, _, _ = w.app(expecting)
    for how in ("/yes", "/silent"):
        with w.client() as c:
            a = expect(c, host, how, "1.0").send("body").read_answer()
            assert a.status == 200 and a.body == b"body", a.line


@case
def expectation_that_nobody_answers_is_a_504(w):
    host, _, _ = w.app(lambda inst, c, f: (read_head(f), f.read()))
    with w.client() as c:
        a = expect(c, host, "/").read_answer()
        assert a.status == 504 and a.get("Connection") == "close", a.line


# ---- chunks and events ----------------------------------------------------------------------

@case
def chunks_of_all_sizes_pass_both_ways_at_once_with_trailers(w):
    def duplex(inst, c, f):
        read_head(f)
        c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        total = hashlib.sha256()
        while (size := int(f.readline().split(b";")[0], 16)) > 0:
            data = f.read(size)
            assert f.read(2) == b"\r\n"
            total.update(data)
            c.sendall(b"%x\r\n%s\r\n" % (size, data))
        trailer = f.readline()
        assert f.readline() == b"\r\n"
        c.sendall(b"0\r\nX-Sum: %s\r\n%s\r\n" % (total.hexdigest().encode(), trailer))

    host, _, _ = w.app(duplex)
    data = os.urandom(3000000)

    def send(c):
        at = 0
        while at < len(data):
            n = random.choice([1, 2, 15, 16, 17, 1000, 4096, 65535, 65536, 200000])
            piece = data[at:at + n]
            c.send(b"%X;x=%d\r\n%s\r\n" % (len(piece), n, piece))
            at += n
        c.send("0\r\nX-From: client\r\n\r\n")

    with w.client() as c:
        c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n")
        t = threading.Thread(target=send, args=(c,))
        t.start()
        assert dict(read_head(c.f)[1])["Trailer"] == "X-Sum"
        body = b""
        while (size := int(c.f.readline(), 16)) > 0:
            body += c.f.read(size)
            assert c.f.read(2) == b"\r\n"
        assert body == data
        assert c.f.readline() == b"X-Sum: %s\r\n" % hashlib.sha256(data).hexdigest().encode()
        assert c.f.readline() == b"X-From: client\r\n" and c.f.readline() == b"\r\n"
        t.join()


@case
def events_pass_at_once_under_tls_and_in_chunks(w):
    go = threading.Semaphore(0)

    def events(inst, c, f):
        if read_head(f) is None:
            return
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(5):
            c.sendall(b"9\r\ndata: %d\n\n\r\n" % i)
            assert go.acquire(timeout=LIMIT)
        c.sendall(b"0\r\n\r\n")

    tls_app(w, "sse.example.com", events)
    host, _, _ = w.app(events)
    for c, name in ((tls_client(w, "sse.example.com"), "sse.example.com"), (w.client(), host)):
        with c:
            c.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n")
            read_head(c.f)
            for i in range(5):
                assert c.f.readline() == b"9\r\n" and c.f.read(11) == b"data: %d\n\n\r\n" % i
                go.release()
            assert c.f.readline() == b"0\r\n"


# ---- slow, stuck and dying ------------------------------------------------------------------

@case
def body_that_comes_byte_by_byte_arrives(w):
    host, (inst,), _ = w.app()
    with w.client() as c:
        c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in b"5\r\nhello\r\n0\r\nX: 1\r\n\r\n":
            c.send(bytes([byte]))
            time.sleep(0.002)
        assert c.read_answer().json["length"] == 5 and inst.requests[-1].body == b"hello"


@case
def answer_that_comes_byte_by_byte_arrives(w):
    def slow(inst, c, f):
        while read_request(f) is not None:
            for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n":
                c.sendall(bytes([byte]))
                time.sleep(0.001)

    host, _, _ = w.app(slow)
    with w.client() as c:
        for _ in range(2):
            assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().body == b"hello"


@case
def slow_tls_reader_gets_all(w):
    size = 1000000
    tls_app(w, "slow.example.com", lambda inst, c, f: (read_request(f), answer(c, b"s" * size)))
    with tls_client(w, "slow.example.com") as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        c.send("GET / HTTP/1.1\r\nHost: slow.example.com\r\n\r\n")
        a = c.read_answer()
        assert len(a.body) == size


@case
def stuck_client_holds_up_nobody_else(w):
    """Neither one that reads nothing of much, nor one that sends half of a head or of a body."""
    def big(inst, c, f):
        while (r := read_request(f)) is not None:
            answer(c, b"b" * (20000000 if r.target == "/big" else 10))

    host, _, _ = w.app(big)
    stuck = []
    for text in (f"GET /big HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET / HT", f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\nabc"):
        for _ in range(5):
            stuck.append(w.client().send(text))
    for _ in range(50):
        a = w.get(host)
        assert a.status == 200, (a.line, a.body)
    for c in stuck:
        c.close()


@case
def client_that_asks_and_never_reads_costs_little(w):
    """Its requests wait in the kernel, and the instance is not asked for what nobody takes."""
    def big(inst, c, f):
        while (r := read_request(f)) is not None:
            inst.requests.append(r)
            answer(c, b"b" * 100000)

    host, (inst,), _ = w.app(big)
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    before, clients = memory(w), []
    for _ in range(10):
        c = w.client()
        c.sock.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < 20000000:
                sent += c.sock.send(request * 1000)
        assert sent < 20000000, "all of it was taken"
        clients.append(c)
    assert w.get(host).status == 200
    assert memory(w) - before < 10 * 1024 * SLOW * SLOW, (before, memory(w))
    assert len(inst.requests) < 10 * 200, len(inst.requests)
    for c in clients:
        c.close()


def memory(w):
    """KiB that are the router's own."""
    with open(f"/proc/{w.router.proc.pid}/status") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("RssAnon"))


@case
def preface_of_http2_behind_a_request_is_none(w):
    host, (inst,), _ = w.app()
    for preface in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", b"PRI / HTTP/1.1\r\nHost: x\r\n\r\n"):
        with w.client() as c:
            c.send(f"GET /1 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() + preface)
            assert c.read_answer().status == 200
            assert c.read_answer().status == 400 and c.ended()
    assert [r.target for r in inst.requests] == ["/1", "/1"]


@case
def instance_that_dies_within_a_request_is_a_502(w):
    """At each byte of what it is sent. The request may have been obeyed: it is not sent again."""
    seen = []

    def dies(inst, c, f):
        f.read(inst.cut)
        seen.append(inst.cut)
        reset(c, f)

    host, (inst,), _ = w.app(dies)
    text = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\n\r\nbody"
    for inst.cut in range(1, len(text), 3):
        with w.client() as c:
            a = c.send(text).read_answer()
            assert a.status == 502, (inst.cut, a.line)
        assert seen.count(inst.cut) == 1, (inst.cut, seen.count(inst.cut))


@case
def instance_that_dies_within_an_upload_is_told_of(w):
    """By a 502, or by the end of the connection to a client that goes on sending."""
    def dies(inst, c, f):
        read_head(f)
        f.read(inst.cut)
        reset(c, f)

    host, (inst,), _ = w.app(dies)
    for inst.cut in (0, 1, 1000, 65536, 300000, 1000000):
        with w.client() as c:
            c.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2000000\r\n\r\n")
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                c.send(b"u" * 2000000)
            with contextlib.suppress(ConnectionResetError):
                assert c.read_answer().status == 502, inst.cut


@case
def clients_that_leave_within_a_transfer_leave_nothing_behind(w):
    """Downloads, uploads and requests that wait, by FIN and by RST, at any byte."""
    def any_size(inst, c, f):
        while read_request(f) is not None:
            answer(c, b"b" * 500000)

    host, _, _ = w.app(any_size)
    wait_for("clients to be gone", lambda: w.router.metric("flynn_router_clients_open") == 0)
    before = descriptors(w)
    upload = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 500000\r\n\r\n".encode() + b"u" * 400000
    download = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    for i in range(120):
        c = w.client()
        if i % 3 == 0:
            c.send(upload[:random.choice([10, 60, 90, 1000, 100000, len(upload)])])
        else:
            c.send(download)
            if i % 3 == 1:
                c.f.read(random.choice([1, 100, 1000, 100000]))
        if i % 2:
            reset(c.sock, c.f)
        else:
            c.close()
    wait_for("clients to be gone again", lambda: w.router.metric("flynn_router_clients_open") == 0)
    assert w.get(host).status == 200
    wait_for("descriptors to be closed", lambda: descriptors(w) <= before + 60)  # idle ones to the instance


@case
def big_bodies_pass_whole_whatever_their_framing(w):
    """Sizes around all the buffers there are; down and up, with a length, in chunks, until the end."""
    def sizes(inst, c, f):
        while (r := read_request(f)) is not None:
            how, size = r.target[1:].split("-")
            body = inst.pattern[:int(size)]
            assert r.body == b"" or r.body == body
            if how == "length":
                answer(c, body)
            elif how == "chunked":
                answer(c, (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n", framing="Transfer-Encoding: chunked\r\n")
            else:
                answer(c, body, framing="")
                return

    host, (inst,), _ = w.app(sizes)
    inst.pattern = os.urandom(1 << 20)
    for size in (0, 1, 4095, 4096, 16384, 65535, 65536, 65537, 131072, 262143, 262144, 262145, 300000, 1 << 20):
        for how in ("length", "chunked", "end"):
            for up in ("", "length", "chunked"):
                with w.client() as c:
                    body = inst.pattern[:size] if up else b""
                    fields = "" if not up else f"Content-Length: {size}\r\n" if up == "length" else "Transfer-Encoding: chunked\r\n"
                    if up == "chunked":
                        body = (b"%x\r\n%s\r\n" % (size, body) if size else b"") + b"0\r\n\r\n"
                    a = c.send(f"PUT /{how}-{size} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n").send(body).read_answer()
                    assert a.status == 200 and a.body == inst.pattern[:size], (size, how, up, a.line, len(a.body))


# ---- TLS that is none, or that ends ---------------------------------------------------------

def client_hello(name):
    out = ssl.MemoryBIO()
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLWantReadError):
        ctx.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


@case
def handshakes_that_end_anywhere_leave_nothing_behind(w):
    """At each eighth byte of a hello, by FIN and by RST; and with a byte of it turned over."""
    tls_app(w, "hello.example.com", thoughtful)
    hello = client_hello("hello.example.com")
    wait_for("clients to be gone", lambda: w.router.metric("flynn_router_clients_open") == 0)
    before = descriptors(w)
    for cut in range(0, len(hello), 8):
        for by_force in (False, True):
            c = Client(w.router.https)
            c.send(hello[:cut])
            if by_force:
                reset(c.sock, c.f)
            else:
                c.close()
        with Client(w.router.https) as c:
            c.send(hello[:cut] + bytes([hello[cut] ^ 0xff]) + hello[cut + 1:])
            fin(c)
            with contextlib.suppress(ConnectionResetError):
                c.f.read()
    wait_for("clients to be gone again", lambda: w.router.metric("flynn_router_clients_open") == 0)
    wait_for("descriptors to be closed", lambda: descriptors(w) <= before + 4)
    with tls_client(w, "hello.example.com") as c:
        assert c.sock.version() == "TLSv1.3"


@case
def what_is_no_tls_gets_no_more_than_an_alert(w):
    for words in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 1000, b"\x80\x2e\x01\x03\x01" + b"x" * 40,
                  b"\0" * 100, os.urandom(500), b"\x15\x03\x03\0\x02\x02\x28", b"\x17\x03\x03\0\x10" + b"x" * 16):
        with Client(w.router.https) as c:
            c.send(words)
            fin(c)
            with contextlib.suppress(ConnectionResetError):
                got = c.f.read()
                assert len(got) <= 7 and got[:1] in (b"", b"\x15"), (words[:20], got)


@case
def records_that_were_changed_end_the_connection(w):
    """A request whose record was tampered with reaches nobody."""
    inst = tls_app(w, "mac.example.com", thoughtful)
    inst.go = threading.Semaphore(100)
    raw = socket.create_connection(("127.0.0.1", w.router.https), LIMIT)
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    in_, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ctx.wrap_bio(in_, out, server_hostname="mac.example.com")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            raw.sendall(out.read())
            in_.write(raw.recv(65536))
    raw.sendall(out.read())
    tls.write(b"GET /good HTTP/1.1\r\nHost: mac.example.com\r\n\r\n")
    raw.sendall(out.read())
    wait_for("the good one", lambda: len(inst.requests) == 1)
    tls.write(b"GET /bad HTTP/1.1\r\nHost: mac.example.com\r\n\r\n")
    record = bytearray(out.read())
    record[-1] ^= 1
    raw.sendall(bytes(record))
    try:
        while raw.recv(65536):
            pass
    except ConnectionResetError:
        pass
    raw.close()
    assert [r.target for r in inst.requests] == ["/good"]
