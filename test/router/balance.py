"""Which instance gets a request, and what becomes of it when instances fail, come and go."""

import contextlib
import select
import socket
import struct
import threading
import time

from h2_client import H2, RST_STREAM
from world import LIMIT, SLOW, Client, Instance, Router, answer, case, free_port, listens, plain, read_head, read_request, wait_for


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def closes_after_head(inst, c, f):
    """Takes a request and says nothing."""
    if (head := read_head(f)) is not None:
        inst.requests.append(head)


def resets_after_head(inst, c, f):
    if (head := read_head(f)) is not None:
        inst.requests.append(head)
        f.close()
        reset(c)


def closes_at_once(inst, c, f):
    inst.requests.append(None)


def answered(c):
    return bool(select.select([c.sock], [], [], 0.002)[0])


def total(insts):
    return sum(len(i.requests) for i in insts)


# ---- what is safe to repeat -----------------------------------------------------------------

@case
def safe_request_goes_to_another_instance_when_one_closes_without_an_answer(w):
    for do in (closes_after_head, resets_after_head, closes_at_once):
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            host, (bad, good), _ = w.app(do, None)
            for _ in range(20):
                a = w.get(host, method=method)
                assert a.status == 200, (do.__name__, method, a.body)
            assert len(good.requests) == 20 and len(bad.requests) >= 1, (do.__name__, method, len(bad.requests))


@case
def request_that_may_have_had_an_effect_is_not_repeated(w):
    for do in (closes_after_head, resets_after_head):
        for headers, body, method in (("Content-Length: 0\r\n", "", "POST"), ("Content-Length: 2\r\n", "hi", "PUT"), ("", "", "PATCH"),
                                      ("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n", "GET")):
            host, insts, _ = w.app(do, do, do)
            with w.client() as c:
                a = c.send(f"{method} / HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n{body}").read_answer()
            assert a.status == 502 and b"closed the connection without an answer" in a.body, (method, a.line, a.body)
            assert total(insts) == 1, (do.__name__, method, total(insts))


@case
def request_that_kills_is_not_shown_to_all(w):
    host, insts, _ = w.app(*[resets_after_head] * 8)
    a = w.get(host)
    assert a.status == 502 and b"502 Bad Gateway\n\n3 instances of" in a.body, a.body
    assert total(insts) == 3, total(insts)


@case
def answer_that_has_begun_is_not_repeated(w):
    def half(inst, c, f):
        inst.requests.append(read_head(f))
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    def partial_head(inst, c, f):
        inst.requests.append(read_head(f))
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")

    host, insts, _ = w.app(half, half)
    with w.client() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert read_head(c.f)[0].endswith("200 OK") and c.f.read(4) == b"half" and c.ended()
    host, more, _ = w.app(partial_head, partial_head)
    a = w.get(host)
    assert a.status == 502 and b"ends within its head" in a.body, a.body
    assert total(insts) == total(more) == 1


@case
def reset_in_the_middle_of_a_body_is_told_and_not_repeated(w):
    def takes_some(inst, c, f):
        read_head(f)
        f.read(100000)
        inst.requests.append(1)
        f.close()
        reset(c)

    host, insts, _ = w.app(takes_some, takes_some)
    with w.client() as c:
        c.send(f"PUT / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 50000000\r\n\r\n")
        with contextlib.suppress(OSError):  # the answer comes before all is sent
            for _ in range(500):
                c.send(b"x" * 100000)
        try:
            a = c.read_answer()
            assert a.status == 502 and b"closed the connection without an answer" in a.body, (a.line, a.body)
        except ConnectionResetError:
            pass  # our own bytes under way met the end of the connection
    assert total(insts) == 1


@case
def kept_connection_that_was_closed_costs_nobody_a_request(w):
    def one_each(inst, c, f):
        """Answers one request and closes without saying so."""
        if (r := read_request(f)) is not None:
            inst.requests.append(r)
            answer(c)

    host, insts, _ = w.app(one_each, one_each)
    for i in range(60):
        a = w.get(host, method="GET" if i % 2 else "PUT")
        assert a.status == 200, (i, a.body)
    assert total(insts) == 60


@case
def connection_that_idled_is_for_what_can_be_sent_again_only(w):
    """Its instance may be about to close it."""
    conns = []

    def keeps(inst, c, f):
        conns.append(c)
        while read_request(f) is not None:
            answer(c)

    host, _, _ = w.app(keeps)
    with w.client() as c:
        def ask_for(method):
            assert c.send(f"{method} / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n").read_answer().status == 200
            return len(conns)

        assert ask_for("GET") == 1
        time.sleep(2.5)
        assert ask_for("GET") == 1
        time.sleep(2.5)
        assert ask_for("POST") == 2


@case
def early_hints_do_not_end_the_right_to_another_try(w):
    def hints(inst, c, f):
        if read_head(f) is not None:
            c.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
            time.sleep(0.05)

    host, _, _ = w.app(hints, None)
    for _ in range(10):
        with w.client() as c:
            c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            while (a := c.read_answer()).status == 103:
                pass
            assert a.status == 200, a.body


# ---- instances that fail --------------------------------------------------------------------

@case
def failing_instance_is_left_alone_and_tried_again(w):
    for do in (closes_after_head, closes_at_once):
        host, (bad, good), _ = w.app(do, None)
        wait_for("the bad one to be met", lambda: w.get(host).status == 200 and bad.requests)
        met, began = len(bad.requests), time.monotonic()
        for _ in range(200):
            assert w.get(host).status == 200
        # It was left alone for half a second, then tried by a request a pause.
        assert len(bad.requests) - met <= 2 + (time.monotonic() - began) / 0.4, (len(bad.requests), met)
        bad.do = plain
        before = len(bad.requests)
        wait_for("it to be forgiven", lambda: w.get(host).json["port"] == bad.port)
        wait_for("it to have its share", lambda: w.get(host) and len(bad.requests) > before + 20)


@case
def what_an_app_answers_is_no_failure(w):
    def broken(inst, c, f):
        while (r := read_request(f)) is not None:
            inst.requests.append(r)
            answer(c, b"oops", "500 Internal Server Error")

    host, (bad, good), _ = w.app(broken, None)
    got = [w.get(host).status for _ in range(200)]
    assert 60 < got.count(500) < 140, got.count(500)


@case
def last_instance_is_never_left_out(w):
    n = 0

    def every_other(inst, c, f):
        nonlocal n
        while read_request(f) is not None:
            n += 1
            if n % 2:
                return
            answer(c)

    host, _, _ = w.app(every_other)
    for _ in range(20):
        assert w.get(host, method="POST", headers="Content-Length: 0\r\n").status in (200, 502)
    assert n >= 20  # each has reached it


@case
def instance_that_was_tried_is_named_when_it_has_gone(w):
    """A request was refused by one, and is held by another for long enough that both are forgotten meanwhile."""
    go, end = threading.Semaphore(0), threading.Event()

    def holds(inst, c, f):
        while (r := read_request(f)) is not None:
            inst.requests.append(r)
            if r.target == "/warm":
                go.acquire(timeout=LIMIT)
            elif r.target == "/hold":
                end.wait(LIMIT)
                return
            answer(c)

    host, (inst,), service = w.app(holds)
    dead = f"127.0.0.1:{free_port()}"
    r = Router(w.etcd.url, w.discoverd, threads=1)
    failures = "flynn_router_connect_failures"
    try:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Client(r.http)) for _ in range(2)]
            for c in clients:
                c.send(f"GET /warm HTTP/1.1\r\nHost: {host}\r\n\r\n")
            wait_for("two connections", lambda: inst.connections == 2)
            go.release(2)
            assert [c.read_answer().status for c in clients] == [200, 200]
            w.discoverd.set(service, [inst.addr, dead])
            wait_for("the dead to be known", lambda: ask(r, host).status == 200 and r.metric(failures) > 0)
            time.sleep(0.7)  # it may be tried again then
            n = r.metric(failures)
            for c in clients:  # the second goes to the one that has none to do
                c.send(f"GET /hold HTTP/1.1\r\nHost: {host}\r\n\r\n")
            wait_for("both to be held", lambda: [x.target for x in inst.requests].count("/hold") == 2)
            assert inst.connections == 2 and r.metric(failures) == n + 1
            w.discoverd.set(service, [])
            wait_for("both to be forgotten", lambda: ask(r, host).status == 503)
            inst.stop_listening()
            end.set()
            bodies = [(a := c.read_answer()).status == 503 and a.body for c in clients]
            assert any(f"{dead} of {service} does not accept connections".encode() in b for b in bodies), bodies
    finally:
        assert r.stop() == 0


@case
def instance_that_times_out_is_left_alone(w):
    def silent(inst, c, f):
        if (r := read_request(f)) is not None:
            inst.requests.append(r)
            f.read(1)

    host, (bad, good), service = w.app(silent, None)
    r = Router(w.etcd.url, w.discoverd, "-answer-timeout", "1")
    try:
        answers = [ask(r, host) for _ in range(30)]
        late = [a for a in answers if a.status == 504]
        assert 1 <= len(late) <= 4 and all(f"{bad.addr} of {service} did not answer within 1 s".encode() in a.body for a in late), len(late)
    finally:
        assert r.stop() == 0


def ask(router, host, method="GET", headers=""):
    with Client(router.http) as c:
        return c.send(f"{method} / HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").read_answer()


@case
def all_instances_failing_is_said(w):
    host, insts, service = w.app(closes_after_head, closes_after_head)
    a = w.get(host, headers="Accept: application/json\r\n")
    assert a.status == 502 and a.json["message"].startswith(f"all 2 instances of {service} fail"), a.json
    w.discoverd.set(service, dead := [f"127.0.0.1:{free_port()}" for _ in range(3)])
    wait_for("the dead to be known", lambda: w.get(host).status == 503)
    a = w.get(host)
    assert f"all 3 instances of {service} fail".encode() in a.body and b"does not accept connections" in a.body, a.body
    assert any(d.encode() in a.body for d in dead)


def done(w, host):
    """How many requests are over, for the router as well."""
    status, body = w.router.call("GET", f"/requests?host={host}&limit=1000")
    assert status == 200, (status, body)
    return len(body)


@case
def busy_instance_gets_no_more_while_another_is_free(w):
    go = threading.Event()

    def slow(inst, c, f):
        while (r := read_request(f)) is not None:
            inst.requests.append(r)
            assert go.wait(LIMIT)
            answer(c)

    host, (busy, free), _ = w.app(slow, None)
    clients = []
    for i in range(40):
        clients.append(w.client().send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))
        wait_for("it to be somewhere", lambda: len(busy.requests) + len(free.requests) == i + 1)
        # A client has its answer a moment before the router counts it as done.
        wait_for("it to be done, unless it is held", lambda: done(w, host) == len(free.requests))
    assert len(busy.requests) == 1, len(busy.requests)
    go.set()
    for c in clients:
        assert c.read_answer().status == 200
        c.close()


# ---- instances that go ----------------------------------------------------------------------

@case
def instance_taken_out_finishes_what_it_has(w):
    go = threading.Event()

    def app(inst, c, f):
        while (r := read_request(f)) is not None:
            inst.requests.append(r)
            if r.target == "/down":
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 1000000)
                assert go.wait(LIMIT)
                c.sendall(b"x" * 1000000)
            elif r.target == "/events":
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
                assert go.wait(LIMIT)
                c.sendall(b"data: 2\n\n")
                return
            elif r.target == "/ws":
                c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                while data := f.read1(65536):
                    c.sendall(data.upper())
                return
            elif r.target == "/slow":
                assert go.wait(LIMIT)
                answer(c, b"slow")
            else:
                answer(c, b"%d" % len(r.body), headers=[("X-Instance", inst.port)])

    host, (old,), service = w.app(app)
    new = Instance(app)
    head = f"HTTP/1.1\r\nHost: {host}\r\n"
    down = w.client().send(f"GET /down {head}\r\n")
    events = w.client().send(f"GET /events {head}\r\n")
    ws = w.client().send(f"GET /ws {head}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    slow = w.client().send(f"GET /slow {head}\r\n")
    up = w.client().send(f"PUT /up {head}Content-Length: 300000\r\n\r\n" + "y" * 100000)
    kept = w.client().send(f"GET / {head}\r\n")
    assert kept.read_answer().body == b"0"
    assert ws.read_answer().status == 101 and read_head(events.f) and events.f.readline() == b"data: 1\n"
    wait_for("all to be under way", lambda: {r.target for r in old.requests} >= {"/down", "/events", "/ws", "/slow"})
    wait_for("the upload to be under way", lambda: len(old.open) >= 5)
    w.discoverd.set(service, [new.addr])
    wait_for("the new one to be known", lambda: w.get(host).get("X-Instance") == str(new.port))
    had = len(old.requests)
    for _ in range(20):  # also on a connection that has used the old one
        assert kept.send(f"GET / {head}\r\n").read_answer().get("X-Instance") == str(new.port)
    assert len(old.requests) == had
    ws.send("hello")
    assert ws.f.read(5) == b"HELLO"
    go.set()
    a = down.read_answer()
    assert a.status == 200 and len(a.body) == 2000000
    assert events.f.read() == b"\ndata: 2\n\n"
    assert slow.read_answer().body == b"slow"
    assert up.send("y" * 200000).read_answer().body == b"300000"
    ws.send("still here")
    assert ws.f.read(10) == b"STILL HERE"
    wait_for("idle connections to it to be closed", lambda: len(old.open) == 1)  # but for the WebSocket's
    for c in (down, events, ws, slow, up, kept):
        c.close()
    wait_for("the last to be closed", lambda: len(old.open) == 0)


# ---- instances that start -------------------------------------------------------------------

def starting(w, service, *addrs):
    w.discoverd.set(service + "-starting", addrs)


def waiting(w):
    return w.router.metric("flynn_router_waiting")


def waits(w, host, data=None):
    """A client whose request waits, once the router knows that there is no instance."""
    n, got = waiting(w), []

    def sent():
        c = w.client().send(data or f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        while not answered(c):
            if waiting(w) > n:
                got.append(c)
                return True
        c.close()
        return False

    wait_for("a request to wait", sent)
    return got[0]


@case
def request_waits_for_an_instance_that_starts(w):
    inst = Instance()
    host, _, service = w.app()
    w.discoverd.set(service, [])
    starting(w, service, inst.addr)
    waits(w, host).close()
    clients = [w.client().send(f"POST /{i} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000\r\n\r\n" + "x" * 100000) for i in range(20)]
    wait_for("all to wait", lambda: waiting(w) == 21)
    time.sleep(1.2)  # longer than any grace
    assert waiting(w) == 21
    w.discoverd.set(service, [inst.addr])
    starting(w, service)
    for i, c in enumerate(clients):
        a = c.read_answer()
        assert a.status == 200 and a.json["target"] == f"/{i}" and a.json["length"] == 100000
        c.close()
    assert waiting(w) == 0


@case
def streams_of_http2_wait_each_for_itself(w):
    host, (inst,), service = w.app()
    other, _, _ = w.app()
    w.discoverd.set(service, [])
    starting(w, service, inst.addr)
    waits(w, host).close()
    with H2(w.router.http) as c:
        ids = [c.ask(host, f"/{i}") for i in range(5)]
        assert c.get(other).status == 200
        wait_for("all to wait", lambda: waiting(w) == 6)
        c.frame(RST_STREAM, 0, ids[0], b"\0\0\0\x08")
        wait_for("one to have left", lambda: waiting(w) == 5)
        w.discoverd.set(service, [inst.addr])
        assert [c.answer(i).json["target"] for i in ids[1:]] == [f"/{i}" for i in range(1, 5)]


@case
def waiting_ends_by_event_not_by_polling(w):
    inst = Instance()
    host, _, service = w.app()
    for _ in range(5):
        w.discoverd.set(service, [])
        starting(w, service, inst.addr)
        with waits(w, host) as c:
            w.discoverd.set(service, [inst.addr])
            began = time.monotonic()
            assert c.read_answer().status == 200
            assert time.monotonic() - began < 0.5 * SLOW  # timers have a tick of 128 ms


@case
def service_scaled_to_0_is_answered_at_once(w):
    host, _, service = w.app()
    w.discoverd.set(service, [])
    wait_for("the last to be forgotten", lambda: w.get(host).status == 503)
    for _ in range(20):
        began = time.monotonic()
        a = w.get(host)
        assert a.status == 503 and f"no instance of {service} runs: it is scaled to 0".encode() in a.body, a.body
        assert time.monotonic() - began < 0.5 * SLOW
    # One that has never had an instance, too.
    w.router.route("never." + host, "never-" + service)
    wait_for("it to be known", lambda: b"has not said" not in w.get("never." + host).body)
    began = time.monotonic()
    assert w.get("never." + host).status == 503 and time.monotonic() - began < 0.5 * SLOW


@case
def request_waits_a_moment_when_the_last_instance_was_lost(w):
    """It may have died, and those who start another need to learn of that."""
    host, (inst,), service = w.app()
    w.discoverd.set(service, [])
    with waits(w, host) as c, w.client() as d:
        starting(w, service, inst.addr)
        time.sleep(1.2)
        d.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        wait_for("both to wait", lambda: waiting(w) == 2)
        starting(w, service)  # we hear of this first
        time.sleep(0.1)
        w.discoverd.set(service, [inst.addr])
        assert c.read_answer().status == d.read_answer().status == 200


@case
def request_waits_a_moment_when_the_one_that_starts_is_no_more(w):
    """We may hear of that before we hear that it is up. A service that never had an instance has no other hope."""
    inst, service, host = Instance(), "first-web", "first.example.com"
    starting(w, service, inst.addr)
    w.router.route(host, service)
    with waits(w, host) as c:
        starting(w, service)
        time.sleep(0.1)
        w.discoverd.set(service, [inst.addr])
        assert c.read_answer().status == 200


def soon(act):
    """The moment that requests wait is a second, in which a busy machine may not get to act: it may try again."""
    for _ in range(4):
        with contextlib.suppress(AssertionError):
            return act()
    return act()


@case
def request_waits_not_at_all_for_what_is_known_not_to_come(w):
    """Once discoverd has said that there is none, and that none starts."""
    asked = []

    def known():
        asked.append(service := f"unheard{len(asked)}-web")
        w.router.route(service + ".example.com", service)
        w.router.tcp_route(service, port := free_port())
        wait_for("it to be known", lambda: listens(port))
        time.sleep(0.2)
        before = w.router.metric("flynn_router_start_waits_total")
        assert w.get(service + ".example.com").status == 503
        assert w.router.metric("flynn_router_start_waits_total") == before

    soon(known)


@case
def request_waits_a_moment_when_all_instances_refuse(w):
    """They may have died just now, and nobody knows it but us."""
    host, (inst,), service = w.app()
    inst.stop_listening()
    other = Instance()

    def wait_in_turn():
        w.discoverd.set(service, [inst.addr])
        starting(w, service)
        with waits(w, host, f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello") as c:
            w.discoverd.set(service, [])  # now they do, and wait in turn for what is started
            starting(w, service, other.addr)
            time.sleep(1.2)
            w.discoverd.set(service, [other.addr])
            a = c.read_answer()
            assert a.status == 200 and a.json["length"] == 5 and a.json["port"] == other.port, a.body

    def another_comes():
        w.discoverd.set(service, [f"127.0.0.1:{free_port()}"])
        with waits(w, host) as c:
            w.discoverd.set(service, [f"127.0.0.1:{free_port()}", other.addr])
            a = c.read_answer()
            assert a.status == 200, a.body

    soon(wait_in_turn)
    soon(another_comes)
    # It is a moment, and not more.
    w.discoverd.set(service, dead := [f"127.0.0.1:{free_port()}"])
    wait_for("the others to be forgotten", lambda: (a := w.get(host)).status == 503 and dead[0].encode() in a.body)
    began = time.monotonic()
    a = w.get(host)
    waited = time.monotonic() - began
    assert a.status == 503 and b"does not accept connections" in a.body and waited > 0.5
    r = Router(w.etcd.url, w.discoverd, "-start-timeout", "0")
    try:
        began = time.monotonic()
        assert ask(r, host).status == 503 and time.monotonic() - began < waited
    finally:
        assert r.stop() == 0


@case
def start_that_fails_or_lasts_is_told(w):
    host, (inst,), service = w.app()
    w.discoverd.set(service, [])
    starting(w, service, inst.addr)
    with waits(w, host) as c:
        starting(w, service)
        a = c.read_answer()
        assert a.status == 503 and b"no instance of" in a.body, a.body
    r = Router(w.etcd.url, w.discoverd, "-start-timeout", "1")
    off = Router(w.etcd.url, w.discoverd, "-start-timeout", "0")
    try:
        starting(w, service, inst.addr)
        wait_for("it to be known", lambda: b"has not said" not in ask(off, host).body)
        a = ask(off, host)
        assert a.status == 503 and b"no instance of" in a.body, a.body
        a = ask(r, host, headers="Accept: application/json\r\n")
        assert a.status == 503 and a.json["message"] == f"no instance of {service} came up within 1 s, though one is starting", a.json
        with Client(r.http) as c:  # and goes on after it
            c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            w.discoverd.set(service, [inst.addr])
            assert c.read_answer().status == 200
            assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 200
    finally:
        assert r.stop() == 0
        assert off.stop() == 0


def reset_at_once(c):
    """As one who is gone: by its end alone a client might only have ended its side."""
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


@case
def those_who_wait_are_bounded(w):
    host, (inst,), service = w.app()
    w.discoverd.set(service, [])
    starting(w, service, inst.addr)
    clients = [waits(w, host)] + [w.client().send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n") for _ in range(99)]
    wait_for("100 to wait", lambda: waiting(w) == 100)
    for _ in range(5):
        a = w.get(host)
        assert a.status == 503 and b"too many requests wait for it already" in a.body, a.body
    # Those who leave make room, and other services are not concerned.
    for c in clients[:50]:
        reset_at_once(c)
    wait_for("the others to wait", lambda: waiting(w) == 50)
    other, _, _ = w.app()
    assert w.get(other).status == 200
    w.discoverd.set(service, [inst.addr])
    assert all(c.read_answer().status == 200 for c in clients[50:])
    for c in clients[50:]:
        c.close()


@case
def all_who_wait_are_bounded_together(w):
    apps, streams = [], []
    for _ in range(11):
        host, (inst,), service = w.app()
        w.discoverd.set(service, [])
        starting(w, service, inst.addr)
        apps.append((service, inst.addr))
        c = H2(w.router.http)
        reset_at_once(waits(w, host))
        wait_for("it to have left", lambda: waiting(w) == len(streams))
        streams += [(c, c.ask(host)) for _ in range(100)]
        wait_for("them to wait", lambda: waiting(w) == min(len(streams), 1024))
    c = streams[-1][0]
    c.until(lambda: sum(s.ended for s in c.streams.values()) == 1100 - 1024, "those that are too many to be answered")
    assert all(b"too many requests wait" in s.body and s.status == 503 for s in c.streams.values() if s.ended)
    for service, addr in apps:
        w.discoverd.set(service, [addr])
    assert sum(c.answer(stream).status == 200 for c, stream in streams) == 1024
    for c in {c for c, _ in streams}:
        c.close()


@case
def tcp_connection_waits_too(w):
    inst = Instance(lambda inst, c, f: c.sendall(f.readline()))
    port = free_port()
    w.discoverd.set("tcp-start", [inst.addr])
    w.router.tcp_route("tcp-start", port)
    with Client(port) as c:
        assert c.send("a\n").f.readline() == b"a\n"
    w.discoverd.set("tcp-start", [])
    starting(w, "tcp-start", inst.addr)
    def sent():
        c = Client(port).send("hello\n")
        while not answered(c):
            if waiting(w) == 1:
                w.discoverd.set("tcp-start", [inst.addr])
                assert c.f.readline() == b"hello\n"
                return True
        c.close()
        return False

    wait_for("a connection to wait", sent)


@case
def route_that_goes_while_requests_wait_ends_them_well(w):
    host, (inst,), service = w.app()
    w.discoverd.set(service, [])
    starting(w, service, inst.addr)
    with waits(w, host) as c:
        for route in w.router.call("GET", "/routes")[1]:
            if route["config"].get("domain") == host:
                assert w.router.call("DELETE", "/routes/" + route["id"])[0] == 200
        a = c.read_answer()
        assert a.status == 503, a.body
    assert waiting(w) == 0
