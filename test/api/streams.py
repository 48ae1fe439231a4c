"""Streams under load, and while PostgreSQL is away."""

import json
import os
import subprocess
import threading
import time

from world import OTHER_PORT, Client, Stream, case, wait_for


def rss_kb():
    with open(f"/proc/{os.environ['API_PID']}/status") as f:
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
