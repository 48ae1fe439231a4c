"""What is true of every route: keys, content types, framing, the shapes of errors."""

from world import KEY, Client, Stream, basic, case, dashed


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
    for method, path in (("GET", "/"), ("GET", "/nothing"), ("GET", "/apps/a/b/c/d/e"), ("POST", "/nothing")):
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
