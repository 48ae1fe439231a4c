"""Streams under load, and while PostgreSQL is away."""

import json
import os
import socket
import subprocess
import threading
import time

from world import LIMIT, OTHER_PORT, Client, Stream, case, psql, wait_for

HASTY_PORT = int(os.environ["HASTY_API_PORT"])  # waits for a second only for those who read nothing


def rss_kb(pid="API_PID"):
    with open(f"/proc/{os.environ[pid]}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def postgres(what):
    subprocess.run(["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", os.environ["PG_CTL"], "-D", os.environ["PG_DATA"],
                    "-m", "immediate", "-w", "-l", os.environ["PG_DATA"] + "/../log", what], check=True, stdout=subprocess.DEVNULL)


@case
def two_hundred_readers_cost_little(w):
    app, _, release = w.living("web")
    before = rss_kb()
    streams = [Stream(path) for path in (f"/apps/{app}/jobs", "/events", f"/events?app_id={app}", f"/apps/{app}/log?follow=true") for _ in range(50)]
    assert all(s.head.status == 200 for s in streams)
    job = w.job(app, release)["id"]
    for s in streams[:150]:
        s.until(lambda e: job in e[2])
    cost = rss_kb() - before
    for s in streams:
        s.c.close()
    assert cost < 20000 or os.environ.get("SAN"), f"{cost} kB"


@case
def who_does_not_read_holds_up_nobody_and_misses_nothing(w):
    app, _, release = w.living("web")
    number = 200
    with Stream(f"/events?app_id={app}&object_types=release") as slow, Stream(f"/events?app_id={app}&object_types=release") as quick:
        before = rss_kb()
        big = {"A": "x" * 40000}
        made = [w.ok("POST", "/releases", {"app_id": app, "artifact": w.ok("GET", f"/releases/{release}")["artifact"], "env": big})["id"]
                for _ in range(number)]
        assert [json.loads(quick.next()[2])["object_id"] for _ in range(number)] == made
        cost = rss_kb() - before
        assert [json.loads(slow.next()[2])["object_id"] for _ in range(number)] == made
    assert cost < 8000 or os.environ.get("SAN"), f"{cost} kB are kept for {number * 40} kB that nobody reads"


class Deaf(Client):
    """Asks for a stream and reads nothing of it; the kernel keeps little for him."""

    def __init__(self, path):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.sock.settimeout(LIMIT)
        self.sock.connect(("127.0.0.1", HASTY_PORT))
        self.f = self.sock.makefile("rb")
        self.asked = []
        self.ask("GET", path, headers=[("Accept", "text/event-stream")])

    def came(self):
        """How much he had been sent before he was cut off."""
        n = 0
        try:
            while piece := self.sock.recv(65536):
                n += len(piece)
        except ConnectionError:
            pass
        return n


@case
def who_reads_nothing_is_cut_off_and_nobody_else(w):
    app, id, release = w.living("web")
    job, talker = w.job(app, release)["id"], w.job(app, release)["id"]
    w.host(f"/host/jobs/{talker}", "PUT", {"id": talker, "config": {}})
    paths = [f"/apps/{app}/jobs", "/events", "/formations", f"/apps/{app}/log"]
    queries = ["", f"?app_id={app}", "", "?follow=true"]
    artifact = w.ok("GET", f"/releases/{release}")["artifact"]

    def big(n):
        return w.ok("POST", "/releases", {"app_id": app, "artifact": artifact, "env": {"A": f"{n} " + "x" * 60000}, "processes": {"web": {}}})["id"]

    def cut_off():
        with open(os.environ["HASTY_API_LOG"]) as f:
            lines = [line for line in f if 'msg="client does not read, cut off"' in line]
        return [path for path in paths if any(f"path={path} peer=127.0.0.1 pending=" in line for line in lines)]

    streams = [Stream(path + query, port=HASTY_PORT) for path, query in zip(paths, queries)]
    readers = [threading.Thread(target=lambda s=s: s.until(lambda e: "the last" in (e[2] or "")), daemon=True) for s in streams]
    for t in readers:
        t.start()
    before = rss_kb("HASTY_API_PID")
    deaf = [Deaf(path + query) for path, query in zip(paths, queries)]
    for n in range(40):
        w.ok("PUT", f"/apps/{app}/formations/{big(n)}", {"processes": {"web": 0}})
        for i in range(8):
            w.ok("PUT", f"/apps/{app}/jobs/{job}", {"release": release, "type": "web", "state": "failed", "host_error": f"{n} {i} " + '"' * 4000})
        w.host(f"/log/{talker}", "POST", [[1, f"2014-08-16T01:00:{n:02}.000000000Z " + "y" * 8000]] * 8)
    wait_for("all who read nothing to be cut off", lambda: cut_off() == paths)
    cost = rss_kb("HASTY_API_PID") - before
    assert cost < 8000 or os.environ.get("SAN"), f"{cost} kB"
    got = [d.came() for d in deaf]
    assert max(got) < 1 << 20, got
    last = w.ok("POST", "/releases", {"artifact": artifact, "app_id": app, "env": {"A": "the last"}, "processes": {"web": {}}})["id"]
    w.ok("PUT", f"/apps/{app}/formations/{last}", {"processes": {"web": 0}})
    w.ok("PUT", f"/apps/{app}/jobs/{job}", {"release": release, "type": "web", "state": "failed", "host_error": "the last"})
    w.host(f"/log/{talker}", "POST", [[1, "2014-08-16T02:00:00.000000000Z the last"]])
    for path, t, s in zip(paths, readers, streams):
        t.join(LIMIT)
        assert not t.is_alive(), f"{path} ended for those who read"
        s.c.close()
    for d in deaf:
        d.close()


@case
def who_comes_late_is_not_cut_off_by_what_he_missed(w):
    app, _, release = w.living("web")
    with Stream(f"/apps/{app}/jobs") as s:
        first = w.job(app, release)
        number = s.next()[1]
    for n in range(250):
        w.ok("PUT", f"/apps/{app}/jobs/{first['id']}", {"release": release, "type": "web", "state": "failed", "host_error": f'{n} ' + '"' * 4000})
    with Stream(f"/apps/{app}/jobs", [("Last-Event-Id", number)]) as s:
        time.sleep(0.2)  # what comes at once is over any bound by now
        assert [json.loads(s.next()[2])["host_error"].split()[0] for _ in range(250)] == [str(n) for n in range(250)]


@case
def a_client_that_goes_leaves_nothing_open(w):
    app, _, _ = w.living("web")
    fds = f"/proc/{os.environ['API_PID']}/fd"
    before = len(os.listdir(fds))
    for path in (f"/apps/{app}/jobs", "/events", "/formations", f"/apps/{app}/log?follow=true"):
        for _ in range(10):
            with Client() as c:
                c.ask("GET", path, headers=[("Accept", "text/event-stream")])
            with Stream(path):
                pass
    wait_for("the connections to be closed", lambda: len(os.listdir(fds)) <= before)


@case
def writes_around_the_databases_death_are_neither_lost_nor_doubled(w):
    """Each is sent until it is answered 200, with a key of its own, at either controller."""
    prefix, made, stop, seen = w.name(), [], threading.Event(), set()

    def write(writer):
        n = 0
        while not stop.is_set():
            n += 1
            name, port = f"{prefix}-{writer}-{n}", None
            while True:
                a = w.ask("POST", "/apps", {"name": name}, headers=[("Idempotency-Key", name)], port=port)
                seen.add(a.status)
                if a.status != 503:
                    break
                assert a.json["message"], a
                port = OTHER_PORT if port is None else None
            assert a.status == 200 and a.json["name"] == name, a
            made.append(name)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for t in threads:
        t.start()
    try:
        for _ in range(2):
            count = len(made)
            wait_for("some writes", lambda: len(made) > count + 10)
            postgres("stop")
            postgres("start")
        count = len(made)
        wait_for("some writes", lambda: len(made) > count + 10)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert sorted(a["name"] for a in w.ok("GET", "/apps") if a["name"].startswith(prefix)) == sorted(made)
    assert seen <= {200, 503}, seen


@case
def without_the_database_all_is_503_and_then_goes_on(w):
    app, id, release = w.living("web")
    jobs = Stream(f"/apps/{app}/jobs")
    events = Stream(f"/events?app_id={app}&object_types=job")
    first = w.job(app, release)["id"]
    seen = [jobs.next(), events.next()]
    assert first in seen[0][2] and first in seen[1][2]
    postgres("stop")
    try:
        began = time.monotonic()
        for method, path, body in (("GET", "/apps", None), ("GET", f"/apps/{app}/jobs", None), ("GET", "/events", None), ("GET", f"/apps/{app}/log", None),
                                   ("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 9}}), ("GET", "/.well-known/status", None)):
            w.ask(method, path, body).fails(503, "unavailable")
        assert time.monotonic() - began < 30
        assert w.get("/ping", key=None).status == 200
    finally:
        postgres("start")
    wait_for("the database to be used again", lambda: w.get("/apps").status == 200)
    w.get(f"/apps/{app}/formations/{release}").empty(404)  # what was refused was not done
    second = wait_for("a job", lambda: w.ask("PUT", f"/apps/{app}/jobs/{first}", {"id": first, "release": release, "type": "web", "state": "down"}).status == 200)
    for s, path, last in ((jobs, f"/apps/{app}/jobs", seen[0][1]), (events, f"/events?app_id={app}&object_types=job", seen[1][1])):
        e = s.next()
        if e is None:  # the stream ended: the client comes again, with the number it had
            with Stream(path, [("Last-Event-Id", last)]) as again:
                e = again.next()
        s.c.close()
        assert second and '"down"' in e[2] and first in e[2], e


@case
def an_event_that_could_not_be_numbered_at_once_is_told_later(w):
    numbering = "FROM pg_stat_activity WHERE query LIKE 'SELECT number_events()%' AND wait_event_type = 'Lock'"
    with Stream("/events?object_types=app") as events:
        holder = psql("SELECT pg_advisory_lock(732904818), pg_sleep(60)", wait=False)
        wait_for("the lock", lambda: psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted") != "0")
        app = w.app()["id"]
        wait_for("all controllers to be held up", lambda: psql(f"SELECT count(*) {numbering}") == "3")
        psql(f"SELECT pg_cancel_backend(pid) {numbering}")
        psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()")
        holder.wait()
        assert json.loads(events.next()[2])["object_id"] == app
