"""What is kept and what goes by itself: old releases with their slugs and images, volumes."""

import json
import os
from urllib.parse import quote

from world import CLUSTER_KEY, HOST_ID, NOBODY, SHELF_PORT, Client, Stream, case, dashed, psql, wait_for


def slug(w):
    w.n += 1
    return f"/slugs/{os.getpid()}-{w.n}.tar.zst"


def put_slug(w, path):
    assert w.ask("PUT", path, b"slug", port=SHELF_PORT, key=CLUSTER_KEY).status == 200
    return f"http://shelf.discoverd:1112{path}?sig=x"


def blobs(w):
    return w.ask("GET", "/?dir=/slugs", port=SHELF_PORT, key=CLUSTER_KEY).json


def exists(w, release):
    return w.get(f"/releases/{release}").status == 200


class Kept:
    """An app that keeps two releases beside its current one, and sets one after the other."""

    def __init__(self, w, **meta):
        self.w = w
        self.app = w.app(meta={"gc.max_inactive_slug_releases": "2", **meta})
        self.name, self.id = self.app["name"], self.app["id"]
        self.slugs, self.releases = {}, []

    def release(self, path=None, **more):
        path = path or slug(self.w)
        r = self.w.release("web", env={"SLUG_URL": put_slug(self.w, path), "SECRET": "1"}, **more)
        self.slugs[r] = path
        return r

    def have(self, release=None):
        release = release or self.release()
        self.w.ok("PUT", f"/apps/{self.name}/release", {"id": release})
        self.releases.append(release)
        return release

    def left(self):
        return [r["id"] for r in self.w.ok("GET", f"/apps/{self.name}/releases")]


@case
def the_last_releases_can_be_gone_back_to_and_older_ones_go_with_their_slugs(w):
    k = Kept(w)
    with Stream(f"/events?app_id={k.id}&object_types=app_garbage_collection") as events:
        r = [k.have() for _ in range(5)]
        wait_for("the oldest to go", lambda: k.left() == r[:1:-1])
        wait_for("their slugs to go", lambda: not {k.slugs[x] for x in r[:2]} & set(blobs(w)))
        assert {k.slugs[x] for x in r[2:]} <= set(blobs(w))
        event, _, data = events.next()
        told = json.loads(data)
        assert event is None or event == "app_garbage_collection", event
        assert told["object_id"] == k.id and told["app"] == k.id, told
        assert told["data"]["error"] == "" and told["data"]["app_garbage_collection"]["app_id"] == k.id, told
        assert told["data"]["app_garbage_collection"]["deleted_releases"] == [r[0]], told
    w.get(f"/releases/{r[0]}").empty(404)
    w.ask("POST", f"/apps/{k.name}/deploy", {"id": r[0]}).refuses(None, "there is no release")
    w.ask("PUT", f"/apps/{k.name}/release", {"id": r[0]}).refuses(None, "there is no release")
    assert w.ok("GET", f"/releases/{r[2]}")["env"]["SECRET"] == "1"


@case
def a_slug_stays_while_one_release_has_it(w):
    k = Kept(w)
    shared = slug(w)
    first = k.have(k.release(shared))
    for _ in range(3):
        k.have()
    wait_for("its slug to go", lambda: not exists(w, first) and shared not in blobs(w))
    shared = slug(w)
    first = k.have(k.release(shared))
    for _ in range(2):
        k.have()
    last = k.have(k.release(shared))
    wait_for("the first to go", lambda: not exists(w, first))
    w.ask("POST", f"/apps/{k.name}/gc").empty()
    assert shared in blobs(w) and exists(w, last)


@case
def a_slug_is_needed_wherever_shelf_is_said_to_be(w):
    k = Kept(w, **{"gc.max_inactive_slug_releases": "0"})
    path = slug(w)
    put_slug(w, path)
    first = k.have(w.release("web", env={"SLUG_URL": f"http://192.0.2.1:1112{path}?sig=x"}))
    w.ask("POST", f"/apps/{k.name}/gc").empty()
    assert path in blobs(w)
    k.have()
    wait_for("it to go", lambda: not exists(w, first) and path not in blobs(w))


@case
def what_runs_or_is_asked_for_or_is_another_apps_stays(w):
    k, other = Kept(w), w.app()
    runs, shared, asked = k.have(), k.have(), k.have()
    job = w.job(k.name, runs)["id"]
    w.ok("PUT", f"/apps/{other['name']}/release", {"id": shared})
    w.ok("PUT", f"/apps/{k.name}/formations/{asked}", {"processes": {"web": 1}})
    w.ok("PUT", f"/apps/{k.name}/formations/{shared}", {"processes": {"web": 1}})  # so none follows the app's release
    for _ in range(4):
        k.have()
    w.ask("POST", f"/apps/{k.name}/gc").empty()
    assert exists(w, runs) and exists(w, shared) and exists(w, asked), (runs, shared, asked)
    w.ok("DELETE", f"/apps/{k.name}/formations/{asked}")
    w.ok("PUT", f"/apps/{k.name}/jobs/{job}", {"id": job, "release": runs, "type": "web", "state": "down"})
    w.ask("POST", f"/apps/{k.name}/gc").empty()
    assert not exists(w, runs) and exists(w, shared) and not exists(w, asked), (runs, shared, asked)


@case
def an_app_may_keep_everything(w):
    k = Kept(w, **{"gc.max_inactive_slug_releases": "false"})
    r = [k.have() for _ in range(14)]
    w.ask("POST", f"/apps/{k.name}/gc").empty()
    assert k.left() == r[::-1]
    w.ok("POST", f"/apps/{k.name}", {"meta": {}})  # ten, unless the app says so
    w.ask("POST", f"/apps/{k.id}/gc").empty()
    assert k.left() == r[:2:-1], len(k.left())
    w.ask("POST", "/apps/nobody/gc").empty(404)


@case
def an_image_that_no_release_names_is_taken_from_the_hosts(w):
    k = Kept(w, **{"gc.max_inactive_slug_releases": "0"})
    first = k.have(w.release("web"))
    artifact = w.ok("GET", f"/releases/{first}")["artifact"]
    uri = w.ok("GET", f"/artifacts/{artifact}")["uri"]
    k.have(w.release("web"))
    wait_for("the host to be asked", lambda: f"/host/images?uri={quote(uri, safe='')}" in w.host("/removed").json)
    assert not exists(w, first)


@case
def an_images_name_becomes_the_artifact_that_it_means_now(w):
    uri = f"docker:///{w.name()}?tag=v1"
    with Stream(f"/images?uri={quote(uri, safe='')}") as s:
        event, _, data = s.next()
        got = json.loads(data)
        assert event == "image" and got["cmd"] == ["/x"], (event, got)
        assert got["artifact"] == w.ok("GET", f"/artifacts/{got['artifact']['id']}") and got["artifact"]["uri"] == uri + "&id=sha256:1"
        assert s.next() is None
    with Stream("/images?uri=docker%3A%2F%2F%2Fnope") as s:
        event, _, data = s.next()
        assert event == "error" and json.loads(data) == {"code": "not_found", "message": "look for the image: image nope is not on this host"}, data
    w.get("/images").refuses("uri")
    w.get(f"/images?uri={'x' * 2000}").refuses("uri")


class Data:
    def __init__(self, w, type, **type_says):
        self.w = w
        self.app = w.app()
        self.name, self.id = self.app["name"], self.app["id"]
        self.release = w.ok("POST", "/releases", {"artifact": w.artifact(), "processes": {type: type_says}})["id"]

    def volumes(self):
        return self.w.ok("GET", f"/apps/{self.name}/volumes")


@case
def a_volume_is_noted_with_its_first_job(w):
    d = Data(w, "web", data=True, volumes=[{"path": "/srv/files"}, {"path": "/shared", "name": "own"}])
    w.get(f"/apps/{d.name}/volumes").exactly("[]")
    for _ in range(2):
        w.job(d.name, d.release, state="starting")
    got = {v["path"]: v for v in d.volumes()}
    assert set(got) == {"/data", "/srv/files", "/shared"}, got
    v = got["/data"]
    w.get(f"/apps/{d.id}/volumes/{dashed(v['id'])}").exactly(
        '{"id":"<id>","host_id":"%s","app":"%s","job_type":"web","path":"/data","state":"created","created_at":"<time>"}' % (HOST_ID, d.id))
    assert got["/shared"]["name"] == "own"
    assert v in w.ok("GET", "/volumes")
    for path in (f"/apps/{d.name}/volumes/x", f"/apps/{d.name}/volumes/{NOBODY}", f"/apps/{w.app()['name']}/volumes/{v['id']}", "/apps/nobody/volumes"):
        w.get(path).empty(404)


@case
def schedulers_are_told_where_a_volume_is(w):
    d = Data(w, "web", data=True)
    w.ok("PUT", f"/apps/{d.name}/formations/{d.release}", {"processes": {"web": 1}})
    with Stream("/formations") as s:
        mine = s.until(lambda e: json.loads(e[2]).get("app", {}).get("id") == d.id)[-1]
        assert "volumes" not in json.loads(mine[2])
        w.job(d.name, d.release, state="starting")
        mine = s.until(lambda e: json.loads(e[2]).get("app", {}).get("id") == d.id and "volumes" in json.loads(e[2]))[-1]
        assert json.loads(mine[2])["volumes"] == [{"type": "web", "path": "/data", "host_id": HOST_ID}], mine


@case
def what_was_said_of_volumes_while_nobody_listened_is_told(w):
    d = Data(w, "web", data=True)
    w.ok("PUT", f"/apps/{d.name}/formations/{d.release}", {"processes": {"web": 1}})
    w.job(d.name, d.release)
    with Stream("/formations") as s:
        def told(true):
            return s.until(lambda e: json.loads(e[2]).get("app", {}).get("id") == d.id and true(json.loads(e[2])))
        psql(f"UPDATE formations SET updated_at = now() - interval '1 hour' WHERE app_id = '{d.id}'")
        told(lambda f: f["updated_at"].replace("T", " ") < psql("SELECT now() AT TIME ZONE 'UTC' - interval '30 minutes'"))
        psql(f"UPDATE volumes SET decommissioned_at = now() WHERE app_id = '{d.id}'")
        psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        told(lambda f: "decommissioned" in f and "volumes" not in f)


@case
def a_volume_is_removed_with_its_data(w):
    d = Data(w, "web", data=True, volumes=[{"path": "/srv/files"}])
    w.job(d.name, d.release)
    got = {v["path"]: v["id"] for v in d.volumes()}
    w.ask("DELETE", f"/apps/{d.name}/volumes/{got['/srv/files']}").empty()
    assert f"/host/volumes/{d.id}-web.srv.files" in w.host("/removed").json
    assert [v["path"] for v in d.volumes()] == ["/data"]
    w.ask("DELETE", f"/apps/{d.name}/volumes/{got['/srv/files']}").empty(404)
    busy = Data(w, "busy", data=True)
    w.job(busy.name, busy.release, type="busy")
    w.ask("DELETE", f"/apps/{busy.name}/volumes/{busy.volumes()[0]['id']}").fails(409, "conflict")
    assert len(busy.volumes()) == 1


@case
def a_volume_that_is_decommissioned_is_not_given_to_new_jobs(w):
    d = Data(w, "web", data=True, volumes=[{"path": "/srv/files"}])
    w.ok("PUT", f"/apps/{d.name}/formations/{d.release}", {"processes": {"web": 1}})
    w.job(d.name, d.release)
    old = {v["path"]: v for v in d.volumes()}["/data"]
    path = f"/apps/{d.name}/volumes/{old['id']}"
    with Stream("/formations") as s:
        def told(true):
            return s.until(lambda e: json.loads(e[2]).get("app", {}).get("id") == d.id and true(json.loads(e[2])))
        told(lambda f: len(f.get("volumes", [])) == 2)
        first = w.ask("PUT", f"{path}/decommission", old)  # as they send it
        first.exactly('{"id":"<id>","host_id":"%s","app":"%s","job_type":"web","path":"/data","state":"created","created_at":"<time>",'
                      '"decommissioned_at":"<time>"}' % (HOST_ID, d.id))
        told(lambda f: [v["path"] for v in f.get("volumes", [])] == ["/srv/files"] and f.get("decommissioned") == [
            {"type": "web", "path": "/data", "host_id": HOST_ID, "n": 1}])
    assert w.ask("PUT", f"{path}/decommission").body == first.body == w.get(path).body
    w.job(d.name, d.release)
    new = next(v for v in d.volumes() if v["path"] == "/data" and "decommissioned_at" not in v)
    assert new["id"] != old["id"] and len(d.volumes()) == 3
    for v, name in ((new, "web_v1"), (old, "web")):
        w.ask("DELETE", f"/apps/{d.name}/volumes/{v['id']}").empty()
        assert w.host("/removed").json[-1] == f"/host/volumes/{d.id}-{name}"
    w.job(d.name, d.release)
    w.ask("DELETE", f"/apps/{d.name}/volumes/" + next(v["id"] for v in d.volumes() if v["path"] == "/data")).empty()
    assert w.host("/removed").json[-1] == f"/host/volumes/{d.id}-web_v1"
    for path in (f"/apps/{d.name}/volumes/x", f"/apps/{d.name}/volumes/{NOBODY}", f"/apps/{w.app()['name']}/volumes/{new['id']}"):
        w.ask("PUT", f"{path}/decommission", {}).empty(404)


@case
def the_volumes_of_a_deleted_app_go(w):
    d = Data(w, "web", data=True)
    job = w.job(d.name, d.release)["id"]
    w.ok("PUT", f"/apps/{d.name}/jobs/{job}", {"id": job, "release": d.release, "type": "web", "state": "down"})
    w.ask("DELETE", f"/apps/{d.name}").empty()
    wait_for("its volume to go", lambda: f"/host/volumes/{d.id}-web" in w.host("/removed").json)
    wait_for("its record to go", lambda: d.id not in [v["app"] for v in w.ok("GET", "/volumes")])


@case
def what_was_not_to_go_yet_goes_when_it_is_due(w):
    d = Data(w, "web", data=True)
    w.job(d.name, d.release, state="down")
    w.job(d.name, d.release, state="starting")
    later = psql(f"INSERT INTO garbage (kind, ref, due_at, tries) SELECT 'volume', volume_id::text, now() + interval '1 s', 2 FROM volumes"
                 f" WHERE app_id = '{d.id}' RETURNING ref")
    psql("NOTIFY garbage, ''")  # nothing is due, so whoever looks now finds nothing
    wait_for("the volume to go", lambda: psql(f"SELECT count(*) FROM garbage WHERE ref = '{later}'") == "0")
    assert f"/host/volumes/{d.id}-web" in w.host("/removed").json


@case
def a_volume_goes_that_is_heard_of_behind_its_apps_end(w):
    """The job was on its way to its host when the app was deleted: what it made there is noted with what is told of it."""
    first, again = Data(w, "web", data=True), Data(w, "web", data=True)
    w.job(again.name, again.release, state="down")
    w.job(again.name, again.release, state="starting")
    for d in (first, again):
        w.ask("DELETE", f"/apps/{d.name}").empty()
    wait_for("the volume that was known to go", lambda: f"/host/volumes/{again.id}-web" in w.host("/removed").json)
    for d in (first, again):
        before = w.host("/removed").json.count(f"/host/volumes/{d.id}-web")
        wait_for("its record to go", lambda: d.id not in [v["app"] for v in w.ok("GET", "/volumes")])
        job = f"{HOST_ID}-{os.urandom(16).hex()}"
        w.ask("PUT", f"/apps/{d.id}/jobs/{job}", {"id": job, "release": d.release, "type": "web", "state": "starting"}).empty(404)
        wait_for("the volume to go", lambda: w.host("/removed").json.count(f"/host/volumes/{d.id}-web") > before)
        wait_for("its record to go", lambda: d.id not in [v["app"] for v in w.ok("GET", "/volumes")])


@case
def a_job_that_is_told_of_while_its_app_is_deleted_is_none(w):
    d = Data(w, "web", data=True)
    job = f"{HOST_ID}-{os.urandom(16).hex()}"
    deleting = psql(f"BEGIN; UPDATE apps SET deleted_at = now() WHERE app_id = '{d.id}';"
                    " DO $$ BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END $$; COMMIT", wait=False)
    deletion = f"FROM pg_stat_activity WHERE query LIKE '%{d.id}%' AND wait_event = 'PgSleep'"
    waiting = "FROM pg_stat_activity WHERE query LIKE 'SELECT a.app_id, r.release_id%' AND wait_event_type = 'Lock'"
    wait_for("the deletion to begin", lambda: psql(f"SELECT count(*) {deletion}") == "1")
    with Client() as c:
        c.ask("PUT", f"/apps/{d.id}/jobs/{job}", {"id": job, "release": d.release, "type": "web", "state": "starting"})
        wait_for("the job to wait for it", lambda: psql(f"SELECT count(*) {waiting}") == "1")
        psql(f"SELECT pg_cancel_backend(pid) {deletion}")
        c.read_answer().empty(404)
    assert deleting.wait() == 0 and psql(f"SELECT count(*) FROM jobs WHERE app_id = '{d.id}'") == "0"


@case
def limits_and_volumes_are_checked(w):
    artifact = w.artifact()
    for says, words in (({"resources": {"memory": 1}}, "a limit of memory is from"), ({"resources": {"memory": "1GB"}}, "memory"),
                        ({"resources": {"cpu": {"limit": 5}}}, "a limit of cpu is from"), ({"resources": {"cpu": -1}}, "cpu"),
                        ({"volumes": [1]}, "must be an object"), ({"volumes": [{"path": "data"}]}, "is no path"),
                        ({"volumes": [{"path": "/a/../b"}]}, "is no path"), ({"volumes": [{"path": "/"}]}, "is no path"),
                        ({"data": True, "volumes": [{}]}, "two volumes are at /data"), ({"volumes": [{"path": "/a", "name": "../b"}]}, "is no name"),
                        ({"volumes": [{"path": f"/{i}"} for i in range(17)]}, "at most 16")):
        w.ask("POST", "/releases", {"artifact": artifact, "processes": {"web": says}}).refuses("processes", words)
    for says in ({"memory": {"limit": 536870912, "request": 1}, "cpu": {"limit": 500}, "max_fd": {"limit": 3}}, {"memory": 536870912, "cpu": 500}, {"cpu": 0}):
        assert w.ok("POST", "/releases", {"artifact": artifact, "processes": {"web": {"resources": says}}})["processes"]["web"]["resources"] == says
