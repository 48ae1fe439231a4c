"""What is true of every route: keys, content types, framing, the shapes of errors, hostile bodies."""

from world import KEY, NOBODY, Client, Stream, basic, case, dashed

# Every route that takes a body: where, a body that is right but for what a case adds, and whether it is one of those
# that insist on a Content-Type and take an empty body.
BODIES = [
    ("POST", "/apps", {"name": None}, False),
    ("POST", "/apps/{app}", {"protected": False}, False),
    ("POST", "/artifacts", {"type": "docker", "uri": "https://example.com/bodies"}, False),
    ("POST", "/releases", {"artifact": "{artifact}"}, False),
    ("POST", "/keys", {"key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtN3obDx3DMMraWNnOIjxp/P9yZmEJTPgIx+2bRiwkK"}, False),
    ("POST", "/providers", {"name": None, "url": "http://{name}.example.com/x"}, False),
    ("PUT", "/apps/{app}/release", {"id": "{release}"}, True),
    ("PUT", "/apps/{app}/formations/{release}", {"processes": {"web": 1}}, True),
    ("POST", "/apps/{app}/jobs", {"cmd": ["true"]}, True),
    ("PUT", "/apps/{app}/jobs/host0-" + "b" * 32, {"release": "{release}", "state": "up"}, True),
    ("POST", "/providers/{provider}/resources", {"apps": ["{app}"]}, True),
    ("PUT", "/providers/{provider}/resources/{new_id}", {"external_id": None}, True),
    ("POST", "/apps/{app}/routes", {"type": "http", "config": {"domain": None, "service": "x-web"}}, True),
]


def filled(w, method, path, body):
    """The route and body, with objects that are there and names that are new."""
    if not hasattr(w, "bodies"):
        app, _, release = w.living()
        provider = w.ok("POST", "/providers", {"name": w.name(), "url": f"http://postgres-api.discoverd/databases?{w.name()}"})
        w.bodies = {"app": app, "release": release, "artifact": w.artifact(), "provider": provider["name"]}
    new = {**w.bodies, "name": w.name(), "new_id": f"{w.n:032x}"}

    def fill(v):
        if isinstance(v, dict):
            return {k: fill(x) for k, x in v.items()}
        if isinstance(v, list):
            return [fill(x) for x in v]
        return w.name() if v is None else v.format(**new) if isinstance(v, str) else v

    return method, path.format(**new), fill(body)


@case
def ping_is_open_to_every_method(w):
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        a = w.ask(method, "/ping", key=None)
        assert a.status == 200 and a.body == b"", (method, a)


@case
def all_else_wants_the_key(w):
    for method, path in (("GET", "/"), ("GET", "/apps"), ("POST", "/apps"), ("PUT", "/apps"), ("DELETE", "/apps/x"), ("GET", "/nothing/there"),
                         ("GET", "/_goRPC_"), ("GET", "/formations"), ("GET", "/apps/x/jobs/y/log"), ("GET", "/events")):
        for key in (None, "", "wrong", KEY[:-1], KEY + "x", KEY.upper()):
            a = w.ask(method, path, key=key)
            a.empty(401)
            assert a.get("WWW-Authenticate") is None, (method, path, a.headers)
    for sent in ("Basic", "Basic !!!", "Bearer " + KEY, KEY, basic(KEY).split()[1]):
        w.ask("GET", "/apps", key=None, headers=[("Authorization", sent)]).empty(401)


@case
def the_user_name_says_nothing(w):
    for user in ("", "me", "Bearer", "a b"):
        assert w.ask("GET", "/apps", key=None, headers=[("Authorization", basic(KEY, user))]).status == 200, user


@case
def event_streams_take_the_key_in_the_query(w):
    """Browsers cannot send a header with an EventSource."""
    with Stream(f"/formations?key={KEY}", key=None) as s:
        assert s.next() is not None
    w.get(f"/formations?key={KEY}x", key=None, headers=[("Accept", "text/event-stream")]).empty(401)
    w.get(f"/apps?key={KEY}", key=None).empty(401)
    w.get(f"/formations?key={KEY}", key="wrong", headers=[("Accept", "text/event-stream")]).empty(401)


@case
def browsers_of_every_origin_may_ask(w):
    a = w.ask("OPTIONS", "/apps", key=None, headers=[("Origin", "https://dashboard.example.com"), ("Access-Control-Request-Method", "POST"),
                                                     ("Access-Control-Request-Headers", "authorization, content-type")])
    assert a.status == 200 and a.body == b"", a
    assert a.get("Access-Control-Allow-Origin") in ("*", "https://dashboard.example.com"), a.headers
    for name, words in (("Methods", "GET POST PUT DELETE HEAD"), ("Headers", "authorization accept content-type")):
        allowed = (a.get("Access-Control-Allow-" + name) or "").lower()
        assert all(word.lower() in allowed for word in words.split()), a.headers
    a = w.get("/apps", headers=[("Origin", "https://dashboard.example.com")])
    assert a.get("Access-Control-Allow-Origin") in ("*", "https://dashboard.example.com"), a.headers


@case
def an_unknown_route_is_404_in_words(w):
    for method, path in (("GET", "/"), ("GET", "/nothing"), ("GET", "/apps/a/b/c/d/e"), ("POST", "/nothing"), ("GET", "/_goRPC_")):
        a = w.ask(method, path)
        assert a.status == 404 and a.body.rstrip(b"\n") == b"404 page not found", (path, a)
        assert a.get("Content-Type").startswith("text/plain"), a.headers


@case
def a_trailing_slash_says_nothing(w):
    app = w.app()["name"]
    for path in ("/apps/", f"/apps/{app}/", f"/apps/{app}/jobs/", "/keys/"):
        assert w.get(path).status == 200, path


@case
def head_is_answered_as_get_without_a_body(w):
    app = w.app()["name"]
    for path in ("/apps", f"/apps/{app}", "/releases", "/keys"):
        get, head = w.get(path), w.ask("HEAD", path)
        assert head.status == 200 and head.body == b"" and head.get("Content-Type") == get.get("Content-Type"), head
    assert w.ask("HEAD", "/apps/nobody").status == 404


@case
def json_is_compact_without_a_newline(w):
    a = w.get(f"/apps/{w.app()['name']}")
    assert a.get("Content-Type") == "application/json; charset=UTF-8", a.headers
    assert a.line == "HTTP/1.1 200 OK" and int(a.get("Content-Length")) == len(a.body), a
    assert b"\n" not in a.body and b": " not in a.body and b", " not in a.body, a


@case
def a_content_type_without_a_body_is_fine(w):
    """The clients of 2014 send one on every GET and DELETE."""
    app = w.app()["name"]
    for content_type in ("application/json", None):
        assert w.get(f"/apps/{app}", content_type=content_type).status == 200
    w.ask("DELETE", f"/apps/{app}", content_type="application/json").empty()


@case
def one_connection_serves_many_requests(w):
    with Client() as c:
        for _ in range(3):
            c.ask("GET", "/apps/nobody")
            c.ask("POST", "/apps", {"name": w.name()})
            c.ask("GET", "/apps")
            assert [c.read_answer().status for _ in range(3)] == [404, 200, 200]


@case
def chunked_bodies_are_taken(w):
    body = b'{"name":"%s"}' % w.name().encode()
    with Client() as c:
        c.send(f"POST /apps HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(KEY)}\r\nContent-Type: application/json\r\n"
               f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
        assert c.read_answer().status == 200


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
    for method, path, body, strict in BODIES:
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
    for method, path, body, strict in BODIES:
        method, path, _ = filled(w, method, path, body)
        a = w.ask(method, path)
        assert strict or a.status == 400, (method, path, a)
        assert not strict or "provided JSON" not in a.text, (method, path, a)


@case
def bodies_have_a_bound(w):
    for method, path, body, _ in BODIES:
        method, path, _ = filled(w, method, path, body)
        bound = (4 if path == "/releases" else 1) << 20
        a = w.ask(method, path, b" " * bound + b"{}")
        assert a.status == 400 and a.json["message"], (method, path, a)
        a = w.ask(method, path, b"{}".ljust(bound))  # this much is read
        assert "big" not in a.text and "larger" not in a.text, (method, path, a)


@case
def unknown_fields_are_ignored(w):
    for method, path, body, _ in BODIES:
        if path.endswith("/routes"):
            continue  # its own case
        m, p, b = filled(w, method, path, body)
        a = w.ask(m, p, {**b, "nonsense": {"a": [1, None]}, "created_at": "2001-01-01T00:00:00Z", "updated_at": "x"})
        assert a.status == 200 and "nonsense" not in a.text and '"2001-' not in a.text, (m, p, a)


@case
def wrong_types_are_refused_by_name(w):
    wrong = {
        "/apps": [("name", 1), ("name", []), ("id", 1), ("id", "zzz"), ("protected", "yes"), ("protected", 1), ("meta", []), ("meta", {"a": 1}),
                  ("meta", {"a": None}), ("meta", "x")],
        "/apps/{app}": [("protected", "yes"), ("protected", {}), ("meta", {"a": 1}), ("meta", [1])],
        "/artifacts": [("type", 1), ("uri", {}), ("id", "x" * 32)],
        "/releases": [("artifact", 1), ("artifact", "x"), ("env", []), ("env", {"A": 1}), ("processes", []), ("processes", {"web": []}),
                      ("processes", {"web": {"cmd": "x"}}), ("processes", {"web": {"cmd": [1]}}), ("processes", {"web": {"env": {"A": 1}}}),
                      ("processes", {"web": {"ports": 1}}), ("processes", {"web": {"ports": [{"port": "80"}]}}),
                      ("processes", {"web": {"ports": [{"port": 70000}]}}), ("processes", {"web": {"data": "yes"}}), ("processes", {"a b": {}})],
        "/keys": [("key", 1), ("key", ["x"])],
        "/providers": [("name", 1), ("url", 1), ("url", [])],
        "/apps/{app}/release": [("id", 1), ("id", "x"), ("id", [])],
        "/apps/{app}/formations/{release}": [("processes", []), ("processes", {"web": "1"}), ("processes", {"web": 1.5}), ("processes", {"web": -1}),
                                             ("processes", {"web": 1e30}), ("processes", {"web": None}), ("processes", {"foo": 1})],
        "/apps/{app}/jobs/host0-" + "b" * 32: [("state", 1), ("state", "happy"), ("release", "x"), ("type", 1), ("id", 1), ("cmd", "x")],
        "/providers/{provider}/resources": [("apps", "x"), ("apps", [1]), ("apps", {})],
        "/providers/{provider}/resources/{new_id}": [("env", {"A": 1}), ("apps", "x"), ("external_id", 1)],
    }
    for method, path, body, _ in BODIES:
        for field, value in wrong.get(path, []):
            m, p, b = filled(w, method, path, body)
            a = w.ask(m, p, {**b, field: value})
            assert a.status == 400 and a.json.get("field") == field and a.json["message"], (m, p, field, value, a)
    m, p, b = filled(w, "POST", "/apps/{app}/jobs", {})
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


@case
def ids_come_in_both_forms_and_go_out_in_one(w):
    app = w.app()
    release, artifact = w.release("web"), w.artifact()
    provider = w.ok("POST", "/providers", {"name": w.name(), "url": f"http://postgres-api.discoverd/databases?{w.name()}"})
    w.ok("PUT", f"/apps/{dashed(app['id'])}/release", {"id": dashed(release)})
    w.ok("PUT", f"/apps/{dashed(app['id'])}/formations/{dashed(release)}", {"processes": {"web": 1}})
    resource = w.ok("POST", f"/providers/{dashed(provider['id'])}/resources", {"apps": [dashed(app["id"])]})
    other = w.ok("POST", "/releases", {"artifact": dashed(artifact)})
    assert other["artifact"] == artifact
    for path in (f"/apps/{{}}|{app['id']}", f"/releases/{{}}|{release}", f"/artifacts/{{}}|{artifact}", f"/providers/{{}}|{provider['id']}",
                 f"/apps/{app['id']}/formations/{{}}|{release}", f"/apps/{{}}/formations/{release}|{app['id']}", f"/apps/{{}}/jobs|{app['id']}",
                 f"/providers/{provider['name']}/resources/{{}}|{resource['id']}", f"/apps/{{}}/resources|{app['id']}", f"/apps/{{}}/routes|{app['id']}"):
        path, id = path.split("|")
        answers = [w.get(path.format(form)) for form in (id, dashed(id), dashed(id).upper(), id.upper())]
        assert all(a.status == 200 and a.body == answers[0].body for a in answers), (path, answers)
        assert dashed(id) not in answers[0].text, answers
    given = "%032x" % (0xabcdef << 100 | w.n)
    assert w.ok("POST", "/apps", {"id": dashed(given).upper(), "name": w.name()})["id"] == given
