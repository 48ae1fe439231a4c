"""Hostile input, route by route: bodies of wrong shape, size and type, references to nothing, keys that are none.

The routes are those of controller/routes.c: one that is added there has no peace until it is here too.
"""

import os
import re

from world import NOBODY, Client, case, dashed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Every route that takes a body: where, a body that is right but for what a case adds, and whether it is one of those
# that insist on a Content-Type and take an empty body.
BODIES = [
    ("POST", "/apps", {"name": None}, False),
    ("POST", "/apps/:app", {"protected": False}, False),
    ("POST", "/apps/:app/meta", {"meta": {"a": "b"}}, False),
    ("POST", "/artifacts", {"type": "docker", "uri": "https://example.com/bodies"}, False),
    ("POST", "/releases", {"artifact": ":artifact"}, False),
    ("POST", "/keys", {"key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtN3obDx3DMMraWNnOIjxp/P9yZmEJTPgIx+2bRiwkK"}, False),
    ("POST", "/providers", {"name": None, "url": "http://:name.example.com/x"}, False),
    ("PUT", "/apps/:app/release", {"id": ":release"}, True),
    ("POST", "/apps/:app/deploy", {"id": ":release"}, False),
    ("PUT", "/apps/:app/formations/:release", {"processes": {"web": 1}}, True),
    ("PUT", "/apps/:app/scale/:release", {"new_processes": {"web": 1}}, False),
    ("POST", "/apps/:app/jobs", {"cmd": ["true"]}, True),
    ("PUT", "/apps/:app/jobs/:job", {"release": ":release", "state": "up"}, True),
    ("POST", "/providers/:provider/resources", {"apps": [":app"]}, True),
    ("PUT", "/providers/:provider/resources/:resource", {"external_id": None}, True),
    ("POST", "/apps/:app/routes", {"type": "http", "config": {"domain": None, "service": "x-web"}}, True),
    ("PUT", "/apps/:app/routes/:type/:id", {"service": "y-web"}, True),
    ("PUT", "/apps/:app/routes/:again/:type/:id", {"service": "z-web"}, True),
]
# The same, where success takes more than a body: jobs of a formation, a connection that is handed over.
CHOOSY_BODIES = [
    ("POST", "/apps/:app/restart", {"type": "web"}, True),
    ("POST", "/apps/:app/jobs/:job/exec", {"cmd": ["true"]}, True),
]
# Those that change something and take none.
NO_BODIES = {
    ("PUT", "/providers/:provider/resources/:resource/apps/:app"),
    ("PUT", "/domain"),
    ("POST", "/sinks"),
    ("POST", "/apps/:app/gc"),
    ("PUT", "/apps/:app/volumes/:volume/decommission"),
}


def routes():
    """All of the controller's: (method, path, whether it is open to all)."""
    with open(ROOT + "/controller/routes.c") as f:
        found = re.findall(r'^\t\{ "([A-Z*]+)", "(/[^"]*)", \w+, (\w+) \}', f.read(), re.M)
    assert len(found) > 60, found
    return [(method, path, flags == "FL_HTTP_OPEN") for method, path, flags in found]


def known(w):
    """Values of the routes' parameters that are there; an app by itself for each kind of change that shuts others out."""
    if not hasattr(w, "hostile_known"):
        app, _, release = w.living("web")
        idle = w.app()["name"]
        provider = w.ok("POST", "/providers", {"name": w.name(), "url": f"http://postgres-api.discoverd/databases?{w.name()}"})["name"]
        resource = w.ok("POST", f"/providers/{provider}/resources", {"apps": [app]})["id"]
        route = w.ok("POST", f"/apps/{app}/routes", {"type": "http", "config": {"domain": f"{w.name()}.example.com", "service": "x"}})["id"]
        deployment = w.ok("POST", f"/apps/{idle}/deploy", {"id": release})["id"]
        w.hostile_known = {"app": app, "idle": idle, "release": release, "artifact": w.artifact(), "provider": provider, "resource": resource,
                           "type": "http", "again": "http", "id": route.split("/")[1], "fingerprint": NOBODY, "event": "1",
                           "deployment": deployment, "job": w.job(app, release)["id"]}
    return w.hostile_known


def filled(w, method, path, body, **params):
    """The route and body, with objects that are there, or those given, and names that are new."""
    values = {**known(w), **params}
    if path.endswith("/deploy") and "app" not in params:
        values["app"] = values["idle"]
    if method == "PUT" and path.endswith("/resources/:resource") and "resource" not in params:
        w.n += 1
        values["resource"] = f"{w.n:032x}"  # it is recorded once

    def fill(v):
        if isinstance(v, dict):
            return {k: fill(x) for k, x in v.items()}
        if isinstance(v, list):
            return [fill(x) for x in v]
        if isinstance(v, str):
            return re.sub(":(app|release|artifact|name)", lambda m: w.name() if m[1] == "name" else values[m[1]], v)
        return w.name() if v is None else v

    return method, re.sub(":([a-z]+)", lambda m: values.get(m[1], NOBODY), path), fill(body)


@case
def every_route_wants_the_key(w):
    for method, path, is_open in routes():
        method, path, _ = filled(w, "GET" if method == "*" else method, path, None)
        a = w.ask(method, path, {} if method in ("POST", "PUT") else None, key=None)
        assert (a.status == 401) != is_open, (method, path, a)
        if not is_open:
            a.empty(401)


@case
def every_route_that_takes_a_body_is_in_the_table(w):
    written = {(method, path) for method, path, _ in routes() if method in ("POST", "PUT")}
    listed = {(method, path) for method, path, _, _ in BODIES + CHOOSY_BODIES} | NO_BODIES
    assert written == listed, f"in routes.c and not here: {written - listed}; here and not in routes.c: {listed - written}"


@case
def references_to_nothing_are_400_or_404(w):
    bodies = {(method, path): body for method, path, body, _ in BODIES + CHOOSY_BODIES}
    nothing = (NOBODY, dashed(NOBODY), "nobody", "-", "--", "0", "%00", "%ff%fe", "%c0%af", "a%00b", "..%2f..%2fapps", "%2e%2e", "'%20OR%20'1'='1",
               "%25s%25n", "%0d%0aX:%20y", "%f0%9f%92%a9", "x" * 4000, "9" * 40)
    for method, path, _ in routes():
        params = re.findall(":([a-z]+)", path)
        for param in params:
            for value in nothing:
                if method == "PUT" and param in ("job", "resource") and NOBODY == value.replace("-", ""):
                    continue  # it makes what it names
                m, p, b = filled(w, method, path, bodies.get((method, path), {}), **{param: value})
                a = w.ask(m, p, b if method in ("POST", "PUT") else None)
                assert a.status in (400, 404) or path.startswith("/sinks"), (m, p, a)
                if a.status == 404:
                    assert a.body in (b"", b"404 page not found"), (m, p, a)
                elif a.get("Content-Type").startswith("application/json"):
                    assert a.json["message"], (m, p, a)


@case
def hostile_queries_are_no_error_of_ours(w):
    """Streams begin or are refused; lists are answered or are not."""
    names = ("count", "before_id", "since_id", "app_id", "object_types", "object_id", "past", "since", "expand", "active", "tail", "wait", "lines", "follow",
             "job_id", "process_type", "stream_types", "source", "limit", "host", "status", "slow", "key")
    values = ("%ff%fe", "%00", "-1", "9" * 30, "'", "x" * 300, "%", "%zz", "", "2100-01-01T00:00:00Z", "[]", "1e9")
    for method, path, _ in routes():
        if method != "GET":
            continue
        for value in values:
            m, p, _ = filled(w, method, path, None)
            for accept in ([], [("Accept", "text/event-stream")]):
                with Client() as c:
                    c.ask(m, p + "?" + "&".join(f"{name}={value}" for name in names), headers=accept)
                    a = c.read_head()
                assert a.status in (200, 400, 404, 501), (p, value, a.line)


@case
def a_body_where_none_belongs_is_read_and_left(w):
    for method, path, _ in routes():
        if method != "GET" or path in ("/events", "/formations", "/images", "/apps/:app/requests", "/apps/:app/log") or path.endswith("/log"):
            continue
        m, p, _ = filled(w, method, path, None)
        with Client() as c:
            c.ask(m, p, b'{"x":1,"x":[[[\xff\x00')
            first = c.read_answer()
            c.ask("GET", "/ping")
            assert first.status in (200, 404, 501) and c.read_answer().status == 200, (p, first)


@case
def statements_have_values_by_parameters_alone(w):
    """No text of SQL is made at run time, so nothing that a client says can become one."""
    del w
    makers = re.compile(r"\b(fl_buf_\w+|snprintf|fl_xasprintf|sprintf|strcat)\s*\([^;]*\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|WHERE|VALUES)\b", re.S)
    folder = ROOT + "/controller"
    for name in sorted(os.listdir(folder)):
        if name.endswith(".c"):
            with open(f"{folder}/{name}") as f:
                found = makers.search(f.read())
            assert not found, f"{name}: {found[0][:200]}"


@case
def crud_routes_do_not_look_at_the_content_type(w):
    for method, path, body, strict in BODIES:
        for content_type in (None, "text/plain", "application/x-www-form-urlencoded") if not strict else ():
            m, p, b = filled(w, method, path, body)
            a = w.ask(m, p, b, content_type=content_type)
            assert a.status == 200, (m, p, b, content_type, a)


@case
def the_others_insist_on_json(w):
    for method, path, body, strict in BODIES:
        if not strict:
            continue
        for content_type, why in ((None, "Empty Content-Type"), ("text/plain", "Unsupported Content-Type")):
            m, p, b = filled(w, method, path, body)
            a = w.ask(m, p, b, content_type=content_type)
            a.exactly('{"overall":{"ContentTypeError":"%s"},"fields":{}}' % why, 415)
        for content_type in ("application/json; charset=utf-8", "application/vnd.api+json"):
            m, p, b = filled(w, method, path, body)
            assert w.ask(m, p, b, content_type=content_type).status == 200, (m, p, content_type)


def hostile():
    deep = b"[" * 300 + b"]" * 300
    return [
        b"{", b"[]", b"null", b"1", b'"x"', b"{}{}", b"{'a':1}", b'{"x":1,}', b"// {}\n{}", b'{"x":01}', b'{"x":NaN}',
        b'{"x":"a\\u0000b"}', b'{"x":"a\x00b"}', b'{"x\\u0000":1}', b'{"x":"\xff\xfe"}', b'{"x":"\xed\xa0\x80"}', b'{"x":"\xc0\xaf"}',
        b'{"x":"\\ud800"}', b'{"x":' + deep + b"}", b'{"x":1,"x":2}', b'{"x":{"y":1,"\\u0079":2}}', b"\xef\xbb\xbf{}", b"{}\x00",
    ]


@case
def hostile_bodies_are_400_in_the_shape_of_the_route(w):
    for method, path, body, strict in BODIES + CHOOSY_BODIES:
        method, path, _ = filled(w, method, path, body)
        for data in hostile():
            a = w.ask(method, path, data)
            assert a.status == 400, (method, path, data, a)
            a.refuses(None, "The provided JSON input is invalid")
            if strict:
                assert isinstance(a.json["overall"]["DeserializationError"], str) and a.json["fields"] == {}, a
            else:
                assert set(a.json) == {"message"}, a


@case
def no_body_is_an_error_for_crud_alone(w):
    for method, path, body, strict in BODIES + CHOOSY_BODIES:
        method, path, _ = filled(w, method, path, body)
        a = w.ask(method, path)
        assert strict or a.status == 400, (method, path, a)
        assert not strict or "provided JSON" not in a.text, (method, path, a)


@case
def bodies_have_a_bound(w):
    for method, path, body, _ in BODIES + CHOOSY_BODIES:
        method, path, _ = filled(w, method, path, body)
        bound = (4 if path == "/releases" else 1) << 20
        a = w.ask(method, path, b" " * bound + b"{}")
        assert a.status == 400 and a.json["message"], (method, path, a)
        a = w.ask(method, path, b"{}".ljust(bound))  # this much is read
        assert "big" not in a.text and "larger" not in a.text, (method, path, a)


@case
def unknown_fields_are_ignored(w):
    for method, path, body, _ in BODIES:
        if "/routes" in path:
            continue  # the router ignores what it does not know
        m, p, b = filled(w, method, path, body)
        a = w.ask(m, p, {**b, "nonsense": {"a": [1, None]}, "created_at": "2001-01-01T00:00:00Z", "updated_at": "x"})
        assert a.status == 200 and "nonsense" not in a.text and '"2001-' not in a.text, (m, p, a)


@case
def wrong_types_are_refused_by_name(w):
    wrong = {
        "/apps": [("name", 1), ("name", []), ("id", 1), ("id", "zzz"), ("protected", "yes"), ("protected", 1), ("meta", []), ("meta", {"a": 1}),
                  ("meta", {"a": None}), ("meta", "x")],
        "/apps/:app": [("protected", "yes"), ("protected", {}), ("meta", {"a": 1}), ("meta", [1])],
        "/apps/:app/meta": [("meta", {"a": 1}), ("meta", [1]), ("meta", "x")],
        "/apps/:app/deploy": [("id", 1), ("id", "x"), ("id", []), ("strategy", 1), ("strategy", "x"), ("timeout", "x"), ("timeout", -1), ("timeout", 1.5),
                              ("batch_size", 0), ("batch_size", "3"), ("batch_size", 1e30), ("processes", []), ("processes", "x"),
                              ("processes", {"web": -1}), ("processes", {"nope": 1})],
        "/apps/:app/scale/:release": [("new_processes", []), ("new_processes", {"web": "1"}), ("new_processes", {"web": -1}), ("new_processes", {"foo": 1}),
                                      ("id", 1), ("id", "x"), ("state", 1), ("state", "happy")],
        "/artifacts": [("type", 1), ("uri", {}), ("id", "x" * 32)],
        "/releases": [("artifact", 1), ("artifact", "x"), ("env", []), ("env", {"A": 1}), ("processes", []), ("processes", {"web": []}),
                      ("processes", {"web": {"cmd": "x"}}), ("processes", {"web": {"cmd": [1]}}), ("processes", {"web": {"env": {"A": 1}}}),
                      ("processes", {"web": {"ports": 1}}), ("processes", {"web": {"ports": [{"port": "80"}]}}),
                      ("processes", {"web": {"ports": [{"port": 70000}]}}), ("processes", {"web": {"data": "yes"}}), ("processes", {"a b": {}})],
        "/keys": [("key", 1), ("key", ["x"])],
        "/providers": [("name", 1), ("url", 1), ("url", [])],
        "/apps/:app/release": [("id", 1), ("id", "x"), ("id", [])],
        "/apps/:app/formations/:release": [("processes", []), ("processes", {"web": "1"}), ("processes", {"web": 1.5}), ("processes", {"web": -1}),
                                             ("processes", {"web": 1e30}), ("processes", {"web": None}), ("processes", {"foo": 1})],
        "/apps/:app/jobs/:job": [("state", 1), ("state", "happy"), ("release", "x"), ("type", 1), ("id", 1), ("cmd", "x")],
        "/providers/:provider/resources": [("apps", "x"), ("apps", [1]), ("apps", {})],
        "/providers/:provider/resources/:resource": [("env", {"A": 1}), ("apps", "x"), ("external_id", 1)],
    }
    for method, path, body, _ in BODIES:
        for field, value in wrong.get(path, []):
            m, p, b = filled(w, method, path, body)
            a = w.ask(m, p, {**b, field: value})
            assert a.status == 400 and a.json.get("field") == field and a.json["message"], (m, p, field, value, a)
    m, p, b = filled(w, "POST", "/apps/:app/jobs", {})
    for field, value in (("cmd", "x"), ("cmd", [1]), ("env", []), ("env", {"A": 1}), ("tty", "yes"), ("tty_columns", "80"), ("tty_lines", -1), ("release", 1)):
        a = w.ask(m, p, {field: value})
        assert a.status == 400 and field in a.text, (field, value, a)


@case
def unknown_references_are_refused(w):
    app, _, release = w.living()
    for method, path, body in (
            ("GET", "/apps/nobody", None), ("POST", "/apps/nobody", {}), ("DELETE", "/apps/nobody", None), ("GET", f"/apps/{NOBODY}", None),
            ("GET", f"/artifacts/{NOBODY}", None), ("GET", f"/releases/{NOBODY}", None), ("GET", "/releases/x", None), ("GET", "/artifacts/x", None),
            ("GET", f"/keys/{NOBODY}", None), ("DELETE", f"/keys/{NOBODY}", None), ("GET", "/keys/x", None),
            ("GET", "/providers/nobody", None), ("GET", "/providers/nobody/resources", None), ("POST", "/providers/nobody/resources", {}),
            ("GET", f"/providers/nobody/resources/{NOBODY}", None), ("PUT", f"/providers/nobody/resources/{NOBODY}", {}),
            ("GET", "/apps/nobody/release", None), ("PUT", "/apps/nobody/release", {"id": release}),
            ("GET", "/apps/nobody/formations", None), ("GET", f"/apps/nobody/formations/{release}", None),
            ("PUT", f"/apps/nobody/formations/{release}", {}), ("DELETE", f"/apps/nobody/formations/{release}", None),
            ("GET", f"/apps/{app}/formations/{NOBODY}", None), ("PUT", f"/apps/{app}/formations/{NOBODY}", {}), ("GET", f"/apps/{app}/formations/x", None),
            ("DELETE", f"/apps/{app}/formations/{NOBODY}", None), ("PUT", f"/apps/{app}/formations/x", {}),
            ("GET", "/apps/nobody/jobs", None), ("POST", "/apps/nobody/jobs", {"release": release, "cmd": ["x"]}), ("DELETE", "/apps/nobody/jobs/x", None),
            ("DELETE", f"/apps/{app}/jobs/x", None), ("GET", f"/apps/{app}/jobs/x/log", None), ("GET", "/apps/nobody/jobs/x/log", None),
            ("GET", "/apps/nobody/routes", None), ("POST", "/apps/nobody/routes", {"type": "http", "config": {"domain": "x.y"}}),
            ("GET", f"/apps/nobody/routes/http/{NOBODY}", None), ("GET", f"/apps/{app}/routes/http/{NOBODY}", None), ("DELETE", f"/apps/{app}/routes/tcp/{NOBODY}", None),
            ("GET", "/apps/nobody/resources", None)):
        a = w.ask(method, path, body)
        assert a.status == 404, (method, path, a)
        a.empty(404)
