"""Providers, resources, routes."""

import hashlib
import random

from world import CLUSTER_KEY, NOBODY, ROUTER_PORT, case, psql, wait_for


def provider(w, url=None):
    return w.ok("POST", "/providers", {"name": w.name(), "url": url or f"discoverd+http://postgres-api/databases?{w.name()}"})


@case
def a_provider_is_written_as_clients_know_it(w):
    name = w.name()
    made = w.ask("POST", "/providers", {"name": name, "url": f"discoverd+http://{name}/databases"})
    p = made.exactly('{"id":"<id>","url":"discoverd+http://%s/databases","name":"%s","created_at":"<time>","updated_at":"<time>"}' % (name, name))
    for ref in (name, p["id"]):
        assert w.get(f"/providers/{ref}").body == made.body
    assert w.ok("GET", "/providers")[0]["id"] == p["id"]
    w.ask("POST", "/providers", {"name": name, "url": "http://x/" + name}).fails(409, "conflict")
    w.ask("POST", "/providers", {"name": w.name(), "url": f"discoverd+http://{name}/databases"}).fails(409, "conflict")


@case
def a_blank_provider_is_refused(w):
    w.ask("POST", "/providers", {"url": "http://x/y"}).refuses("name")
    w.ask("POST", "/providers", {"name": "", "url": "http://x/y"}).refuses("name")
    for url in ("", "x", "ftp://x/y"):
        w.ask("POST", "/providers", {"name": w.name(), "url": url}).refuses("url")


@case
def a_resource_is_made_for_apps_named_either_way(w):
    one, two, p = w.app(), w.app(), provider(w)
    path = f"/providers/{p['name']}/resources"
    assert w.get(path).text in ("[]", "null") and w.get(f"/apps/{one['name']}/resources").text in ("[]", "null")
    made = w.ask("POST", path, {"apps": [one["name"], two["id"]], "config": None})
    r = made.json
    assert made.status == 200 and set(r) - {"provider"} == {"id", "provider_id", "external_id", "env", "apps", "created_at"}, r
    assert r["provider_id"] == p["id"] and sorted(r["apps"]) == sorted([one["id"], two["id"]]) and r["external_id"].startswith("/databases/")
    assert r["env"] == {"FLYNN_POSTGRES": "postgres", "PGUSER": "u"}, r
    assert r.get("provider", p["id"]) == p["id"]  # what it is called from 2015 on
    assert w.get(f"/providers/{p['id']}/resources/{r['id']}").json == r
    for list in (path, f"/apps/{one['name']}/resources", f"/apps/{two['name']}/resources"):
        assert w.ok("GET", list) == [r]


@case
def the_apps_of_a_resource_are_found_by_an_index(w):
    plan = psql(f"SET enable_seqscan = off; SET enable_bitmapscan = off; EXPLAIN SELECT app_id FROM app_resources WHERE resource_id = '{NOBODY}'")
    assert "using app_resources_resource " in plan, plan


@case
def a_resource_may_be_for_nobody_and_of_an_empty_body(w):
    p = provider(w)
    for body in (None, {}, {"apps": []}, {"config": {"a": [1]}}):
        r = w.ok("POST", f"/providers/{p['name']}/resources", body)
        assert "apps" not in r, r
    w.ask("POST", f"/providers/{p['name']}/resources", {"apps": ["nobody"]}).refuses(None, "there is no app")
    assert len(w.ok("GET", f"/providers/{p['name']}/resources")) == 4


@case
def the_provider_gets_the_config(w):
    p = provider(w)
    for body, want in ((None, {}), ({}, {}), ({"config": None}, {}), ({"config": {"a": [1, {"b": None}]}}, {"a": [1, {"b": None}]}), ({"config": [1]}, [1])):
        r = w.ok("POST", f"/providers/{p['name']}/resources", body)
        got = w.ask("GET", "/configs", port=ROUTER_PORT, key=CLUSTER_KEY).json[r["external_id"]]
        assert got == want, (body, got)


@case
def a_resource_is_recorded_once(w):
    app, p = w.app(), provider(w)
    id = "%032x" % (0xbeef << 100 | w.n)
    path = f"/providers/{p['name']}/resources/{id}"
    r = w.ok("PUT", path, {"id": id, "external_id": "/databases/x", "env": {"A": "b"}, "apps": [app["name"]]})
    assert (r["id"], r["provider_id"], r["external_id"], r["env"], r["apps"]) == (id, p["id"], "/databases/x", {"A": "b"}, [app["id"]]), r
    w.ask("PUT", path, {"external_id": "/databases/y"}).fails(409, "conflict")
    assert w.ok("GET", path) == r
    w.get(f"/providers/{provider(w)['name']}/resources/{id}").empty(404)


@case
def what_cannot_be_recorded_is_given_back(w):
    def databases():
        return w.ask("GET", "/databases", port=ROUTER_PORT, key=CLUSTER_KEY).json

    p, before = provider(w), databases()
    path = f"/providers/{p['name']}/resources"
    long = "/databases/" + random.randbytes(8000).hex()  # more than an index takes
    a = w.ask("POST", path, {"config": {"id": long}})
    assert a.status >= 500, a
    wait_for("it to be given back", lambda: databases() == before)
    known = w.ok("POST", path, {"config": {"id": f"/databases/{w.name()}"}})["external_id"]
    w.ask("POST", path, {"config": {"id": known}}).fails(409, "conflict")
    assert known in databases()  # it is another's
    assert [r["external_id"] for r in w.ok("GET", path)] == [known]


@case
def a_provider_that_is_not_there_is_unavailable(w):
    p = provider(w, "discoverd+http://nowhere/" + w.name())
    w.ask("POST", f"/providers/{p['name']}/resources", {}).fails(503, "unavailable")
    assert w.get(f"/providers/{p['name']}/resources").text in ("[]", "null")


# ---- routes ---------------------------------------------------------------------------------

@case
def an_http_route_is_made_read_and_removed(w):
    app, domain = w.app(), f"{w.name()}.example.com"
    path = f"/apps/{app['name']}/routes"
    made = w.ask("POST", path, {"type": "http", "config": {"domain": domain, "service": f"{app['name']}-web", "sticky": True}})
    r = made.json
    assert made.status == 200 and r["id"] == "http/" + hashlib.md5(domain.encode()).hexdigest() and r["type"] == "http", r
    assert r["parent_ref"] == f"controller/apps/{app['id']}" and r["config"]["sticky"] is True, r
    assert (r["config"]["domain"], r["config"]["service"]) == (domain, f"{app['name']}-web"), r
    got = w.get(f"{path}/{r['id']}")  # the slash is sent as it is
    assert got.status == 200 and got.json == r
    assert r["id"] in [x["id"] for x in w.ok("GET", path)]
    w.ask("POST", path, {"type": "http", "config": {"domain": domain, "service": "x"}}).fails(409, "conflict")
    other = w.app()["name"]
    w.get(f"/apps/{other}/routes/{r['id']}").empty(404)
    w.ask("DELETE", f"/apps/{other}/routes/{r['id']}").empty(404)
    w.ask("DELETE", f"{path}/{r['id']}").empty()
    w.get(f"{path}/{r['id']}").empty(404)
    w.ask("DELETE", f"{path}/{r['id']}").empty(404)


@case
def a_tcp_route_gets_a_port(w):
    app = w.app()
    path = f"/apps/{app['name']}/routes"
    r = w.ok("POST", path, {"type": "tcp", "config": {"port": 0, "service": "x"}})
    assert r["type"] == "tcp" and r["config"]["port"] > 0 and r["config"]["service"] == "x", r
    assert r["id"] == "tcp/" + hashlib.md5(str(r["config"]["port"]).encode()).hexdigest(), r
    assert w.ok("GET", f"{path}/{r['id']}") == r
    w.ask("DELETE", f"{path}/{r['id']}").empty()


@case
def what_a_client_says_of_id_and_parent_is_ignored(w):
    app, domain = w.app(), f"{w.name()}.example.com"
    r = w.ok("POST", f"/apps/{app['name']}/routes", {"id": "http/" + NOBODY, "parent_ref": "controller/apps/" + NOBODY, "type": "http",
                                                     "config": {"domain": domain, "service": "x"}, "created_at": "2001-01-01T00:00:00Z"})
    assert r["parent_ref"] == f"controller/apps/{app['id']}" and r["id"] != "http/" + NOBODY, r


@case
def what_the_router_refuses_is_refused_in_its_words(w):
    w.ask("POST", f"/apps/{w.app()['name']}/routes", {"type": "http", "config": {}}).refuses("config.domain", "must not be blank")
