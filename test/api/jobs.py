"""Jobs: their record, its events, one-off jobs detached and attached, logs."""

import json
import socket
import time

from world import (HOST_ID, LIMIT, NOBODY, OTHER_PORT, Client, Stream, case, dashed, fits, frame, frames, wait_for)

EVENTS = [("Accept", "text/event-stream")]


@case
def a_job_is_recorded_and_listed(w):
    app, id, release = w.living()
    w.get(f"/apps/{app}/jobs").exactly("[]")
    job = f"{HOST_ID}-8cb1212f582f498e{w.n:016x}"
    made = w.ask("PUT", f"/apps/{app}/jobs/{job}", {"id": job, "app": id, "release": release, "type": "web", "state": "starting"})
    made.exactly('{"id":"<job>","app":"%s","release":"%s","type":"web","state":"starting","created_at":"<time>","updated_at":"<time>"}' % (id, release))
    up = w.ask("PUT", f"/apps/{id}/jobs/{job}", {"id": job, "app": id, "release": release, "type": "web", "state": "up"})
    assert up.json["created_at"] == made.json["created_at"] and up.json["updated_at"] > made.json["updated_at"]
    assert w.get(f"/apps/{app}/jobs").text == f"[{up.text}]"
    assert w.get(f"/apps/{app}/jobs/{job}").body == up.body
    w.get(f"/apps/{w.app()['name']}/jobs/{job}").empty(404)


@case
def the_id_of_the_body_is_the_one_that_is_kept(w):
    app, _, release = w.living()
    a, b = (f"{HOST_ID}-{c * 16}{w.n:016x}" for c in "ab")
    assert w.ok("PUT", f"/apps/{app}/jobs/{a}", {"id": b, "release": release, "state": "up"})["id"] == b
    w.get(f"/apps/{app}/jobs/{a}").empty(404)
    assert w.ok("PUT", f"/apps/{app}/jobs/{a}", {"release": release, "state": "up"})["id"] == a  # one that names none


@case
def ids_of_jobs_come_in_both_forms(w):
    app, _, release = w.living()
    uuid = f"{w.n:032x}"
    w.n += 1
    for id in (f"{HOST_ID}-{uuid}", f"{HOST_ID}-{dashed(uuid)}", f"{HOST_ID}-{dashed(uuid).upper()}"):
        assert w.ok("PUT", f"/apps/{app}/jobs/{id}", {"release": release, "state": "up"})["id"] == f"{HOST_ID}-{uuid}"
        assert w.ok("PUT", f"/apps/{app}/jobs/{id}", {"id": id, "release": release, "state": "up"})["id"] == f"{HOST_ID}-{uuid}"
        assert w.ok("GET", f"/apps/{app}/jobs/{id}")["id"] == f"{HOST_ID}-{uuid}"
    assert len(w.ok("GET", f"/apps/{app}/jobs")) == 1


@case
def jobs_of_all_states_are_listed_newest_first(w):
    app, _, release = w.living()
    made = [w.job(app, release, state)["id"] for state in ("starting", "up", "down", "crashed")]
    assert [j["id"] for j in w.ok("GET", f"/apps/{app}/jobs")] == made[::-1]
    assert [j["state"] for j in w.ok("GET", f"/apps/{app}/jobs")] == ["crashed", "down", "up", "starting"]


@case
def one_off_jobs_have_no_type(w):
    app, id, release = w.living()
    job = w.job(app, release, type="", cmd=["ls", "-l"])
    assert "type" not in job and job["cmd"] == ["ls", "-l"] == job["args"], job  # both names


@case
def the_first_clients_may_write_state_with_a_capital(w):
    """Their struct's tag was misspelt: what they send and read is called State."""
    app, _, release = w.living()
    job = f"{HOST_ID}-{w.n:032x}"
    assert w.ok("PUT", f"/apps/{app}/jobs/{job}", {"id": job, "release": release, "type": "web", "State": "up"})["state"] == "up"


# ---- events ---------------------------------------------------------------------------------

def event(app_id, release, job, state, kind="web"):
    return '{"id":<n>,"job_id":"%s","app":"%s","release":"%s","type":"%s","state":"%s","created_at":"<time>"}' % (job, app_id, release, kind, state)


@case
def events_come_as_they_happen_with_number_state_and_job(w):
    app, id, release = w.living()
    with Stream(f"/apps/{app}/jobs", [("Last-Event-Id", "0")]) as s:
        job = w.job(app, release, "starting")["id"]
        for state in ("up", "up", "down"):  # the same state again is no event
            w.ok("PUT", f"/apps/{app}/jobs/{job}", {"id": job, "release": release, "type": "web", "state": state})
        seen = [s.next() for _ in range(3)]
        assert [e[0] for e in seen] == ["starting", "up", "down"], seen
        for kind, number, data in seen:
            assert fits(data, event(id, release, job, kind)), data
            assert json.loads(data)["id"] == int(number)
        assert [int(e[1]) for e in seen] == sorted(int(e[1]) for e in seen)
        assert s.silent()


@case
def a_stream_without_a_last_event_begins_now(w):
    app, _, release = w.living()
    w.job(app, release)
    for headers in ([], [("Last-Event-Id", "0")], [("Last-Event-Id", "")]):
        with Stream(f"/apps/{app}/jobs", headers) as s:
            assert s.silent(), headers


@case
def who_comes_again_gets_what_came_behind_his_last_event(w):
    app, _, release = w.living()
    with Stream(f"/apps/{app}/jobs") as s:
        first = w.job(app, release)
        number = s.next()[1]
    jobs = [w.job(app, release)["id"] for _ in range(3)]
    for port in (None, OTHER_PORT):  # at whichever controller
        with Stream(f"/apps/{app}/jobs", [("Last-Event-Id", number)], port=port) as s:
            seen = [json.loads(s.next()[2])["job_id"] for _ in range(3)]
            assert seen == jobs and first["id"] not in seen
            late = w.job(app, release)["id"]
            assert json.loads(s.next()[2])["job_id"] == late
            jobs.append(late) if port is None else None
            if port is None:
                w.ok("GET", f"/apps/{app}")
        jobs = jobs[:3]
        break
    with Stream(f"/apps/{app}/jobs", [("Last-Event-Id", str(1 << 60))]) as s:
        late = w.job(app, release)["id"]  # as the number may be of the database that was there before a restored one
        assert json.loads(s.next()[2])["job_id"] == late
        assert s.silent()


@case
def the_last_so_many_can_be_asked_for(w):
    app, _, release = w.living()
    jobs = [w.job(app, release)["id"] for _ in range(5)]
    with Stream(f"/apps/{app}/jobs?count=2") as s:
        first = s.next()
        assert [json.loads(e[2])["job_id"] for e in (first, s.next())] == jobs[-2:]
        late = w.job(app, release)["id"]
        assert json.loads(s.next()[2])["job_id"] == late
    with Stream(f"/apps/{app}/jobs?count=1", [("Last-Event-Id", first[1])]) as s:  # of those behind it
        assert json.loads(s.next()[2])["job_id"] == late
        assert s.silent()
    with Stream(f"/apps/{app}/jobs?count=100", [("Last-Event-Id", first[1])]) as s:
        assert [json.loads(s.next()[2])["job_id"] for _ in range(2)] == [jobs[-1], late]
        assert s.silent()


@case
def events_are_one_apps(w):
    app, _, release = w.living()
    other, _, other_release = w.living()
    with Stream(f"/apps/{app}/jobs") as s:
        w.job(other, other_release)
        mine = w.job(app, release)["id"]
        assert json.loads(s.next()[2])["job_id"] == mine


@case
def numbers_of_events_that_are_none_are_refused(w):
    app = w.app()["name"]
    for value in ("x", "-1", "1.5", "9" * 30, "0x1"):
        w.get(f"/apps/{app}/jobs", headers=[*EVENTS, ("Last-Event-Id", value)]).refuses("Last-Event-Id")
        w.get(f"/apps/{app}/jobs?count={value}", headers=EVENTS).refuses("count")
    w.get("/apps/nobody/jobs", headers=EVENTS).empty(404)


# ---- one-off jobs ---------------------------------------------------------------------------

@case
def a_detached_job_is_answered_with_id_release_and_cmd(w):
    app, id, release = w.living()
    w.ok("POST", "/releases", {"artifact": w.artifact()})
    j = w.ask("POST", f"/apps/{app}/jobs", {"release": release, "cmd": ["echo", "hi"], "env": {"A": "b"}}).exactly(
        '{"id":"<job>","release":"%s","cmd":["echo","hi"]}' % release)
    job = w.host(f"/host/jobs/{j['id']}").json["job"]
    assert job["id"] == j["id"] and job["config"]["cmd"] == ["echo", "hi"] and job["config"]["env"]["A"] == "b", job
    assert job["metadata"]["flynn-controller.app"] == id and job["metadata"]["flynn-controller.release"] == release
    assert "flynn-controller.type" not in job["metadata"] and not job["config"].get("stdin") and not job["config"].get("tty"), job


@case
def its_environment_is_the_releases_and_the_requests(w):
    app = w.app()["name"]
    release = w.ok("POST", "/releases", {"artifact": w.artifact(), "env": {"A": "release", "B": "release"},
                                         "processes": {"web": {"env": {"C": "process"}}}})["id"]
    w.ok("PUT", f"/apps/{app}/release", {"id": release})
    j = w.ok("POST", f"/apps/{app}/jobs", {"cmd": ["x"], "env": {"B": "request"}})  # of the app's release
    env = w.host(f"/host/jobs/{j['id']}").json["job"]["config"]["env"]
    assert (env["A"], env["B"]) == ("release", "request") and "C" not in env, env


@case
def clients_of_2021_say_args_and_whether_the_releases_env_is_wanted(w):
    app = w.app()["name"]
    release = w.ok("POST", "/releases", {"artifact": w.artifact(), "env": {"A": "1"}})["id"]
    for wanted in (True, False):
        j = w.ok("POST", f"/apps/{app}/jobs", {"release": release, "args": ["ls", "-l"], "release_env": wanted})
        config = w.host(f"/host/jobs/{j['id']}").json["job"]["config"]
        assert config["cmd"] == ["ls", "-l"] and ("A" in config["env"]) == wanted, config


@case
def clients_of_2021_say_a_command_twice_and_it_is_run_once(w):
    for env, want in (({}, (["ls"], ["-l"])), ({"SLUG_URL": "http://shelf.discoverd:1112/slugs/x?sig=y"}, (None, ["ls", "-l"]))):
        app = w.app()["name"]
        release = w.ok("POST", "/releases", {"artifact": w.artifact(), "env": env})["id"]
        j = w.ok("POST", f"/apps/{app}/jobs", {"release": release, "args": ["ls", "-l"], "entrypoint": ["ls"], "cmd": ["-l"], "release_env": True})
        config = w.host(f"/host/jobs/{j['id']}").json["job"]["config"]
        assert (config.get("entrypoint"), config["cmd"]) == want and j["cmd"] == ["ls", "-l"], (config, j)


@case
def a_job_may_be_limited_in_both_forms(w):
    app, _, release = w.living()
    for resources in ({"memory": 64 << 20, "cpu": 500}, {"memory": {"limit": 64 << 20}, "cpu": {"limit": 500, "request": 7}, "max_fd": {"limit": 10}}):
        j = w.ok("POST", f"/apps/{app}/jobs", {"release": release, "cmd": ["x"], "resources": resources})
        assert w.host(f"/host/jobs/{j['id']}").json["job"]["resources"] == {"memory": 64 << 20, "cpu": 500}
    for resources in ([], "x", {"memory": "1GB"}, {"memory": -1}, {"memory": 1}, {"cpu": 1 << 40}):
        w.ask("POST", f"/apps/{app}/jobs", {"release": release, "cmd": ["x"], "resources": resources}).refuses(None, "resources")


@case
def a_job_that_cannot_run_is_an_error_in_words(w):
    app, _, release = w.living()
    for headers in ([], [("Accept", "application/vnd.flynn.attach")], [("Connection", "upgrade"), ("Upgrade", "flynn-attach/0")]):
        def run(app, body):
            return w.ask("POST", f"/apps/{app}/jobs", body, headers=headers)
        run(app, {"release": NOBODY, "cmd": ["x"]}).refuses(None)
        run(w.app()["name"], {"cmd": ["x"]}).refuses(None)
        run(app, {"release": w.ok("POST", "/releases", {"artifact": w.ok("POST", "/artifacts", {})["id"]})["id"], "cmd": ["x"]}).refuses(None)
        run(app, {"release": release, "cmd": ["refuse"]}).refuses(None, "image x is not here")
        run("nobody", {"release": release}).empty(404)


def attached(w, app, body, headers):
    c = Client()
    c.ask("POST", f"/apps/{app}/jobs", body, headers=headers)
    return c, c.read_head()


OF_2014 = [("Accept", "application/vnd.flynn.attach")]
OF_2021 = [("Connection", "upgrade"), ("Upgrade", "flynn-attach/0")]


@case
def a_client_of_2014_attaches_by_accept(w):
    app, _, release = w.living()
    for accept in ("application/vnd.flynn.attach", "text/html, application/vnd.flynn.attach;q=0.9"):
        c, head = attached(w, app, {"release": release, "cmd": ["cat"]}, [("Accept", accept)])
        assert head.line == "HTTP/1.1 101 Switching Protocols", head.line
        assert sorted(head.headers) == [("Content-Length", "0"), ("Content-Type", "application/vnd.flynn.attach")], head.headers
        c.send(frame(0, b"hello") + frame(0, b""))
        assert frames(c.f.read()) == [(1, b"you said: hello"), (1, b""), (2, b""), ("exit", 3)]
        c.close()


@case
def a_client_of_2021_attaches_by_upgrade(w):
    app, _, release = w.living()
    for upgrade in ([("Connection", "upgrade"), ("Upgrade", "flynn-attach/0")], [("Connection", "Upgrade"), ("Upgrade", "Flynn-Attach/0"), ("Accept", "x/y")]):
        c, head = attached(w, app, {"release": release, "args": ["cat"], "release_env": True}, upgrade)
        assert head.line == "HTTP/1.1 101 Switching Protocols", head.line
        got = {k.lower(): v.lower() for k, v in head.headers}
        assert got == {"connection": "upgrade", "upgrade": "flynn-attach/0"}, got
        c.send(frame(0, b"hello") + frame(0, b""))
        assert frames(c.f.read()) == [(1, b"you said: hello"), (1, b""), (2, b""), ("exit", 3)]
        c.close()


@case
def another_upgrade_is_none(w):
    app, _, release = w.living()
    a = w.ask("POST", f"/apps/{app}/jobs", {"release": release, "cmd": ["x"]}, headers=[("Connection", "upgrade"), ("Upgrade", "websocket")])
    assert a.status == 200 and "id" in a.json, a


@case
def what_is_sent_behind_the_request_reaches_the_job(w):
    app, _, release = w.living()
    body = json.dumps({"release": release, "cmd": ["cat"]})
    for headers in (OF_2014, OF_2021):
        with Client() as c:
            c.ask("POST", f"/apps/{app}/jobs", body.encode() , headers=headers)
            c.send(frame(0, b"early") + frame(0, b""))
            assert c.read_head().status == 101
            assert frames(c.f.read())[0] == (1, b"you said: early")


@case
def bytes_pass_unchanged_both_ways(w):
    app, _, release = w.living()
    c, head = attached(w, app, {"release": release, "cmd": ["cat"]}, OF_2014)
    data = bytes(range(256)) * 400
    c.send(frame(0, data))
    want = frame(1, b"you said: " + data)
    assert c.f.read(len(want)) == want
    c.send(frame(0, b""))
    assert frames(c.f.read())[-1] == ("exit", 3)
    c.close()


@case
def the_first_clients_of_2014_know_no_frames(w):
    """They send what they read and end it by a half-close; output is Docker's streams, of a terminal the bytes themselves."""
    app, _, release = w.living()
    for say, want in ((b"hello", b"\1\0\0\0\0\0\0\x0fyou said: hello"), (b"", b"")):
        c, head = attached(w, app, {"release": release, "cmd": ["cat"]}, OF_2014)
        assert head.line == "HTTP/1.1 101 Switching Protocols", head.line
        c.send(say)
        c.sock.shutdown(socket.SHUT_WR)
        assert c.f.read() == want, say
        c.close()
    c, _ = attached(w, app, {"release": release, "cmd": ["sh"], "tty": True, "tty_columns": 80, "tty_lines": 24}, OF_2014)
    c.send(b"ls\r")
    assert c.f.read(len(b"you said: ls\r")) == b"you said: ls\r"
    c.close()


@case
def a_terminals_size_reaches_the_host(w):
    app, _, release = w.living()
    body = {"release": release, "cmd": ["sh"], "env": {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}, "tty": True, "tty_columns": 80, "tty_lines": 24}
    c, head = attached(w, app, body, OF_2014)
    c.send(frame(0, b"x"))
    assert c.f.read(1) == b"\x03"
    attach = w.host("/attaches").json[-1]
    assert (attach["height"], attach["width"], attach["flags"]) == (24, 80, 1 | 2 | 4 | 16), attach
    job = w.host(f"/host/jobs/{attach['job_id']}").json["job"]
    assert job["config"]["tty"] is True and job["config"]["stdin"] is True and job["config"]["env"]["TERM"] == "xterm", job
    c.close()


@case
def a_job_is_stopped(w):
    app, _, release = w.living()
    for form in (lambda id: id, lambda id: f"{HOST_ID}-{dashed(id.split('-')[1])}"):
        job = w.ok("POST", f"/apps/{app}/jobs", {"release": release, "cmd": ["sleep"]})["id"]
        w.ask("DELETE", f"/apps/{w.app()['name']}/jobs/{job}").empty(404)
        w.ask("DELETE", f"/apps/{app}/jobs/{form(job)}").empty()
        assert w.host(f"/host/jobs/{job}").status == 404
        w.ask("DELETE", f"/apps/{app}/jobs/{form(job)}").empty(404)
    for job in ("x", "x-y", "", f"nohost-{NOBODY}", "-", "a--b"):
        assert w.ask("DELETE", f"/apps/{app}/jobs/{job}").status in (404, 405), job


# ---- logs -----------------------------------------------------------------------------------

def detached(w, app, release):
    return w.ok("POST", f"/apps/{app}/jobs", {"release": release, "cmd": ["x"]})["id"]


@case
def a_log_is_frames_as_the_host_sent_them(w):
    app, _, release = w.living()
    job = detached(w, app, release)
    for path in (job, f"{HOST_ID}-{dashed(job.split('-')[1])}"):
        a = w.get(f"/apps/{app}/jobs/{path}/log")
        assert a.status == 200 and a.get("Content-Type") == "application/vnd.flynn.attach", a.headers
        assert frames(a.body)[:3] == [(1, b"hello\nw\xc3"), (1, b"\xb6rld\n"), (2, b"oops\n")], a.body
    a = w.get(f"/apps/{app}/jobs/{job}/log?tail=true")
    assert frames(a.body)[-3:] == [(1, b""), (2, b""), ("exit", 0)], a.body
    assert w.host("/attaches").json[-1]["flags"] == 1 | 2 | 8 | 16


@case
def a_log_is_events_for_those_who_ask(w):
    app, _, release = w.living()
    job = detached(w, app, release)
    with Stream(f"/apps/{app}/jobs/{job}/log") as s:
        seen = s.until(lambda e: e[0] == "eof")
        text = {"stdout": "", "stderr": ""}
        for kind, number, data in seen[:-1]:
            assert kind is None and number is None and list(json.loads(data)) == ["stream", "data"], seen
            text[json.loads(data)["stream"]] += json.loads(data)["data"]
        assert text == {"stdout": "hello\nwörld\n", "stderr": "oops\n"}, text
        assert seen[-1] == ("eof", None, "{}") and s.next() is None
    with Stream(f"/apps/{app}/jobs/{job}/log?tail=true") as s:
        seen = s.until(lambda e: e[0] == "eof")
        assert seen[-2][0] == "exit" and json.loads(seen[-2][2]) == {"status": 0}, seen


@case
def a_log_that_breaks_off_is_said_to(w):
    app, _, release = w.living()
    job = w.ok("POST", f"/apps/{app}/jobs", {"release": release, "cmd": ["torn"]})["id"]
    with Stream(f"/apps/{app}/jobs/{job}/log") as s:
        seen = s.until(lambda e: e[0] is not None)
        assert seen[-1] == ("error", None, "{}") and s.next() is None and json.loads(seen[0][2])["data"] == "hello\n", seen
    with Client() as c:  # frames end without one that says so
        c.ask("GET", f"/apps/{app}/jobs/{job}/log")
        assert frames(c.read_answer().body[:12]) == [(1, b"hello\n")]


@case
def a_log_of_no_job_is_404(w):
    app, _, release = w.living()
    job = detached(w, app, release)
    for path in (f"/apps/{app}/jobs/{HOST_ID}-{NOBODY}/log", f"/apps/{app}/jobs/nohost-{NOBODY}/log", f"/apps/{w.app()['name']}/jobs/{job}/log"):
        w.get(path).empty(404)
        w.get(path, headers=EVENTS).empty(404)


@case
def a_log_can_be_waited_for(w):
    app, id, release = w.living()
    job = f"{HOST_ID}-{w.n:032x}"
    for headers in ([], EVENTS):
        with Client() as c:
            c.ask("GET", f"/apps/{app}/jobs/{job}/log?wait=true", headers=headers)
            assert c.read_head().status == 200  # before there is one
            w.host(f"/host/jobs/{job}", "PUT", {"id": job, "metadata": {"flynn-controller.app": id}, "config": {}})
            data, end = b"", time.monotonic() + LIMIT
            while b"oops" not in data:
                assert time.monotonic() < end
                data += c.read_chunk() or b""
            assert b"hello" in data
        w.host(f"/host/jobs/{job}", "DELETE")
        wait_for("the job to be gone", lambda: w.host(f"/host/jobs/{job}").status == 404)


# ---- what they use, commands in them, and others in their place ----------------------------------

def running(w, app, id, release, **more):
    """A job that its host has, too."""
    j = w.job(app, release, **more)["id"]
    w.host(f"/host/jobs/{j}", "PUT", {"id": j, "metadata": {"flynn-controller.app": id}, "artifact": {"uri": "https://example.com/x"}, "config": {}})
    return j


@case
def the_expanded_list_has_what_jobs_use(w):
    app, id, release = w.living()
    w.get(f"/apps/{app}/jobs?expand=true").exactly("[]")
    up, gone, silent = running(w, app, id, release), w.job(app, release, "down")["id"], running(w, app, id, release)
    w.host(f"/usage/{up}", "POST", {"cpu_seconds": 1.5, "cpu_percent": 12.5, "memory": 1000, "memory_limit": 2000})
    plain = {j["id"]: j for j in w.ok("GET", f"/apps/{app}/jobs")}
    got = w.ok("GET", f"/apps/{app}/jobs?expand=true")
    assert [j["id"] for j in got] == [silent, gone, up], got
    more = {"host_id": HOST_ID, "version": 1}
    assert got[0] == {**plain[silent], **more} and got[1] == {**plain[gone], **more}, got
    assert got[2] == {**plain[up], **more, "cpu_seconds": 1.5, "cpu_percent": 12.5, "memory": 1000, "memory_limit": 2000}, got
    assert list(plain[up]) == [k for k in got[2] if k in plain[up]] and "memory" not in plain[up]  # the first form is as it was
    w.get("/apps/nobody/jobs?expand=true").empty(404)


@case
def a_command_is_run_in_a_job(w):
    app, id, release = w.living()
    job = running(w, app, id, release)
    body = {"cmd": ["sh", "-c", "x"], "env": {"A": "b"}, "tty": True, "tty_columns": 80, "tty_lines": 24}
    for headers in (OF_2014, OF_2021):
        with Client() as c:
            c.ask("POST", f"/apps/{app}/jobs/{job}/exec", body, headers=headers)
            assert c.read_head().line == "HTTP/1.1 101 Switching Protocols"
            c.send(frame(0, b"hello") + frame(0, b""))
            seen = frames(c.f.read())
            assert json.loads(seen[0][1]) == {"cmd": ["sh", "-c", "x"], "env": {"A": "b"}, "tty": True, "height": 24, "width": 80}, seen
            assert seen[1:] == [(1, b"you said: hello"), (1, b""), (2, b""), ("exit", 3)], seen


@case
def a_command_that_cannot_run_is_an_error_in_words(w):
    app, id, release = w.living()
    job = running(w, app, id, release)
    path = f"/apps/{app}/jobs/{job}/exec"
    w.ask("POST", path, {"cmd": ["x"]}).refuses(None, "flynn-attach/0")
    for headers in (OF_2014, OF_2021):
        w.ask("POST", path, {}, headers=headers).refuses("cmd", "missing")
        for field, value in (("cmd", "x"), ("cmd", [1]), ("env", []), ("env", {"A": 1}), ("tty", "yes"), ("tty_columns", 70000), ("tty_lines", "1")):
            a = w.ask("POST", path, {"cmd": ["x"], field: value}, headers=headers)
            assert a.status == 400 and field in a.text, (field, value, a)
        w.ask("POST", path, {"cmd": ["refuse"]}, headers=headers).fails(409, "conflict")
        w.ask("POST", f"/apps/{w.app()['name']}/jobs/{job}/exec", {"cmd": ["x"]}, headers=headers).empty(404)
        w.ask("POST", f"/apps/{app}/jobs/{HOST_ID}-{NOBODY}/exec", {"cmd": ["x"]}, headers=headers).empty(404)


@case
def a_restart_marks_jobs_for_the_scheduler(w):
    app, id, release = w.living("web", "worker")
    w.ask("POST", f"/apps/{app}/restart", {}).refuses(None, "no jobs")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 2, "worker": 1}})
    web, other, worker = (w.job(app, release, type=t)["id"] for t in ("web", "web", "worker"))
    w.job(app, release, "down"), w.job(app, release, type="")  # one that is gone, one that somebody runs
    with Stream("/formations") as s:
        def next():
            while True:
                e = json.loads(s.next()[2])
                if e.get("app", {}).get("id") == id:
                    return sorted(e.get("replace", []))

        assert next() == []
        one = w.ok("POST", f"/apps/{app}/restart", {"job": f"{HOST_ID}-{dashed(web.split('-')[1])}"})
        assert one == {"release": release, "processes": {"web": 2}, "jobs": [web]}, one
        assert next() == [web]
        of_type = w.ok("POST", f"/apps/{app}/restart", {"type": "worker"})
        assert of_type == {"release": release, "processes": {"worker": 1}, "jobs": [worker]} and next() == sorted([web, worker]), of_type
        every = w.ok("POST", f"/apps/{app}/restart")
        assert every["processes"] == {"web": 2, "worker": 1} and sorted(every["jobs"]) == sorted([web, other, worker]), every
        assert next() == sorted([web, other, worker])
        # What failed is not one of the new: that is no reason to give up. Then one of these does, which is one for its type.
        w.ok("PUT", f"/apps/{app}/jobs/{web}", {"release": release, "type": "web", "state": "crashed"})
        w.job(app, release, "failed", type="web", host_error="it does not start")
        assert next() == [worker]
    w.ask("POST", f"/apps/{app}/restart", {"type": "nope"}).refuses("type")
    w.ask("POST", f"/apps/{app}/restart", {"job": web}).refuses("job", "none that can be replaced")
    for field, value in (("type", 1), ("job", []), ("job", {})):
        w.ask("POST", f"/apps/{app}/restart", {field: value}).refuses(field)
    w.ask("POST", f"/apps/{w.app()['name']}/restart").refuses(None, "no release")
    w.ask("POST", "/apps/nobody/restart").empty(404)
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {}})


@case
def a_job_that_printed_in_colours_is_recorded_as_it_ended(w):
    app, _, release = w.living("web")
    for said, want in (("web exited 1:\n\x1b[31mError\x1b[0m: no\x07", "web exited 1:\nError: no"), ("é" * 5000, "é" * 2048)):
        job = w.job(app, release, "crashed", exit_status=1, host_error=said)
        assert (job["state"], job["host_error"]) == ("crashed", want), job
        assert w.ok("GET", f"/apps/{app}/jobs/{job['id']}")["host_error"] == want
    w.ask("PUT", f"/apps/{app}/jobs/{HOST_ID}-{NOBODY}", {"release": release, "state": "crashed", "host_error": 1}).refuses("host_error")
