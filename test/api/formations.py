"""Formations, and the stream of them that schedulers follow."""

import json

from world import OTHER_PORT, Stream, case, dashed

NONE_MORE = '{"updated_at":"0001-01-01T00:00:00Z"}'


@case
def a_formation_is_put_and_read(w):
    app, id, release = w.living("web", "worker")
    path = f"/apps/{app}/formations/{release}"
    w.get(path).empty(404)
    w.get(f"/apps/{app}/formations").exactly("[]")
    f = w.ask("PUT", path, {"processes": {"web": 3, "worker": 0}}).exactly(
        '{"app":"%s","release":"%s","processes":{"web":3,"worker":0},"created_at":"<time>","updated_at":"<time>"}' % (id, release))
    got = w.get(path)
    got.exactly('{"app":"%s","release":"%s","processes":{"web":3},"created_at":"%s","updated_at":"%s"}' % (id, release, f["created_at"], f["updated_at"]))
    assert w.get(f"/apps/{app}/formations").text == f"[{got.text}]"
    g = w.ok("PUT", path, {"processes": {"web": 1}})
    assert g["created_at"] == f["created_at"] and g["updated_at"] > f["updated_at"]
    w.ask("PUT", path).exactly('{"app":"%s","release":"%s","created_at":"<time>","updated_at":"<time>"}' % (id, release))


@case
def a_formation_is_put_to_the_app_that_its_body_names(w):
    """The clients' scale: read, then put to the id that was found in it, with app, release and times in the body."""
    app, id, release = w.living("web", "worker")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
    f = w.ok("GET", f"/apps/{app}/formations/{release}")
    f["processes"]["worker"] = 2
    assert w.ok("PUT", f"/apps/{f['app']}/formations/{f['release']}", f)["processes"] == {"web": 1, "worker": 2}


@case
def a_formation_is_deleted_and_comes_back(w):
    app, _, release = w.living()
    path = f"/apps/{app}/formations/{release}"
    w.ask("DELETE", path).empty(404)
    w.ok("PUT", path, {"processes": {"web": 1}})
    w.ask("DELETE", path).empty()
    w.get(path).empty(404)
    w.ask("DELETE", path).empty(404)
    w.get(f"/apps/{app}/formations").exactly("[]")
    assert w.ok("PUT", path, {"processes": {"web": 2}})["processes"] == {"web": 2}
    assert w.ok("GET", path)["processes"] == {"web": 2}


@case
def a_protected_app_is_not_scaled_to_zero_and_nothing_is_written(w):
    name, release = w.app(protected=True)["name"], w.release("web", "worker")
    path = f"/apps/{name}/formations/{release}"
    for processes in ({}, {"web": 1}, {"web": 1, "worker": 0}):
        w.ask("PUT", path, {"processes": processes}).refuses(None)
        w.get(path).empty(404)
    w.ok("PUT", path, {"processes": {"web": 1, "worker": 1}})
    w.ask("PUT", path, {"processes": {"web": 0, "worker": 1}}).refuses(None)
    assert w.ok("GET", path)["processes"] == {"web": 1, "worker": 1}


@case
def a_formation_can_be_read_expanded(w):
    """As clients of the final version ask for it."""
    app, _, release = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
    f = w.ok("GET", f"/apps/{app}/formations/{release}?expand=true")
    assert f["app"] == w.ok("GET", f"/apps/{app}") and f["release"] == w.ok("GET", f"/releases/{release}")
    assert f["artifact"] == w.ok("GET", f"/artifacts/{f['release']['artifact']}") and f["processes"] == {"web": 1}
    w.get(f"/apps/{app}/formations/{w.release()}?expand=true").empty(404)


@case
def all_that_have_jobs_are_listed_expanded(w):
    app, id, release = w.living("web")
    idle, idle_id, _ = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 2}})
    w.ok("PUT", f"/apps/{idle}/formations/{release}", {"processes": {"web": 0}})
    listed = {f["app"]["id"]: f for f in w.ok("GET", "/formations?active=true")}
    assert idle_id not in listed and listed[id]["processes"] == {"web": 2} and listed[id]["release"]["id"] == release


# ---- the stream -----------------------------------------------------------------------------

def told(s):
    """All formations up to the sign that these were all."""
    seen = s.until(lambda e: e[2] == NONE_MORE)
    assert all(e[0] is None and e[1] is None for e in seen), seen
    return [json.loads(e[2]) for e in seen[:-1]]


def until(s, app_id, processes):
    """The app's formation once it has these processes. The same state may be told twice."""
    return json.loads(s.until(lambda e: f'"{app_id}"' in e[2] and json.loads(e[2]).get("processes") == processes)[-1][2])


@case
def the_stream_tells_all_then_says_so_then_goes_on(w):
    app, id, release = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
    with Stream("/formations") as s:
        all = told(s)
        mine = [f for f in all if f["app"]["id"] == id]
        assert len(mine) == 1 and list(mine[0]) == ["app", "release", "artifact", "processes", "updated_at"], mine
        f = mine[0]
        assert f["app"] == w.ok("GET", f"/apps/{id}") and f["release"] == w.ok("GET", f"/releases/{release}")
        assert f["artifact"] == w.ok("GET", f"/artifacts/{f['release']['artifact']}")
        assert f["processes"] == {"web": 1} and f["updated_at"] == w.ok("GET", f"/apps/{id}/formations/{release}")["updated_at"]
        times = [f["updated_at"] for f in all]
        assert times == sorted(times, reverse=True), "newest first"
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 2}})
        assert until(s, id, {"web": 2})["app"]["name"] == app
        w.ok("DELETE", f"/apps/{app}/formations/{release}")
        now = until(s, id, None)
        assert list(now) == ["app", "release", "artifact", "updated_at"], now


@case
def the_stream_takes_a_time_to_begin_with(w):
    app, id, release = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
    first = w.ok("GET", f"/apps/{app}/formations/{release}")["updated_at"]
    for since in (first, "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", first[:19] + "Z", first[:19] + "%2B00:00"):
        with Stream(f"/formations?since={since}") as s:
            assert id in [f["app"]["id"] for f in told(s)], since
    with Stream("/formations?since=2100-01-01T00:00:00Z") as s:
        assert told(s) == []
    w.get("/formations?since=yesterday", headers=[("Accept", "text/event-stream")]).refuses("since")


@case
def who_comes_again_is_told_what_he_missed(w):
    app, id, release = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
    with Stream("/formations") as s:
        last = max(f["updated_at"] for f in told(s))
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 7}})
    other, other_id, other_release = w.living("web")
    w.ok("PUT", f"/apps/{other}/formations/{other_release}", {"processes": {"web": 1}})
    w.ok("DELETE", f"/apps/{other}")
    with Stream(f"/formations?since={last}") as s:
        got = {f["app"]["id"]: f for f in told(s)}
    assert got[id]["processes"] == {"web": 7}
    assert "processes" not in got[other_id], "what ended meanwhile is told too"


@case
def what_replaces_a_formation_is_told_before_its_end(w):
    """Or a scheduler would end the old jobs while it knows of no new ones, whatever it was told last."""
    app, id, old = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{old}", {"processes": {"web": 1}})
    last, new = w.ok("GET", f"/apps/{app}/formations/{old}")["updated_at"], w.release("web")
    w.ok("PUT", f"/apps/{app}/release", {"id": new})
    with Stream(f"/formations?since={last}") as s:
        seen = [(f["release"]["id"], f.get("processes")) for f in told(s) if f["app"]["id"] == id]
    assert seen[0] == (new, {"web": 1}) and (old, None) in seen, seen


@case
def every_controller_tells_what_any_was_told(w):
    app, id, release = w.living("web")
    with Stream("/formations", port=OTHER_PORT) as s:
        told(s)
        w.ok("PUT", f"/apps/{dashed(id)}/formations/{release}", {"processes": {"web": 1}})
        assert until(s, id, {"web": 1})


@case
def a_deleted_apps_formations_end_on_the_stream(w):
    app, id, release = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
    with Stream("/formations") as s:
        told(s)
        w.ok("DELETE", f"/apps/{app}")
        last = until(s, id, None)
        assert "processes" not in last and last["app"]["name"] == app, last


@case
def setting_a_release_ends_the_old_formation_behind_the_new_one(w):
    app, id, old = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{old}", {"processes": {"web": 1}})
    new = w.release("web")
    with Stream("/formations") as s:
        told(s)
        w.ok("PUT", f"/apps/{app}/release", {"id": new})
        seen = [json.loads(e[2]) for e in s.until(lambda e: f'"id":"{old}"' in e[2] and "processes" not in json.loads(e[2]))]
        seen = [(f["release"]["id"], f.get("processes")) for f in seen if f["app"]["id"] == id]
        assert (new, {"web": 1}) in seen and seen[-1] == (old, None), seen
