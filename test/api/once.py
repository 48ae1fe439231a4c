"""Requests that are sent again, as after an answer that was lost: an Idempotency-Key has them carried out once."""

import threading

from world import OTHER_PORT, case


def keyed(w, key=None):
    w.n += 1
    return [("Idempotency-Key", key or f"key-{w.name()}")]


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
            ("DELETE", f"/apps/{app}/formations/{release}", None, f"/apps/{app}/formations")):
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
    headers, answers = keyed(w), []
    before = len(w.ok("GET", "/apps"))

    def make(port):
        answers.append(w.ask("POST", "/apps", {}, headers=headers, port=port))

    threads = [threading.Thread(target=make, args=((None, OTHER_PORT)[n % 2],)) for n in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {a.status for a in answers} == {200} and len({a.body for a in answers}) == 1, answers
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
