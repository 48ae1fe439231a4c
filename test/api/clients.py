"""Whole commands of the original's clients, as they go over the wire: each request uses what the one before answered."""

import json

from world import HOST_ID, Client, Stream, case, frame, frames


@case
def create_then_env_set_where_there_is_no_release(w):
    name = w.name()
    assert w.ok("POST", "/apps", {"name": name, "protected": False})["name"] == name
    w.get(f"/apps/{name}/release").empty(404)
    artifact = w.ok("POST", "/artifacts", {})["id"]
    release = w.ok("POST", "/releases", {"artifact": artifact, "env": {"A": "1"}})
    assert w.ok("PUT", f"/apps/{name}/release", {"id": release["id"]})["id"] == release["id"]
    # The next one sends the whole of what it read, its time too.
    read = w.ok("GET", f"/apps/{name}/release")
    assert read["env"] == {"A": "1"} and "processes" not in read
    second = w.ok("POST", "/releases", {**{k: v for k, v in read.items() if k != "id"}, "env": {"A": "1", "B": "2"}})
    w.ok("PUT", f"/apps/{name}/release", {"id": second["id"]})
    assert w.ok("GET", f"/apps/{name}/release")["env"] == {"A": "1", "B": "2"}


@case
def scale_reads_merges_and_puts_to_the_id_in_the_body(w):
    app, id, _ = w.living("web", "worker")
    release = w.ok("GET", f"/apps/{app}/release")["id"]
    w.get(f"/apps/{app}/formations/{release}").empty(404)
    f = w.ok("PUT", f"/apps/{app}/formations/{release}", {"app": app, "release": release, "processes": {"web": 2}})
    assert f["app"] == id
    read = w.ok("GET", f"/apps/{app}/formations/{release}")
    read["processes"]["worker"] = 1
    read["processes"]["web"] = 0
    w.ok("PUT", f"/apps/{read['app']}/formations/{read['release']}", read)
    assert w.ok("GET", f"/apps/{app}/formations/{release}")["processes"] == {"worker": 1}


@case
def scale_with_events_waits_for_each_job(w):
    """From November 2014 on: the stream is opened before the formation is put."""
    app, id, release = w.living("web")
    with Stream(f"/apps/{app}/jobs", [("Last-Event-Id", "0")]) as s:
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 2}})
        jobs = [w.job(app, release, "starting") for _ in range(2)]
        for j in jobs:
            w.ok("PUT", f"/apps/{app}/jobs/{j['id']}", {**j, "state": "up"})
        up = [json.loads(e[2]) for e in (s.next() for _ in range(4)) if e[0] == "up"]
        assert [e["job_id"] for e in up] == [j["id"] for j in jobs]
        assert all((e["app"], e["release"], e["type"], e["state"]) == (id, release, "web", "up") for e in up), up
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 0}})
        w.ok("PUT", f"/apps/{app}/jobs/{jobs[0]['id']}", {**jobs[0], "state": "down"})
        assert s.next()[0] == "down"


@case
def resource_add_merges_its_env_into_a_release(w):
    app, _, release = w.living("web")
    p = w.ok("POST", "/providers", {"name": w.name(), "url": f"discoverd+http://postgres-api/databases?{w.name()}"})
    r = w.ok("POST", f"/providers/{p['name']}/resources", {"apps": [app], "config": None})
    read = w.ok("GET", f"/apps/{app}/release")
    new = w.ok("POST", "/releases", {**read, "id": "", "env": {**read.get("env", {}), **r["env"]}})
    w.ok("PUT", f"/apps/{app}/release", {"id": new["id"]})
    got = w.ok("GET", f"/apps/{app}/release")
    assert got["env"]["PGUSER"] == "u" and got["processes"] == read["processes"]


@case
def release_add_of_an_image_keeps_nothing_of_before(w):
    app, _, old = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{old}", {"processes": {"web": 1}})
    uri = f"https://registry.hub.docker.com/flynn/x?id={w.name()}"
    artifact = w.ok("POST", "/artifacts", {"type": "docker", "uri": uri})
    release = w.ok("POST", "/releases", {"artifact": artifact["id"]})
    w.ok("PUT", f"/apps/{app}/release", {"id": release["id"]})
    (f,) = w.ok("GET", f"/apps/{app}/formations")
    assert f["release"] == release["id"] and "processes" not in f  # it has no type to carry on


@case
def run_says_how_it_is_attached_and_ends_with_a_status(w):
    app, _, release = w.living("web")
    assert w.ok("GET", f"/apps/{app}/release")["id"] == release
    with Client() as c:
        c.ask("POST", f"/apps/{app}/jobs", {"release": release, "cmd": ["sh", "-c", "cat"]}, headers=[("Accept", "application/vnd.flynn.attach")])
        assert c.read_head().status == 101
        c.send(frame(0, b"a line\n"))
        assert frames(c.f.read(len(frame(1, b"you said: a line\n")))) == [(1, b"you said: a line\n")]
        c.send(b"\x04\0\0\0\x02")  # SIGINT
        c.send(frame(0, b""))
        assert frames(c.f.read())[-1] == ("exit", 3)


@case
def ps_log_and_kill_take_the_id_that_run_printed(w):
    app, id, release = w.living("web")
    job = w.ok("POST", f"/apps/{app}/jobs", {"release": release, "cmd": ["sleep", "9"]})["id"]
    assert job.split("-", 1)[0] == HOST_ID and len(job.split("-", 1)[1]) == 32
    assert w.get(f"/apps/{app}/jobs/{job}/log").status == 200
    w.ask("DELETE", f"/apps/{app}/jobs/{job}").empty()
    assert w.ask("DELETE", f"/apps/{app}/jobs/{job}").status == 404
