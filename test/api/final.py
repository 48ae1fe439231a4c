"""What clients of the final version (2021) ask for of the same objects."""

import json
import time

from world import CLUSTER_KEY, KEY, NOBODY, OTHER_PORT, ROUTER_PORT, Stream, case, dashed, wait_for

LIST = [("Accept", "application/json")]


# ---- releases, resources --------------------------------------------------------------------

@case
def a_release_of_theirs_has_artifacts_an_app_and_meta(w):
    app, one, two = w.app(), w.artifact(), w.artifact()
    made = w.ask("POST", "/releases", {"app_id": app["id"], "artifacts": [dashed(one), two], "env": {"A": "1"}, "meta": {"git": "true"},
                                       "processes": {"web": {"args": ["/bin/web"]}}})
    r = made.exactly('{"id":"<id>","artifact":"%s","artifacts":["%s","%s"],"app_id":"%s","env":{"A":"1"},"processes":{"web":{"args":["/bin/web"]}},'
                     '"meta":{"git":"true"},"created_at":"<time>"}' % (one, one, two, app["id"]))
    assert w.get(f"/releases/{r['id']}").body == made.body
    assert w.ok("POST", "/releases", {**r, "id": ""})["artifacts"] == [one, two]  # as it was read
    for artifacts in ([NOBODY], [one, NOBODY], ["x"], [1], "x", {}):
        w.ask("POST", "/releases", {"artifacts": artifacts}).refuses("artifacts")


@case
def an_apps_releases_are_those_made_for_it_and_those_it_had(w):
    app, _, first = w.living("web")
    made = w.ok("POST", "/releases", {"app_id": app, "artifact": w.artifact()})["id"]
    second = w.release("web")
    w.release("web")  # nobody's
    w.ok("PUT", f"/apps/{app}/release", {"id": second})
    w.ok("PUT", f"/apps/{app}/release", {"id": first})
    got = w.ok("GET", f"/apps/{app}/releases")
    assert [(r["id"], r.get("version")) for r in got] == [(second, 2), (made, None), (first, 1)], got
    assert {**w.ok("GET", f"/releases/{second}"), "version": 2} == got[0], got
    w.get(f"/apps/{w.app()['name']}/releases").exactly("[]")
    w.get("/apps/nobody/releases").empty(404)


@case
def a_release_is_deleted_unless_it_is_in_use(w):
    app, id, first = w.living("web")
    other, _, _ = w.living("web")
    second = w.release("web")
    w.ask("DELETE", f"/apps/{app}/releases/{first}").refuses(None, "the app's release now")
    w.ok("PUT", f"/apps/{app}/release", {"id": second})
    w.ok("PUT", f"/apps/{app}/formations/{first}", {"processes": {"web": 1}})
    w.ask("DELETE", f"/apps/{app}/releases/{first}").refuses(None, "scale it to none")
    w.ok("PUT", f"/apps/{app}/formations/{first}", {"processes": {"web": 0}})
    for whose, release in ((other, first), (app, NOBODY), (app, "x"), ("nobody", first)):
        w.ask("DELETE", f"/apps/{whose}/releases/{release}").empty(404)
    with Stream(f"/events?app_id={app}&object_types=release_deletion&object_id={first}") as s:
        w.ask("DELETE", f"/apps/{app}/releases/{dashed(first)}").empty()
        e = json.loads(s.next()[2])
    assert e["object_id"] == first and e["data"] == {
        "release_deletion": {"app": id, "release": first, "remaining_apps": [], "deleted_files": []}, "error": ""}, e
    w.get(f"/releases/{first}").empty(404)
    w.get(f"/apps/{app}/formations/{first}").empty(404)
    assert [r["id"] for r in w.ok("GET", f"/apps/{app}/releases")] == [second]
    w.ask("DELETE", f"/apps/{app}/releases/{first}").empty(404)
    third = w.release("web")
    for r in (third, second):
        w.ok("PUT", f"/apps/{app}/release", {"id": r})
    assert w.ok("GET", f"/apps/{app}/releases")[0]["version"] == 3  # no number is used twice
    # One that another app has too stays for that one.
    w.ok("PUT", f"/apps/{other}/release", {"id": third})
    w.ask("DELETE", f"/apps/{app}/releases/{third}").empty()
    assert [r["id"] for r in w.ok("GET", f"/apps/{app}/releases")] == [second]
    assert w.ok("GET", f"/apps/{other}/release")["id"] == third == w.ok("GET", f"/releases/{third}")["id"]


@case
def what_is_not_here_says_what_to_do_instead(w):
    for method, path, words in (("GET", "/backup", "volumes"), ("PUT", "/domain", "routes"), ("GET", "/sinks", "follow=true"), ("POST", "/sinks", "follow=true"),
                                ("DELETE", f"/sinks/{NOBODY}", "follow=true")):
        a = w.ask(method, path, {} if method in ("PUT", "POST") else None)
        a.fails(501, "not_implemented")
        assert words in a.json["message"], a


@case
def all_resources_are_listed(w):
    p = w.ok("POST", "/providers", {"name": w.name(), "url": f"http://postgres-api.discoverd/databases?{w.name()}"})
    r = w.ok("POST", f"/providers/{p['id']}/resources", {"apps": [w.app()["id"]]})
    assert w.ok("GET", "/resources")[0] == r and r["provider"] == p["id"]


@case
def a_resource_is_given_back(w):
    app, p = w.app(), w.ok("POST", "/providers", {"name": w.name(), "url": f"http://postgres-api.discoverd/databases?{w.name()}"})
    path = f"/providers/{p['name']}/resources"
    r = w.ok("POST", path, {"apps": [app["name"]]})

    def databases():
        return w.ask("GET", "/databases", port=ROUTER_PORT, key=CLUSTER_KEY).json

    assert r["external_id"] in databases()
    assert w.ok("DELETE", f"{path}/{dashed(r['id'])}") == r
    assert r["external_id"] not in databases()
    w.get(f"{path}/{r['id']}").empty(404)
    assert w.ok("GET", path) == [] == w.ok("GET", f"/apps/{app['name']}/resources")
    assert listed(w, f"app_id={app['name']}&object_types=resource_deletion")[0]["object_id"] == r["id"]
    w.ask("DELETE", f"{path}/{r['id']}").empty(404)
    # One that the provider has lost already, and one that it keeps.
    for external, status in (("/databases/lost", 200), ("/databases/busy", 500)):
        id = "%032x" % (0xcafe << 100 | w.n)
        w.n += 1
        w.ok("PUT", f"{path}/{id}", {"external_id": external, "apps": [app["id"]]})
        assert w.ask("DELETE", f"{path}/{id}").status == status
        assert (w.get(f"{path}/{id}").status == 200) == (status == 500)


@case
def a_resource_gets_and_loses_apps(w):
    one, two, p = w.app(), w.app(), w.ok("POST", "/providers", {"name": w.name(), "url": f"http://postgres-api.discoverd/databases?{w.name()}"})
    r = w.ok("POST", f"/providers/{p['id']}/resources", {"apps": [one["id"]]})
    path = f"/providers/{p['id']}/resources/{r['id']}/apps"
    for _ in range(2):
        assert sorted(w.ok("PUT", f"{path}/{two['name']}")["apps"]) == sorted([one["id"], two["id"]])
        assert len(w.ok("GET", f"/apps/{two['name']}/resources")) == 1
    for _ in range(2):
        assert w.ok("DELETE", f"{path}/{one['name']}")["apps"] == [two["id"]]
        assert w.ok("GET", f"/apps/{one['name']}/resources") == []
    assert len(w.ok("PUT", f"{path}/{one['id']}")["apps"]) == 2
    w.ask("PUT", f"{path}/nobody").empty(404)
    w.ask("PUT", f"/providers/{p['id']}/resources/{NOBODY}/apps/{one['id']}").empty(404)


@case
def meta_status_and_live_jobs_are_where_they_look(w):
    app, _, release = w.living("web")
    assert w.ok("POST", f"/apps/{app}/meta", {"meta": {"a": "b"}})["meta"] == {"a": "b"}
    assert "meta" not in w.ok("POST", f"/apps/{app}/meta", {"meta": {}})
    assert w.ok("GET", "/.well-known/status")["data"]["status"] == "healthy"
    w.get("/.well-known/status", key=None).empty(401)
    up, down = w.job(app, release), w.job(app, release, "down")
    live = [j["id"] for j in w.ok("GET", "/active-jobs")]
    assert up["id"] in live and down["id"] not in live
    w.ok("PUT", f"/apps/{app}/jobs/{up['id']}", {"state": "down"})


# ---- routes ---------------------------------------------------------------------------------

@case
def routes_are_taken_and_told_in_the_flat_form_too(w):
    app, domain = w.app(), f"{w.name()}.example.com"
    path = f"/apps/{app['name']}/routes"
    r = w.ok("POST", path, {"type": "http", "service": "x-web", "domain": domain, "sticky": True, "parent_ref": "nonsense"})
    assert (r["type"], r["service"], r["domain"], r["sticky"]) == ("http", "x-web", domain, True), r
    assert r["config"] == {"service": "x-web", "domain": domain, "sticky": True} and r["parent_ref"] == f"controller/apps/{app['id']}", r
    for where in (f"{path}/{r['id']}", f"{path}/http/{r['id']}"):  # they put the type before an id that has it
        assert w.ok("GET", where) == r
    assert r in w.ok("GET", path) and r in w.ok("GET", "/routes")
    w.get(f"{path}/tcp/{r['id']}").empty(404)
    w.ask("DELETE", f"{path}/http/{r['id']}").empty()
    w.get(f"{path}/{r['id']}").empty(404)
    t = w.ok("POST", path, {"type": "tcp", "service": "x", "port": 0})
    assert t["port"] == t["config"]["port"] > 0, t


@case
def a_certificate_comes_as_they_send_it(w):
    r = w.ok("POST", f"/apps/{w.app()['name']}/routes", {"type": "http", "domain": f"{w.name()}.example.com", "service": "x",
                                                         "certificate": {"cert": "CERT", "key": "KEY"}})
    assert r["config"]["tls_cert"] == "CERT" == r["tls_cert"], r


@case
def a_route_is_updated_in_either_form(w):
    app, domain = w.app(), f"{w.name()}.example.com"
    path = f"/apps/{app['name']}/routes"
    r = w.ok("POST", path, {"type": "http", "config": {"domain": domain, "service": "one"}})
    for body in ({**r, "service": "two", "config": None}, {"config": {"service": "three"}}, {"service": "four", "domain": domain, "parent_ref": "x"}):
        body = {k: v for k, v in body.items() if v is not None}
        got = w.ok("PUT", f"{path}/{r['id']}", body)
        want = body.get("service") or body["config"]["service"]
        assert (got["id"], got["service"], got["config"]["service"], got["parent_ref"]) == (r["id"], want, want, r["parent_ref"]), got
        assert w.ok("GET", f"{path}/{r['id']}") == got
    assert w.ask("PUT", f"{path}/{r['id']}", {"domain": "other.example.com"}).status == 400
    w.ask("PUT", f"/apps/{w.app()['name']}/routes/{r['id']}", {"service": "x"}).empty(404)
    w.ask("PUT", f"{path}/http/{NOBODY}", {"service": "x"}).empty(404)


@case
def changes_of_routes_are_events(w):
    app = w.app()
    path = f"/apps/{app['name']}/routes"
    with Stream(f"/events?app_id={app['name']}&object_types=route,route_deletion") as s:
        made = w.ok("POST", path, {"type": "http", "domain": f"{w.name()}.example.com", "service": "x"})
        changed = w.ok("PUT", f"{path}/{made['id']}", {"service": "y"})
        w.ok("GET", f"{path}/{made['id']}")
        w.ok("DELETE", f"{path}/{made['id']}")
        seen = [json.loads(s.next()[2]) for _ in range(3)]
        assert [(e["object_type"], e["object_id"], e["data"]) for e in seen] == [
            ("route", made["id"], made), ("route", made["id"], changed), ("route_deletion", made["id"], changed)], seen


@case
def requests_of_an_apps_routes_are_what_the_router_tells(w):
    """What of them, and of several routers, test_requests.sh asks the router itself."""
    app = w.app()
    path = f"/apps/{app['name']}/requests"
    want = f"/requests?parent_ref=controller/apps/{app['id']}"
    a = w.get(path + "?limit=3&host=a.b")
    assert a.status == 200 and a.json == [{"path": want + "&host=a.b&limit=3", "time": "2014-08-16T01:02:03Z"}], a
    with Stream(path) as s:
        assert json.loads(s.next()[2])[0]["path"] == want + "&limit=0"
    for headers in ([], [("Accept", "text/event-stream")]):
        w.get(path + "?status=x", headers=headers).refuses(None, "is no status")
        w.get(path + "?limit=x", headers=headers).refuses("limit")
        w.get("/apps/nobody/requests", headers=headers).empty(404)


@case
def the_certificate_of_the_api_is_open_to_all(w):
    w.get("/ca-cert", key=None).empty(404)  # it has none yet
    pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    w.ask("POST", "/routes", {"type": "http", "config": {"domain": "other.test.local", "service": "other", "tls_cert": "OTHER"}}, port=ROUTER_PORT, key=CLUSTER_KEY)
    w.ask("POST", "/routes", {"type": "http", "config": {"domain": "controller.test.local", "service": "controller", "tls_cert": pem}},
          port=ROUTER_PORT, key=CLUSTER_KEY)
    for key in (None, KEY):
        a = w.get("/ca-cert", key=key)
        assert a.status == 200 and a.text == pem and a.get("Content-Type") == "application/x-x509-ca-cert", (a, a.headers)
    assert w.get("/routes", key=None).status == 401


# ---- the log of an app ------------------------------------------------------------------------

def job(w, app, id, release, kind="web", state="up"):
    """A job that its host has, too."""
    j = w.job(app, release, state, type=kind)["id"]
    w.host(f"/host/jobs/{j}", "PUT", {"id": j, "metadata": {"flynn-controller.app": id}, "config": {}})
    return j


def say(w, job, *lines):
    """Let the job have printed them: (second, text) or (second, text, stream)."""
    w.host(f"/log/{job}", "POST", [[2 if len(line) > 2 else 1, f"2014-08-16T01:02:{line[0]:012.9f}Z {line[1]}"] for line in lines])


def lines_of(a):
    assert a.status == 200 and a.get("Content-Type").startswith("text/plain") and (not a.body or a.body.endswith(b"\n")), a
    return [json.loads(line) for line in a.body.split(b"\n")[:-1]]


@case
def the_log_joins_the_lines_of_all_jobs_by_their_times(w):
    app, id, release = w.living("web", "worker")
    w.get(f"/apps/{app}/log").text == ""
    web, worker = job(w, app, id, release), job(w, app, id, release, "worker")
    gone = w.job(app, release, "down")["id"]  # its host knows it no more
    say(w, web, (1, "one"), (3, "three", 2), (5, 'f"ive'))
    say(w, worker, (2, "two"), (4, ""), (6, "sechs \u00fc"))
    got = lines_of(w.get(f"/apps/{app}/log"))
    assert [line["msg"] for line in got] == ["one", "two", "three", "", 'f"ive', "sechs \u00fc"], got
    assert got[0] == {"host_id": "host0", "job_id": web, "msg": "one", "process_type": "web", "source": "app", "stream": "stdout",
                      "timestamp": "2014-08-16T01:02:01.000000000Z"}, got[0]
    assert got[2]["stream"] == "stderr" and got[1]["job_id"] == worker and gone not in [line["job_id"] for line in got]
    for query, want in (("lines=2", ["f\"ive", "sechs \u00fc"]), ("lines=100", [line["msg"] for line in got]), ("lines=0", []), (f"job_id={web}", ["one", "three", 'f"ive']),
                        ("process_type=worker", ["two", "", "sechs \u00fc"]), ("process_type=", []), ("stream_types=stderr", ["three"]),
                        ("stream_types=stdout,stderr&lines=1&process_type=web", ['f"ive']), ("job_id=x", [])):
        assert [line["msg"] for line in lines_of(w.get(f"/apps/{app}/log?{query}"))] == want, query
    for value in ("x", "-1", "1.5"):
        w.get(f"/apps/{app}/log?lines={value}").refuses("lines")
    w.get("/apps/nobody/log").empty(404)


@case
def the_log_is_events_for_those_who_ask(w):
    app, id, release = w.living("web")
    say(w, job(w, app, id, release), (1, "one"))
    with Stream(f"/apps/{app}/log") as s:
        e = s.next()
        assert e[:2] == (None, None) and json.loads(e[2])["event"] == "message" and json.loads(e[2])["data"]["msg"] == "one", e
        assert s.next() == (None, None, '{"event":"eof"}') and s.next() is None
    w.get("/apps/nobody/log", headers=[("Accept", "text/event-stream")]).empty(404)


@case
def the_log_is_followed_into_new_jobs(w):
    app, id, release = w.living("web")
    first = job(w, app, id, release)
    say(w, first, (1, "one"), (2, "two"))
    with Stream(f"/apps/{app}/log?follow=true&lines=1") as s:
        def msg():
            return json.loads(s.next()[2])["data"]["msg"]
        assert msg() == "two"
        wait_for("it to be followed", lambda: [a for a in w.host("/attaches").json if a["job_id"] == first and a["flags"] == 1 | 2 | 8 | 16])
        since = [a for a in w.host("/attaches").json if a["job_id"] == first][-1]["since"]
        assert since == "1408150922.000000000", since  # not again what was read
        say(w, first, (3, "three"))
        assert msg() == "three"
        second = w.job(app, release)["id"]
        w.host(f"/host/jobs/{second}", "PUT", {"id": second, "metadata": {"flynn-controller.app": id}, "config": {}})
        say(w, second, (4, "four"))
        assert msg() == "four"
        assert s.silent()
    with Stream(f"/apps/{app}/log?follow=true&lines=0") as s:
        wait_for("it to be followed", lambda: w.host("/attaches").json[-1]["flags"] == 1 | 2 | 16)
        assert s.silent()


@case
def a_log_is_told_from_a_time_on_and_of_a_source(w):
    app, id, release = w.living("web")
    one = job(w, app, id, release)
    say(w, one, (1, "one"))

    def asked():
        return [a for a in w.host("/attaches").json if a["job_id"] == one][-1].get("since")

    assert len(lines_of(w.get(f"/apps/{app}/log?since=2014-08-16T01:02:03.5Z&source=app"))) == 1 and asked() == "1408150923.500000"
    before = time.time()
    w.get(f"/apps/{app}/log?since=10m")
    assert before - 600 - 60 < float(asked()) < time.time() - 600 + 60, asked()
    w.get(f"/apps/{app}/log?since=&source=")
    assert asked() is None
    for since in ("x", "10", "-1m", "2014-08-16"):
        w.get(f"/apps/{app}/log?since={since}").refuses("since", "is no time")
    for source in ("x", "router,", "app,app", "router,app,x"):
        w.get(f"/apps/{app}/log?source={source}").refuses("source", "is none")
    for accept in ([], [("Accept", "text/event-stream")]):
        assert w.get(f"/apps/{app}/log?source=router", headers=accept).status == 200
    told = f"- /requests?parent_ref=controller/apps/{id}&limit=%d no answer in 0.0 ms, 0 bytes"  # this router tells what it was asked
    assert lines_of(w.get(f"/apps/{app}/log?source=router&lines=7")) == [
        {"msg": told % 7, "source": "router", "stream": "stdout", "timestamp": "2014-08-16T01:02:03.000000000Z"}]
    say(w, one, (5, "two"))
    got = lines_of(w.get(f"/apps/{app}/log?source=router,app"))
    assert [line["msg"] for line in got] == ["one", told % 10000, "two"], got
    assert lines_of(w.get(f"/apps/{app}/log?source=router&since=2014-08-16T01:02:04Z")) == []


@case
def a_long_log_comes_whole_and_its_last_lines_too(w):
    app, id, release = w.living("web")
    jobs = [job(w, app, id, release) for _ in range(3)]
    for n, j in enumerate(jobs):
        for part in range(10):
            say(w, j, *(((part * 100 + i) / 1000 * 50 + n / 1000, f"{part * 100 + i} {'x' * 500}") for i in range(100)))
    got = lines_of(w.get(f"/apps/{app}/log"))
    assert len(got) == 3000 and [line["timestamp"] for line in got] == sorted(line["timestamp"] for line in got)
    assert lines_of(w.get(f"/apps/{app}/log?lines=2500")) == got[-2500:]


# ---- scale requests ---------------------------------------------------------------------------

@case
def a_scale_request_is_complete_when_the_jobs_are_so(w):
    app, id, release = w.living("web", "worker")
    with Stream(f"/events?app_id={app}&object_types=job,scale_request") as s:
        def next():
            e = json.loads(s.next()[2])
            return e["object_type"], e["data"]["state"], e["data"].get("type"), e["object_id"]

        made = w.ask("PUT", f"/apps/{app}/scale/{release}", {"app": id, "release": release, "state": "pending", "new_processes": {"web": 2}})
        r = made.exactly('{"id":"<id>","app":"%s","release":"%s","state":"pending","new_processes":{"web":2},"created_at":"<time>","updated_at":"<time>"}' % (id, release))
        assert w.ok("GET", f"/apps/{app}/formations/{release}")["processes"] == {"web": 2}
        assert next() == ("scale_request", "pending", None, r["id"])
        one, two = w.job(app, release, "starting"), w.job(app, release, "up")
        assert [next()[1] for _ in range(2)] == ["starting", "up"]
        w.ok("PUT", f"/apps/{app}/jobs/{one['id']}", {**one, "state": "up"})
        assert next() == ("job", "up", "web", one["id"])
        assert next() == ("scale_request", "complete", None, r["id"])

        # To what is there: at once. Down: when they are gone.
        again = w.ok("PUT", f"/apps/{app}/scale/{release}", {"new_processes": {"web": 2, "worker": 0}})
        assert again["state"] == "complete" and again["old_processes"] == {"web": 2}, again
        assert [next()[1] for _ in range(2)] == ["pending", "complete"]
        less = w.ok("PUT", f"/apps/{app}/scale/{release}", {"new_processes": {}})
        assert less["state"] == "pending" and next()[1] == "pending"
        for j in (one, two):
            w.ok("PUT", f"/apps/{app}/jobs/{j['id']}", {**j, "state": "down"})
        assert [next()[1] for _ in range(3)] == ["down", "down", "complete"]


@case
def a_scale_request_that_is_overtaken_is_cancelled(w):
    app, _, release = w.living("web")
    path = f"/apps/{app}/scale/{release}"
    with Stream(f"/events?app_id={app}&object_types=scale_request") as s:
        first = w.ok("PUT", path, {"new_processes": {"web": 1}})
        second = w.ok("PUT", path, {"new_processes": {"web": 2}})
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 3}})
        third = w.ok("PUT", path, {"new_processes": {"web": 4}})
        assert w.ok("PUT", path, {"id": third["id"], "state": "cancelled"})["state"] == "cancelled"
        seen = [(e["object_id"], e["data"]["state"]) for e in (json.loads(s.next()[2]) for _ in range(6))]
        assert sorted(seen) == sorted((r["id"], state) for r in (first, second, third) for state in ("pending", "cancelled")), seen
    w.ask("PUT", path, {"id": third["id"], "state": "cancelled"}).empty(404)  # it has ended


@case
def a_scale_request_is_checked_as_a_formation_is(w):
    app, _, release = w.living("web")
    path = f"/apps/{app}/scale/{release}"
    for processes in ([], {"web": -1}, {"web": "1"}, {"foo": 1}, None):
        w.ask("PUT", path, {"new_processes": processes}).refuses("new_processes")
    w.ask("PUT", path, {"new_processes": {}, "state": "happy"}).refuses("state")
    w.ask("PUT", path, {"new_processes": {}, "id": "x"}).refuses("id")
    w.ask("PUT", f"/apps/nobody/scale/{release}", {"new_processes": {}}).empty(404)
    w.ask("PUT", f"/apps/{app}/scale/{NOBODY}", {"new_processes": {}}).empty(404)
    protected = w.app(protected=True)["name"]
    w.ask("PUT", f"/apps/{protected}/scale/{release}", {"new_processes": {"web": 0}}).refuses(None)
    w.get(f"/apps/{app}/formations/{release}").empty(404)


# ---- events ---------------------------------------------------------------------------------

def listed(w, query):
    a = w.get(f"/events?{query}", headers=LIST)
    assert a.status == 200 and a.get("Content-Type") == "application/json; charset=UTF-8", a
    return a.json


@case
def each_kind_of_change_is_an_event(w):
    app, id, release = w.living("web")
    got = listed(w, f"app_id={app}")
    assert [e["object_type"] for e in got] == ["app_release", "app"], got
    assert list(got[0]) == ["id", "app", "object_type", "object_id", "data", "created_at"], got
    assert got[0]["app"] == id and got[0]["object_id"] == release and got[0]["data"] == {"release": w.ok("GET", f"/releases/{release}")}
    assert got[1]["object_id"] == id and {**got[1]["data"], "updated_at": None} == {**w.ok("GET", f"/apps/{app}"), "updated_at": None}
    since = got[0]["id"]

    w.ok("POST", f"/apps/{app}", {"meta": {"a": "1"}})
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 2}})
    job = w.job(app, release)
    other = w.ok("POST", "/releases", {"app_id": app, "artifact": w.artifact()})
    p = w.ok("POST", "/providers", {"name": w.name(), "url": f"http://postgres-api.discoverd/databases?{w.name()}"})
    resource = w.ok("POST", f"/providers/{p['id']}/resources", {"apps": [app]})
    got = listed(w, f"app_id={dashed(id)}&since_id={since}")[::-1]
    assert [e["object_type"] for e in got] == ["app", "scale", "scale", "job", "release", "resource"], got
    assert got[0]["data"] == w.ok("GET", f"/apps/{app}")
    assert got[1]["object_id"] == f"{id}:{release}" and got[1]["data"] == {"processes": {"web": 1}, "release": release}
    assert got[2]["data"] == {"prev_processes": {"web": 1}, "processes": {"web": 2}, "release": release}
    assert got[3]["object_id"] == job["id"] and {**job, **got[3]["data"]} == got[3]["data"] and got[3]["data"]["host_id"] == "host0"
    assert got[4]["data"] == other and got[5]["data"] == resource

    w.ok("PUT", f"/apps/{app}/release", {"id": other["id"]})
    got = listed(w, f"app_id={app}&object_types=app_release&count=1")
    assert got[0]["data"]["prev_release"]["id"] == release and got[0]["data"]["release"] == other, got


@case
def what_is_no_apps_is_an_event_too(w):
    artifact = w.artifact()
    key = w.ok("POST", "/keys", {"key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtN3obDx3DMMraWNnOIjxp/P9yZmEJTPgIx+2bRiwkK x"})
    w.ok("DELETE", f"/keys/{key['fingerprint']}")
    provider = w.ok("POST", "/providers", {"name": w.name(), "url": f"http://x/{w.name()}"})
    for kind, id, data in (("artifact", artifact, w.ok("GET", f"/artifacts/{artifact}")), ("provider", provider["id"], provider),
                           ("key_deletion", key["fingerprint"], None)):
        got = listed(w, f"object_id={id}&object_types={kind}&count=1")
        assert len(got) == 1 and got[0]["object_type"] == kind and "app" not in got[0], (kind, got)
        assert data is None or got[0]["data"] == data, (got, data)


@case
def the_list_is_cut_by_ids_count_and_kind(w):
    app, _, release = w.living("web")
    for n in range(1, 5):
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": n}})
    all = listed(w, f"app_id={app}&object_types=scale")
    assert [e["data"]["processes"]["web"] for e in all] == [4, 3, 2, 1] and sorted((e["id"] for e in all), reverse=True) == [e["id"] for e in all]
    ids = [e["id"] for e in all]
    for query, want in ((f"before_id={ids[1]}", ids[2:]), (f"since_id={ids[2]}", ids[:2]), (f"before_id={ids[0]}&since_id={ids[3]}", ids[1:3]),
                        ("count=2", ids[:2]), (f"count=1&before_id={ids[0]}", ids[1:2]), (f"object_id={all[0]['object_id']}", ids),
                        ("object_id=x", []), (f"object_id={NOBODY}", [])):
        assert [e["id"] for e in listed(w, f"app_id={app}&object_types=scale&{query}")] == want, query
    assert {e["object_type"] for e in listed(w, f"app_id={app}&object_types=scale,app")} == {"scale", "app"}
    assert w.get(f"/events/{ids[0]}").json == all[0]
    for id in ("x", "-1", "9" * 18):
        w.get(f"/events/{id}").empty(404)


@case
def wrong_queries_are_refused_by_name(w):
    for headers in (LIST, []):
        for name in ("count", "before_id", "since_id"):
            for value in ("x", "-1", "1.5", "9" * 30):
                w.get(f"/events?{name}={value}", headers=headers).refuses(name)
        w.get("/events", headers=[*headers, ("Last-Event-Id", "x")]).refuses("Last-Event-Id")
        w.get("/events?app_id=nobody", headers=headers).empty(404)


@case
def events_stream_from_now_on(w):
    app, id, release = w.living("web")
    for accept in ("text/event-stream", None, "*/*"):  # all but the one of the list
        with Stream(f"/events?app_id={app}&object_types=scale", accept=accept) as s:
            w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
            kind, number, data = s.next()
            e = json.loads(data)
            assert kind is None and int(number) == e["id"] and e["object_type"] == "scale" and e["app"] == id, data
            assert e == w.get(f"/events/{number}").json
            assert s.silent()


@case
def past_events_come_first_when_asked_for(w):
    app, _, release = w.living("web")
    for n in (1, 2, 3):
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": n}})

    def seen(s, n):
        return [json.loads(s.next()[2])["data"]["processes"]["web"] for _ in range(n)]

    path = f"/events?app_id={app}&object_types=scale"
    with Stream(path + "&past=true") as s:
        assert seen(s, 3) == [1, 2, 3]
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 4}})
        assert seen(s, 1) == [4]
    with Stream(path + "&past=true&count=2") as s:
        assert seen(s, 2) == [3, 4] and s.silent()
    with Stream(path + "&count=2") as s:
        assert s.silent()
    with Stream(path + "&past=true&object_id=none&count=2") as s:
        assert s.silent()


@case
def who_comes_again_misses_nothing(w):
    app, _, release = w.living("web")
    path = f"/events?app_id={app}&object_types=scale"
    with Stream(path) as s:
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
        last = s.next()[1]
    for n in range(2, 6):
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": n}}, port=(None, OTHER_PORT)[n % 2])
    with Stream(path, [("Last-Event-Id", last)], port=OTHER_PORT) as s:
        assert [json.loads(s.next()[2])["data"]["processes"]["web"] for _ in range(4)] == [2, 3, 4, 5]
        assert s.silent()
    with Stream(path, [("Last-Event-Id", str(1 << 60))]) as s:
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 6}})
        assert json.loads(s.next()[2])["data"]["processes"]["web"] == 6, "the number may be of the database that was there before a restored one"
        assert s.silent()


@case
def an_apps_deletion_is_waited_for_as_they_do(w):
    app, id, _ = w.living("web")
    with Stream(f"/events?app_id={app}&object_types=app_deletion") as s:
        w.ask("DELETE", f"/apps/{app}").empty()
        e = json.loads(s.next()[2])
    assert e["object_id"] == id and e["data"] == {"app_deletion": {"app": id, "deleted_routes": [], "deleted_resources": [], "deleted_releases": []}, "error": ""}, e


@case
def writers_at_once_lose_no_reader_an_event(w):
    import threading
    apps = [w.living("web") for _ in range(4)]
    with Stream("/events?object_types=scale") as s:
        def write(app, _, release, port):
            for n in range(1, 21):
                w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": n}}, port=port)
        threads = [threading.Thread(target=write, args=(*a, (None, OTHER_PORT)[i % 2])) for i, a in enumerate(apps)]
        for t in threads:
            t.start()
        seen = {id: [] for _, id, _ in apps}
        numbers = []
        for _ in range(20 * len(apps)):
            e = json.loads(s.next()[2])
            numbers.append(e["id"])
            seen[e["app"]].append(e["data"]["processes"]["web"])
        for t in threads:
            t.join()
        assert numbers == sorted(numbers)
        assert all(v == list(range(1, 21)) for v in seen.values()), seen
