"""Requests that are sent again, as after an answer that was lost: an Idempotency-Key has them carried out once."""

import threading

from world import CLUSTER_KEY, HOST_ID, OTHER_PORT, ROUTER_PORT, case, psql


def keyed(w, key=None):
    w.n += 1
    return [("Idempotency-Key", key or f"key-{w.name()}")]


def forget_answer(headers):
    """As if the controller had been killed behind what it did, before it could keep the answer."""
    psql(f"UPDATE answered SET answer = NULL WHERE key = '{headers[0][1]}'")


def both(w, method, path, body, headers, lost=False):
    """The answer that it has at either controller, at once and again."""
    answers = []
    for port in (None, OTHER_PORT, None):
        answers.append(w.ask(method, path, body, headers=headers, port=port))
        assert answers[-1].status == 200, answers[-1]
        assert answers[-1].body == answers[0].body and answers[-1].get("Content-Type") == answers[0].get("Content-Type"), answers
        if lost:
            forget_answer(headers)
    return answers[0].json if answers[0].body else None


def at_once(w, method, path, body, headers):
    answers = []

    def ask(port):
        answers.append(w.ask(method, path, body, headers=headers, port=port))

    threads = [threading.Thread(target=ask, args=((None, OTHER_PORT)[n % 2],)) for n in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {a.status for a in answers} == {200} and len({a.body for a in answers}) == 1, answers
    return answers[0].json


@case
def what_is_sent_again_is_answered_again_and_not_done_again(w):
    app, _, release = w.living("web")
    other = w.app()["name"]
    artifact = w.artifact()
    for method, path, body, list in (
            ("POST", "/apps", {"name": w.name()}, "/apps"), ("POST", "/apps", {}, "/apps"),
            ("POST", "/artifacts", {"uri": w.name()}, "/artifacts"), ("POST", "/releases", {"artifact": artifact}, "/releases"),
            ("POST", "/providers", {"name": w.name(), "url": f"http://x/{w.name()}"}, "/providers"),
            ("POST", f"/apps/{other}/deploy", {"id": release}, f"/apps/{other}/deployments"),
            ("PUT", f"/apps/{app}/scale/{release}", {"new_processes": {"web": 2}}, "/apps"),
            ("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 3}}, f"/apps/{app}/formations"),
            ("DELETE", f"/apps/{app}/formations/{release}", None, f"/apps/{app}/formations"),
            ("DELETE", f"/apps/{w.app()['name']}", None, "/apps")):
        headers, before = keyed(w), len(w.ok("GET", list))
        first = w.ask(method, path, body, headers=headers)
        assert first.status == 200, (path, first)
        after = len(w.ok("GET", list))
        for port in (None, OTHER_PORT):
            again = w.ask(method, path, body, headers=headers, port=port)
            assert again.status == 200 and again.body == first.body and again.get("Content-Type") == first.get("Content-Type"), (path, first, again)
        assert len(w.ok("GET", list)) == after and abs(after - before) <= 1, path


@case
def many_at_once_are_one(w):
    before = len(w.ok("GET", "/apps"))
    at_once(w, "POST", "/apps", {}, keyed(w))
    assert len(w.ok("GET", "/apps")) == before + 1


@case
def what_was_refused_may_be_asked_again_with_its_key(w):
    headers, name = keyed(w), w.app()["name"]
    w.ask("POST", "/apps", {"name": name}, headers=headers).fails(409, "conflict")
    w.ok("DELETE", f"/apps/{name}")
    assert w.ok("POST", "/apps", {"name": name}, headers=headers)["name"] == name


@case
def a_key_is_one_requests(w):
    headers = keyed(w)
    w.ok("POST", "/apps", {}, headers=headers)
    w.ask("POST", "/apps", {"name": w.name()}, headers=headers).refuses("Idempotency-Key", "another request's")
    w.ask("POST", "/providers", {"name": w.name(), "url": f"http://x/{w.name()}"}, headers=headers).refuses("Idempotency-Key", "another request's")
    for key in ("x" * 256, "a\tb", "\u00fc"):
        w.ask("POST", "/apps", {}, headers=keyed(w, key)).refuses("Idempotency-Key", "1 to 255")


# ---- what is not in the database --------------------------------------------------------------

def jobs_of(w, app):
    """The jobs that hosts have been asked to run."""
    return [id for id, j in w.host("/host/jobs").json.items() if j["job"].get("metadata", {}).get("flynn-controller.app") == app]


@case
def a_one_off_job_runs_once(w):
    app, id, release = w.living()
    path, body = f"/apps/{app}/jobs", {"release": release, "cmd": ["migrate"]}
    made = [both(w, "POST", path, body, keyed(w))["id"], both(w, "POST", path, body, keyed(w), lost=True)["id"],
            at_once(w, "POST", path, body, keyed(w))["id"]]
    assert sorted(jobs_of(w, id)) == sorted(made) and len(set(made)) == 3
    assert w.ok("POST", path, body)["id"] not in made  # without a key it is another one
    used = keyed(w)
    w.ok("POST", path, body, headers=used)
    w.ask("POST", path, {**body, "cmd": ["other"]}, headers=used).refuses("Idempotency-Key", "another request's")


@case
def a_job_that_was_refused_may_be_asked_for_again(w):
    app, id, release = w.living()
    headers = keyed(w)
    for _ in range(2):
        assert "image x is not here" in w.ask("POST", f"/apps/{app}/jobs", {"cmd": ["refuse"]}, headers=headers).json["message"]
    assert not jobs_of(w, id)
    w.ok("POST", f"/apps/{app}/jobs", {"cmd": ["x"]}, headers=headers)


@case
def what_is_attached_cannot_be_answered_again(w):
    app, _, _ = w.living()
    for how in ([("Connection", "upgrade"), ("Upgrade", "flynn-attach/0")], [("Accept", "application/vnd.flynn.attach")]):
        for path in (f"/apps/{app}/jobs", f"/apps/{app}/jobs/{HOST_ID}-{'0' * 32}/exec"):
            w.ask("POST", path, {"cmd": ["x"]}, headers=keyed(w) + how).refuses("Idempotency-Key", "run a detached job")


@case
def a_job_is_stopped_once(w):
    app, _, _ = w.living()
    job = w.ok("POST", f"/apps/{app}/jobs", {"cmd": ["sleep"]})["id"]
    both(w, "DELETE", f"/apps/{app}/jobs/{job}", None, keyed(w))
    w.ask("DELETE", f"/apps/{app}/jobs/{job}").empty(404)


@case
def a_route_is_made_changed_and_removed_once(w):
    app = w.app()["name"]
    path = f"/apps/{app}/routes"
    default = len(w.ok("GET", path))
    http = both(w, "POST", path, {"type": "http", "domain": f"{w.name()}.example.com", "service": "x"}, keyed(w))
    lost = both(w, "POST", path, {"type": "http", "domain": f"{w.name()}.example.com", "service": "x"}, keyed(w), lost=True)
    tcp = both(w, "POST", path, {"type": "tcp", "service": "x"}, keyed(w), lost=True)  # whose port the router chooses
    meeting = at_once(w, "POST", path, {"type": "tcp", "service": "x"}, keyed(w))
    assert len(w.ok("GET", path)) == default + len({r["id"] for r in (http, lost, tcp, meeting)}) == default + 4
    assert "once" not in tcp and "once" not in w.ok("GET", path)[0]
    key = keyed(w)
    w.ask("POST", path, {"type": "http", "domain": http["domain"], "service": "x"}, headers=key).fails(409, "conflict")
    update, again = keyed(w), {"service": "two"}
    both(w, "PUT", f"{path}/{http['id']}", again, update)
    w.ok("PUT", f"{path}/{http['id']}", {"service": "three"})
    w.ok("PUT", f"{path}/{http['id']}", again, headers=update)
    assert w.ok("GET", f"{path}/{http['id']}")["service"] == "three"
    both(w, "DELETE", f"{path}/{http['id']}", None, keyed(w))
    w.get(f"{path}/{http['id']}").empty(404)
    w.ok("POST", path, {"type": "http", "domain": http["domain"], "service": "x"}, headers=key)


@case
def bodies_that_are_no_text_are_refused_with_a_key_as_without(w):
    app = w.app()["name"]
    for path in (f"/apps/{app}/routes", f"/apps/{app}/jobs", "/apps"):
        for body in (b'{"cmd":["\xff\xfe"]}', b'{"cmd":["a\0b"]}', b"{", b"[" * 5000):
            headers = keyed(w)
            without = w.ask("POST", path, body)
            assert without.status == 400, without
            for _ in range(2):
                a = w.ask("POST", path, body, headers=headers)
                assert a.status == 400 and a.body == without.body, a


@case
def a_resource_is_made_and_given_back_once(w):
    def databases():
        return w.ask("GET", "/databases", port=ROUTER_PORT, key=CLUSTER_KEY).json

    app = w.app()["name"]
    p = w.ok("POST", "/providers", {"name": w.name(), "url": f"discoverd+http://postgres-api/databases?{w.name()}"})["name"]
    before = len(databases())
    r = both(w, "POST", f"/providers/{p}/resources", {"apps": [app]}, keyed(w))
    assert len(databases()) == before + 1 and len(w.ok("GET", f"/apps/{app}/resources")) == 1
    both(w, "DELETE", f"/providers/{p}/resources/{r['id']}", None, keyed(w))
    assert len(databases()) == before


@case
def what_one_statement_changes_is_changed_once(w):
    app, key = w.app()["name"], keyed(w)
    first = w.ok("POST", f"/apps/{app}", {"meta": {"a": "1"}}, headers=key)
    w.ok("POST", f"/apps/{app}", {"meta": {"a": "2"}})
    assert w.ok("POST", f"/apps/{app}", {"meta": {"a": "1"}}, headers=key) == first
    assert w.ok("GET", f"/apps/{app}")["meta"] == {"a": "2"}
