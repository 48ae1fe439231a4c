"""Apps, their releases, artifacts, keys."""

import base64
import hashlib
import re
import struct

from world import NOBODY, case, psql


@case
def an_app_is_made_and_written_as_clients_know_it(w):
    name = w.name()
    made = w.ask("POST", "/apps", {"name": name, "protected": False})
    app = made.exactly('{"id":"<id>","name":"%s","protected":false,"created_at":"<time>","updated_at":"<time>"}' % name)
    assert app["created_at"] == app["updated_at"]
    for ref in (name, app["id"]):
        assert w.get(f"/apps/{ref}").body == made.body


@case
def what_is_new_was_changed_when_it_was_made(w):
    _, app, release = w.living("web")
    rows = {"apps": "(name) SELECT 'time-' || n", "formations": f"(app_id, release_id) SELECT '{app}', '{release}'",
            "providers": "(name, url) SELECT 'time-' || n, 'time-' || n",
            "jobs": f"(job_id, host_id, app_id, release_id, type, state) SELECT 'time-' || n, 'time', '{app}', '{release}', 'web', 'down'",
            "scale_requests": f"(app_id, release_id, new_processes) SELECT '{app}', '{release}', '{{}}'"}
    assert psql("SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'updated_at'") == str(len(rows))
    for table, made in rows.items():
        n = 1 if table == "formations" else 500
        assert psql(f"BEGIN; INSERT INTO {table} {made} FROM generate_series(1, {n}) n; SELECT count(*) FROM {table}"
                    f" WHERE updated_at <> created_at AND xmin::text = pg_current_xact_id()::text; ROLLBACK") == "0", table


@case
def meta_is_kept_and_left_out_when_empty(w):
    name = w.name()
    w.ask("POST", "/apps", {"name": name, "meta": {"z": "1", "a": "ü"}, "protected": True}).exactly(
        '{"id":"<id>","name":"%s","protected":true,"meta":{"z":"1","a":"ü"},"created_at":"<time>","updated_at":"<time>"}' % name)
    a = w.ask("POST", f"/apps/{name}", {"meta": {}})
    assert a.status == 200 and "meta" not in a.json, a


@case
def an_empty_or_missing_name_is_generated(w):
    names = [w.ok("POST", "/apps", body)["name"] for body in ({"name": ""}, {}, {"protected": False}, {"name": None})]
    assert all(re.fullmatch("[a-z]+-[a-z]+-[a-z]+", n) for n in names) and len(set(names)) == len(names), names


@case
def names_are_groups_joined_by_single_dashes(w):
    for name in ("a", "0", "a-b", "x1-2y-z", "a" * 100):
        name = name if len(name) == 100 else f"{name}-{w.name()}"
        assert w.ask("POST", "/apps", {"name": name}).status == 200, name
    for name in ("A", "a_b", "a.b", "-a", "a-", "a--b", "a b", "ä", "a/b", "..", "a" * 101, "a\n", NOBODY):
        w.ask("POST", "/apps", {"name": name}).refuses("name")


@case
def a_name_is_taken_once(w):
    name = w.app()["name"]
    w.ask("POST", "/apps", {"name": name}).fails(409, "conflict")


@case
def apps_are_listed_newest_first(w):
    names = [w.app()["name"] for _ in range(3)]
    assert [a["name"] for a in w.ok("GET", "/apps")[:3]] == names[::-1]


@case
def an_update_takes_protected_and_meta_alone(w):
    app = w.app(meta={"old": "1"})
    a = w.ok("POST", f"/apps/{app['name']}", {"meta": {"new": "2"}, "protected": True, "name": "other", "id": NOBODY, "created_at": "x"})
    assert (a["id"], a["name"], a["meta"], a["protected"], a["created_at"]) == (app["id"], app["name"], {"new": "2"}, True, app["created_at"])
    a = w.ok("POST", f"/apps/{app['id']}", {"protected": False})
    assert a["meta"] == {"new": "2"} and a["protected"] is False
    assert w.ok("GET", f"/apps/{app['id']}")["meta"] == {"new": "2"}


@case
def an_app_is_deleted_by_id_and_by_name_with_all_that_is_its(w):
    for by in ("id", "name"):
        name, id, release = w.living()
        w.ok("PUT", f"/apps/{name}/formations/{release}", {"processes": {"web": 1}})
        w.ask("DELETE", f"/apps/{id if by == 'id' else name}").empty()
        for path in ("", "/release", "/formations", f"/formations/{release}", "/jobs", "/routes", "/resources"):
            for ref in (id, name):
                w.get(f"/apps/{ref}{path}").empty(404)
        w.ask("DELETE", f"/apps/{id}").empty(404)
        assert id not in [a["id"] for a in w.ok("GET", "/apps")]
        assert w.ok("POST", "/apps", {"name": name})["id"] != id
        w.ok("GET", f"/releases/{release}")  # it is nobody's


@case
def a_new_app_has_its_default_route_unless_it_is_protected(w):
    app, protected = w.app(), w.app(protected=True)
    routes = w.ok("GET", f"/apps/{app['name']}/routes")
    assert len(routes) == 1 and routes[0]["type"] == "http" and routes[0]["parent_ref"] == f"controller/apps/{app['id']}", routes
    assert routes[0]["config"] == {"domain": app["name"] + ".test.local", "service": app["name"] + "-web"}, routes
    w.get(f"/apps/{protected['name']}/routes").exactly("[]")


@case
def a_refused_app_leaves_no_route(w):
    name = w.app()["name"]
    w.ok("DELETE", f"/apps/{name}/routes/" + w.ok("GET", f"/apps/{name}/routes")[0]["id"])
    assert w.ask("POST", "/apps", {"name": name}).status == 409
    w.get(f"/apps/{name}/routes").exactly("[]")


# ---- artifacts ------------------------------------------------------------------------------

@case
def an_empty_artifact_is_taken(w):
    """What env-set begins with in an app that has no release."""
    a = w.ask("POST", "/artifacts", {}).exactly('{"id":"<id>","created_at":"<time>"}')
    w.get(f"/artifacts/{a['id']}").exactly('{"id":"<id>","created_at":"<time>"}')
    assert w.ok("POST", "/releases", {"artifact": a["id"], "env": {"A": "1"}})["env"] == {"A": "1"}


@case
def an_artifact_is_one_for_each_type_and_uri(w):
    uri = f"https://registry.hub.docker.com/flynn/slugrunner?id={w.name()}"
    first = w.ask("POST", "/artifacts", {"type": "docker", "uri": uri})
    a = first.exactly('{"id":"<id>","type":"docker","uri":"%s","created_at":"<time>"}' % uri)
    assert w.ask("POST", "/artifacts", {"type": "docker", "uri": uri}).body == first.body
    assert w.ask("POST", "/artifacts", {"type": "docker", "uri": uri, "id": ""}).body == first.body
    assert w.ok("POST", "/artifacts", {"uri": uri})["id"] != a["id"]
    assert w.ok("GET", "/artifacts")[1]["id"] == a["id"]
    assert w.get(f"/artifacts/{a['id']}").body == first.body


# ---- releases -------------------------------------------------------------------------------

@case
def the_newest_artifacts_are_listed(w):
    psql("SET session_replication_role = replica; INSERT INTO artifacts (type, uri) SELECT 'many', n FROM generate_series(1, 1000) n")
    last = w.artifact()
    listed = [a["id"] for a in w.ok("GET", "/artifacts")]
    psql("DELETE FROM artifacts WHERE type = 'many'")
    assert listed[0] == last and len(listed) == 1000, len(listed)


@case
def a_release_is_written_as_clients_know_it(w):
    artifact = w.artifact()
    processes = ('{"web":{"cmd":["start","web"],"env":{"SD_NAME":"x-web"},"ports":[{"port":0,"proto":"tcp","range_end":0}],"data":true,"omni":true},'
                 '"worker":{"cmd":["start","worker"]}}')
    made = w.ask("POST", "/releases", '{"artifact":"%s","env":{"Z":"1","A":"é","E":""},"processes":%s}' % (artifact, processes))
    r = made.exactly('{"id":"<id>","artifact":"%s","env":{"Z":"1","A":"é","E":""},"processes":%s,"created_at":"<time>"}' % (artifact, processes))
    assert w.get(f"/releases/{r['id']}").body == made.body
    assert w.ok("GET", "/releases")[0]["id"] == r["id"]


@case
def a_release_may_be_bare(w):
    artifact = w.artifact()
    for more in ({}, {"env": {}, "processes": {}}, {"env": None, "processes": None}, {"id": "", "created_at": "2014-08-16T01:02:03Z"}):
        w.ask("POST", "/releases", {"artifact": artifact, **more}).exactly('{"id":"<id>","artifact":"%s","created_at":"<time>"}' % artifact)


@case
def ports_always_have_their_three_members(w):
    for sent in ([{"proto": "tcp"}], [{}], {"tcp": 1}, {"tcp": 1, "udp": 0}):
        release = w.ok("POST", "/releases", {"artifact": w.artifact(), "processes": {"web": {"ports": sent}}})
        ports = release["processes"]["web"]["ports"]
        assert len(ports) == 1 and list(ports[0]) == ["port", "proto", "range_end"] and ports[0]["port"] == 0, ports
    release = w.ok("POST", "/releases", {"artifact": w.artifact(), "processes": {"web": {"ports": {}}}})
    assert "ports" not in release["processes"]["web"], release


@case
def a_release_can_be_sent_again_as_it_was_read(w):
    """env-set: the release with another env, its id blank, its created_at still there."""
    release = w.ok("GET", f"/releases/{w.release('web', env={'A': '1'})}")
    copy = w.ok("POST", "/releases", {**release, "id": "", "env": {"A": "2"}})
    assert copy["id"] != release["id"] and copy["processes"] == release["processes"] and copy["created_at"] != release["created_at"]


@case
def a_release_needs_an_artifact_that_is_there(w):
    w.ask("POST", "/releases", {}).refuses("artifact")
    w.ask("POST", "/releases", {"artifact": NOBODY}).refuses(None, "there is no artifact")


@case
def a_given_id_is_taken_once(w):
    artifact = w.artifact()
    id = w.release()
    w.ask("POST", "/releases", {"id": id, "artifact": artifact}).fails(409, "conflict")
    w.ask("POST", "/artifacts", {"id": artifact, "uri": "x"}).fails(409, "conflict")
    w.ask("POST", "/apps", {"id": w.app()["id"], "name": w.name()}).fails(409, "conflict")


@case
def an_apps_release_is_set_and_read(w):
    app, release = w.app()["name"], w.release("web")
    w.get(f"/apps/{app}/release").empty(404)
    a = w.ask("PUT", f"/apps/{app}/release", {"id": release})
    assert a.status == 200 and a.body == w.get(f"/releases/{release}").body == w.get(f"/apps/{app}/release").body
    a = w.ask("PUT", f"/apps/{app}/release", {"id": NOBODY})
    a.refuses(None)
    assert w.ok("GET", f"/apps/{app}/release")["id"] == release


@case
def setting_a_release_moves_the_only_formation(w):
    app, _, old = w.living("web", "worker")
    w.ok("PUT", f"/apps/{app}/formations/{old}", {"processes": {"web": 2, "worker": 1}})
    new = w.release("web", "worker")
    w.ok("PUT", f"/apps/{app}/release", {"id": new})
    got = w.ok("GET", f"/apps/{app}/formations")
    assert [(f["release"], f["processes"]) for f in got] == [(new, {"web": 2, "worker": 1})], got
    w.get(f"/apps/{app}/formations/{old}").empty(404)
    w.ok("PUT", f"/apps/{app}/release", {"id": new})  # again: nothing moves
    assert len(w.ok("GET", f"/apps/{app}/formations")) == 1


@case
def setting_a_release_starts_nothing_and_moves_none_of_two(w):
    app, _, first = w.living()
    second, third = w.release("web"), w.release("web")
    assert w.ok("GET", f"/apps/{app}/formations") == []
    for r in (first, second):
        w.ok("PUT", f"/apps/{app}/formations/{r}", {"processes": {"web": 1}})
    w.ok("PUT", f"/apps/{app}/release", {"id": third})
    assert {f["release"] for f in w.ok("GET", f"/apps/{app}/formations")} == {first, second}


# ---- keys -----------------------------------------------------------------------------------

def new_key(w, kind="ssh-ed25519"):
    def field(b):
        return struct.pack(">I", len(b)) + b
    w.n += 1
    wire = field(kind.encode()) + {"ssh-ed25519": field(w.n.to_bytes(32, "big")), "ssh-rsa": field(b"\1\0\1") + field(b"\0" + w.n.to_bytes(256, "big")),
                                   "ssh-dss": field(b"1" * 128) * 4,
                                   "ecdsa-sha2-nistp256": field(b"nistp256") + field(b"\4" + w.n.to_bytes(64, "big"))}[kind]
    return f"{kind} {base64.b64encode(wire).decode()}", hashlib.md5(wire).hexdigest()


@case
def keys_of_all_kinds_are_kept_apart_from_their_comment(w):
    for kind in ("ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp256", "ssh-ed25519"):
        key, fingerprint = new_key(w, kind)
        made = w.ask("POST", "/keys", {"key": f"{key} me@laptop of mine\n"})
        made.exactly('{"fingerprint":"%s","key":"%s","comment":"me@laptop of mine","created_at":"<time>"}' % (fingerprint, key))
        assert w.get(f"/keys/{fingerprint}").body == made.body
        assert w.ok("GET", "/keys")[0]["fingerprint"] == fingerprint
        assert w.ask("POST", "/keys", {"key": key + " other"}).status == 200  # a second time
        assert [k["fingerprint"] for k in w.ok("GET", "/keys")].count(fingerprint) == 1
        w.ask("DELETE", f"/keys/{fingerprint}").empty()
        w.get(f"/keys/{fingerprint}").empty(404)
        w.ask("DELETE", f"/keys/{fingerprint}").empty(404)
        w.ask("POST", "/keys", {"key": key}).exactly('{"fingerprint":"%s","key":"%s","created_at":"<time>"}' % (fingerprint, key))
        w.ok("DELETE", f"/keys/{fingerprint}")


@case
def the_first_of_several_keys_is_kept(w):
    """What ssh-add -L prints is sent whole."""
    (first, fingerprint), (second, _) = new_key(w), new_key(w, "ssh-rsa")
    for text in (f"{first} a\n{second} b\n", f"\n {first} a\r\n{second}", f"{first}\ta"):
        k = w.ok("POST", "/keys", {"key": text})
        assert (k["fingerprint"], k["key"], k["comment"]) == (fingerprint, first, "a"), k
        w.ok("DELETE", f"/keys/{fingerprint}")
    assert w.get(f"/keys/{':'.join(fingerprint[i:i + 2] for i in range(0, 32, 2))}").status == 404


@case
def what_is_no_key_is_refused(w):
    key, _ = new_key(w)
    for text in ("", "x", "ssh-rsa", "ssh-rsa !!!", key[:30], "ssh-rsa " + key.split()[1], "-----BEGIN RSA PRIVATE KEY-----\nx", key.split()[1]):
        w.ask("POST", "/keys", {"key": text}).refuses("key")
    w.ask("POST", "/keys", {}).refuses("key")
