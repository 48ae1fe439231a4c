"""CONNECT /_goRPC_: the stream of formations as schedulers of 2014 ask for it, by gob and by JSON.

The gob here is written from the format's description, https://pkg.go.dev/encoding/gob, and reads any type.
"""

import calendar
import io
import json
import os
import struct
import time

from world import ANSWERED, KEY, OTHER_PORT, Client, basic, case, wait_for

GOB, JSON = "application/vnd.flynn.rpc-hijack+gob", "application/vnd.flynn.rpc-hijack+json"
STREAM = "Controller.StreamFormations"
YEAR_ONE = 62135596800  # seconds from Go's zero time to the epoch
BOOL, INT, UINT, STRING = 1, 2, 3, 6


def uint(n):
    if n < 128:
        return bytes([n])
    b = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([256 - len(b)]) + b


def sint(n):
    return uint(~n << 1 | 1 if n < 0 else n << 1)


def text(s):
    return uint(len(s.encode())) + s.encode()


def message(b):
    return uint(len(b)) + b


def described_struct(id, name, *fields):
    common = b"\1" + (b"\1" + text(name) + b"\1" if name else b"\2") + sint(id) + b"\0"
    listed = b"\1" + uint(len(fields)) + b"".join(b"\1" + text(n) + b"\1" + sint(t) + b"\0" for n, t in fields) if fields else b""
    return message(sint(-id) + b"\3" + common + listed + b"\0\0")


REQUEST = described_struct(65, "Request", ("ServiceMethod", STRING), ("Seq", UINT))
TIME = message(sint(-66) + b"\5\1\1" + text("Time") + b"\1" + sint(66) + b"\0\0\0")
EMPTY = described_struct(67, "")
THING = described_struct(68, "Thing", ("A", STRING), ("B", 69)) + message(
    sint(-69) + b"\4\1\1" + text("map[string]int") + b"\1" + sint(69) + b"\0\1" + sint(STRING) + b"\1" + sint(INT) + b"\0\0")


def gob_request(method, seq):
    return message(sint(65) + b"\1" + text(method) + (b"\1" + uint(seq) if seq else b"") + b"\0")


def gob_time(unix=-YEAR_ONE, ns=0):
    return message(sint(66) + b"\0" + b"\x0f\1" + struct.pack(">qih", unix + YEAR_ONE, ns, -1))


class Gob:
    """Reads values of a connection into what Python has for them; a struct's fields that are zero are not there."""

    def __init__(self, f):
        self.f = f
        self.types = {}
        self.described = []  # names, in order

    def bytes(self, n):
        b = self.f.read(n)
        assert len(b) == n, "the connection ended"
        return b

    @staticmethod
    def uint(f):
        first = f.read(1)[0]
        return first if first < 128 else int.from_bytes(f.read(256 - first), "big")

    @classmethod
    def int(cls, f):
        n = cls.uint(f)
        return ~(n >> 1) if n & 1 else n >> 1

    def message(self):
        first = self.bytes(1)
        rest = self.bytes(256 - first[0]) if first[0] > 127 else b""
        return io.BytesIO(self.bytes(self.uint(io.BytesIO(first + rest))))

    def fields(self, f):
        n = -1
        while (delta := self.uint(f)) != 0:
            n += delta
            yield n

    def named(self, f):
        name, id = "", 0
        for n in self.fields(f):
            if n == 0:
                name = f.read(self.uint(f)).decode()
            else:
                id = self.int(f)
        return name, id

    def describe(self, id, f):
        assert id not in self.types, f"{id} is described twice"
        for kind in self.fields(f):
            members = []
            for n in self.fields(f):
                if n == 0:
                    name, own = self.named(f)
                    assert own == id
                elif kind == 2:
                    members = [self.named(f) for _ in range(self.uint(f))]
                else:
                    members.append(self.int(f))
            self.types[id] = (kind, members)
            self.described.append(name)
        assert not f.read(), "more behind a description"

    def value(self, id, f):
        if id == BOOL:
            return self.uint(f) == 1
        if id == INT:
            return self.int(f)
        if id == UINT:
            return self.uint(f)
        if id == STRING:
            return f.read(self.uint(f)).decode()
        kind, members = self.types[id]
        if kind == 1:
            return [self.value(members[0], f) for _ in range(self.uint(f))]
        if kind == 2:
            return {members[n][0]: self.value(members[n][1], f) for n in self.fields(f)}
        if kind == 3:
            return {self.value(members[0], f): self.value(members[1], f) for _ in range(self.uint(f))}
        assert kind == 4, kind
        data = f.read(self.uint(f))
        assert len(data) == 15 and data[0] == 1 and data[13:] == b"\xff\xff", data
        s, ns = struct.unpack(">qi", data[1:13])
        return s - YEAR_ONE, ns

    def next(self):
        while (id := self.int(f := self.message())) < 0:
            self.describe(-id, f)
        assert self.types[id][0] == 2, "only structs come at the top"
        v = self.value(id, f)
        assert not f.read(), "more behind a value"
        return v


class Rpc(Client):
    def __init__(self, accept=GOB, port=None):
        super().__init__(port)
        self.gob = Gob(self.f)
        self.methods = set()  # that replies were to
        self.send(f"CONNECT /_goRPC_ HTTP/1.0\r\nAccept: {accept}\r\nAuthorization: {basic(KEY)}\r\n\r\n")
        want = b"HTTP/1.0 200 Connected to Go RPC\n\n"
        got = self.f.read(len(want))
        assert got == want, got
        ANSWERED.add(("CONNECT", "/_goRPC_", 200, None))
        if accept == GOB:
            self.send(REQUEST)

    def reply(self):
        """Of a call: its number, its error, its result."""
        head = self.gob.next()
        self.methods.add(head["ServiceMethod"])
        return head.get("Seq", 0), head.get("Error", ""), self.gob.next()

    def until(self, true):
        while not true(r := self.reply()):
            assert not r[1], r
        return r

    def told(self, seq):
        """All up to the sign that these were all, each once: notice of a change may come late."""
        got = {}
        while (r := self.reply())[2] != {}:
            assert r[:2] == (seq, ""), r
            got.setdefault((r[2]["App"]["ID"], r[2]["Release"]["ID"]), r[2])
        assert r == (seq, "", {}), r
        return list(got.values())

    def ended(self):
        try:
            return self.f.read() == b""
        except ConnectionResetError:  # some of what was sent was not read
            return True


def unix(rfc3339):
    whole, _, part = rfc3339[:-1].partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")), int(part.ljust(9, "0") or 0)


@case
def only_connect_with_the_key_is_taken(w):
    for method in ("GET", "POST", "PUT", "DELETE"):
        a = w.ask(method, "/_goRPC_")
        assert a.status == 405 and a.body == b"405 must CONNECT\n" and a.get("Content-Type") == "text/plain; charset=utf-8", a
    w.ask("CONNECT", "/_goRPC_", key=None).empty(401)
    w.ask("CONNECT", "/_goRPC_", key="wrong").empty(401)
    for elsewhere in ("/elsewhere", "/_goRPC_/", "/_goRPC_?x", "example.com:443"):
        assert w.ask("CONNECT", elsewhere).status == 400, elsewhere


@case
def formations_are_streamed_by_gob(w):
    processes = {"web": {"cmd": ["start", "web"], "env": {"A": "b", "EMPTY": ""}, "ports": {"tcp": 1}, "data": True, "omni": True}, "idle": {}}
    app, id, _ = w.living("web")
    release = w.release(processes=processes, env={"E": "\u00fc"})
    w.ok("POST", f"/apps/{app}", {"meta": {"k": "v"}, "protected": False})
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 300, "idle": 0}})
    with Rpc() as c:
        c.send(gob_request(STREAM, 0) + TIME + gob_time())
        all = c.told(0)
        assert c.gob.described[:2] == ["Response", "ExpandedFormation"] and c.methods == {STREAM}, c.gob.described
        assert [f["UpdatedAt"] for f in all] == sorted((f["UpdatedAt"] for f in all), reverse=True), "newest first"
        f = [f for f in all if f["Release"]["ID"] == release]
        a, r = w.ok("GET", f"/apps/{id}"), w.ok("GET", f"/releases/{release}")
        t = w.ok("GET", f"/artifacts/{r['artifact']}")
        assert len(f) == 1 and f[0] == {
            "App": {"ID": id, "Name": app, "Meta": {"k": "v"}, "CreatedAt": unix(a["created_at"]), "UpdatedAt": unix(a["updated_at"])},
            "Release": {"ID": release, "ArtifactID": t["id"], "Env": {"E": "\u00fc"}, "CreatedAt": unix(r["created_at"]), "Processes": {
                "web": {"Cmd": ["start", "web"], "Env": {"A": "b", "EMPTY": ""}, "Ports": [{"Proto": "tcp"}], "Data": True, "Omni": True},
                "idle": {}}},
            "Artifact": {"ID": t["id"], "Type": t["type"], "URI": t["uri"], "CreatedAt": unix(t["created_at"])},
            "Processes": {"web": 300},
            "UpdatedAt": unix(w.ok("GET", f"/apps/{id}/formations/{release}")["updated_at"]),
        }, f
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 2, "idle": 1}})
        c.until(lambda r: r[2]["Release"]["ID"] == release and r[2]["Processes"] == {"web": 2, "idle": 1})
        w.ok("DELETE", f"/apps/{app}/formations/{release}")
        last = c.until(lambda r: r[2]["Release"]["ID"] == release and "Processes" not in r[2])
        assert last[2]["App"]["ID"] == id, last


@case
def many_calls_share_a_connection(w):
    app, id, release = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
    s, ns = unix(w.ok("GET", f"/apps/{app}/formations/{release}")["updated_at"])
    with Rpc(port=OTHER_PORT) as c:
        c.send(gob_request(STREAM, 7) + TIME + gob_time(s, ns))
        assert id in [f["App"]["ID"] for f in c.told(7)]
        c.send(gob_request(STREAM, 1 << 40) + gob_time(4102444800))
        c.until(lambda r: r == (1 << 40, "", {}))
        for n, (method, why) in enumerate((("Controller.Nothing", "can't find method"), ("Agent.Register", "can't find service"), ("nonsense", "ill-formed"),
                                           ("a.b.c", "ill-formed"), ("ControllerX.Y", "can't find service"))):
            c.send(gob_request(method, 100 + n) + (THING if n == 0 else b"") + message(sint(68) + b"\1" + text("x") + b"\0"))
            _, error, nothing = c.until(lambda r: r[0] == 100 + n)
            assert why in error and method in error and nothing == {}, (method, error, nothing)
        c.send(gob_request(STREAM, 200) + message(sint(68) + b"\0"))
        assert "a time" in c.until(lambda r: r[0] == 200)[1]
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 4}})
        seen = set()
        while seen != {7, 1 << 40}:
            seq, error, f = c.reply()
            assert not error
            if f["App"]["ID"] == id and f["Processes"] == {"web": 4}:
                seen.add(seq)
        c.send(gob_request("CloseStream", 9999) + EMPTY + message(sint(67) + b"\0"))  # there is none
        c.send(gob_request("CloseStream", 7) + message(sint(67) + b"\0"))
        assert c.until(lambda r: r[0] == 7 and r[1]) == (7, "EOS", {})
        w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 5}})
        while (r := c.reply())[2]["App"]["ID"] != id or r[2]["Processes"] != {"web": 5}:
            assert r[:2] == (1 << 40, ""), "the other was closed"
        assert r[0] == 1 << 40


@case
def formations_are_streamed_by_json(w):
    app, id, release = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
    since = w.ok("GET", f"/apps/{app}/formations/{release}")["updated_at"]
    with Rpc(JSON) as c:
        def reply():
            line = c.f.readline().decode()
            assert line.endswith("\n") and list(json.loads(line)) == ["id", "result", "error"], line
            return json.loads(line)

        c.send(json.dumps({"method": STREAM, "params": [since], "id": {"any": ["value", 1]}}) + "\n")
        got = []
        while (r := reply())["result"] != {"updated_at": "0001-01-01T00:00:00Z"}:
            assert r["id"] == {"any": ["value", 1]} and r["error"] is None, r
            got.append(r["result"])
        mine = [f for f in got if f["app"]["id"] == id]
        assert mine and mine[0]["release"] == w.ok("GET", f"/releases/{release}") and mine[0]["processes"] == {"web": 1}, mine
        def answer(id):
            while (r := reply())["id"] != id:
                assert r["error"] is None, r  # a change, of the stream
            return r

        c.send(json.dumps({"method": "Controller.No", "params": [{}], "id": 2}))
        assert answer(2) == {"id": 2, "result": {}, "error": "rpc: can't find method Controller.No"}
        for params in ([], {}, None, ["yesterday"], [1]):
            c.send("\n" + json.dumps({"method": STREAM, "params": params}))
            assert "a time" in answer(None)["error"], params
        c.send(json.dumps({"method": "CloseStream", "params": [{}], "id": 1}))  # which finds nothing
        w.ok("DELETE", f"/apps/{app}/formations/{release}")
        while (r := reply())["result"]["app"]["id"] != id or "processes" in r["result"]:
            assert r["error"] is None
        whole = json.dumps({"method": "x", "params": ["{\"\\"], "id": "}"})
        for piece in whole:
            c.send(piece)
        assert "ill-formed" in answer("}")["error"]


@case
def what_is_no_request_ends_the_connection(w):
    for garbage in (b"\0", b"\x80", b"\xf8" + b"\xff" * 8, b"\1\0", gob_time(), REQUEST, TIME + gob_time(), EMPTY + message(sint(67) + b"\0"),
                    gob_request("x", 1) + b"\3\xff\xff\xff", message(b"x" * 20000)):
        with Rpc() as c:
            c.send(garbage)
            assert c.ended(), garbage
    for garbage in ("[]", "null", '{"method":1}', "{]", "{" + " " * 20000, '{"a":1,"a":2}'):
        with Rpc(JSON) as c:
            c.send(garbage)
            assert c.ended(), garbage


@case
def streams_of_a_connection_are_bounded(w):
    with Rpc() as c:
        c.send(TIME + b"".join(gob_request(STREAM, n) + gob_time(4102444800) for n in range(17)))
        assert "too many streams" in c.until(lambda r: r[0] == 16)[1]
        c.send(gob_request("CloseStream", 3) + EMPTY + message(sint(67) + b"\0"))
        assert c.until(lambda r: r[1]) == (3, "EOS", {})
        c.send(gob_request(STREAM, 20) + gob_time(4102444800))
        c.until(lambda r: r == (20, "", {}))


@case
def a_connection_that_goes_leaves_nothing_open(w):
    app, _, release = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
    fds = f"/proc/{os.environ['API_PID']}/fd"
    before = len(os.listdir(fds))
    for _ in range(10):
        with Rpc() as c:
            c.send(gob_request(STREAM, 0) + TIME + gob_time())
            c.reply()
        with Rpc() as c:
            c.send(gob_request(STREAM, 0) + TIME + gob_time())
    wait_for("the connections to be closed", lambda: len(os.listdir(fds)) <= before)


@case
def who_does_not_read_is_told_the_newest_only(w):
    app, id, release = w.living("web")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1}})
    with Rpc() as c:
        c.send(gob_request(STREAM, 0) + TIME + gob_time(4102444800))
        c.until(lambda r: r == (0, "", {}))
        big = w.release("web", env={"A": "x" * 900000})
        for n in range(1, 31):
            w.ok("PUT", f"/apps/{app}/formations/{big}", {"processes": {"web": n}})
        got = []
        while not got or got[-1] != 30:
            f = c.reply()[2]
            if f["Release"]["ID"] == big:
                got.append(f["Processes"]["web"])
        assert got == sorted(got) and len(got) <= 30, got
