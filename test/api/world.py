"""What the contract's cases speak with: a client that writes and reads bytes, event streams, frames of attached jobs,
and objects that most cases begin with. Where the daemons are, test_api.sh says in the environment."""

import base64
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time

PORT = int(os.environ["API_PORT"])
OTHER_PORT = int(os.environ["OTHER_API_PORT"])
HOST_PORT = int(os.environ["HOST_PORT"])
ROUTER_PORT = int(os.environ["ROUTER_PORT"])
SHELF_PORT = int(os.environ["SHELF_PORT"])
KEY = os.environ["API_KEY"]
CLUSTER_KEY = os.environ["CLUSTER_KEY"]
HOST_ID = os.environ["HOST_ID"]
LIMIT = 15.0  # seconds that anything may take
NOBODY = "0" * 32

CASES = []
ANSWERED = set()  # (method, path without query, status, content type) of all that was asked


def case(f):
    CASES.append(f)
    return f


def basic(key, user=""):
    return "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()


def dashed(id):
    return f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}"


def wait_for(what, true, limit=LIMIT):
    end = time.monotonic() + limit
    while not (value := true()):
        assert time.monotonic() < end, f"waited {limit} s for {what}"
        time.sleep(0.01)
    return value


PLACES = {
    "id": "[0-9a-f]{32}",
    "job": HOST_ID + "-[0-9a-f]{32}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,8}[1-9])?Z",
    "n": "[0-9]+",
    "text": r'[^"\\]+',
}


def fits(text, pattern):
    """Whether text is pattern, byte for byte, but for its <id>, <job>, <time>, <n>, <text>."""
    parts = re.split("<(" + "|".join(PLACES) + ")>", pattern)
    regex = "".join(PLACES[p] if i % 2 else re.escape(p) for i, p in enumerate(parts))
    return re.fullmatch(regex, text, re.S) is not None


class Answer:
    def __init__(self, head, body=b""):
        lines = head.decode("latin-1").split("\r\n")
        self.head = head
        self.line = lines[0]
        self.status = int(lines[0].split(" ")[1])
        self.headers = [tuple(x.strip() for x in h.split(":", 1)) for h in lines[1:] if h]
        self.body = body

    def get(self, name):
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.line}: {self.body[:600]!r}"

    def exactly(self, pattern, status=200):
        """A JSON answer of just these bytes."""
        assert self.status == status, self
        assert fits(self.text, pattern), f"got  {self.text}\nwant {pattern}"
        assert self.get("Content-Type") == "application/json; charset=UTF-8", self.headers
        return self.json

    def empty(self, status=200):
        assert self.status == status and self.body == b"" and self.get("Content-Length") == "0", self
        assert self.get("Content-Type") is None, self.headers

    def refuses(self, field, message=""):
        """A 400 as old clients print it: which field (None: none), and a sentence with these words."""
        assert self.status == 400, self
        assert self.get("Content-Type") == "application/json; charset=UTF-8", self.headers
        v = self.json
        assert v.get("field") == field and isinstance(v.get("message"), str) and v["message"], self
        assert set(v) <= {"field", "message", "overall", "fields"}, self
        assert message in v["message"], self

    def fails(self, status, code):
        """Any other error: {"code","message"}."""
        assert self.status == status, self
        v = self.json
        assert set(v) == {"code", "message"} and v["code"] == code and v["message"], self


class Client:
    """A connection, for bytes."""

    def __init__(self, port=None):
        self.sock = socket.create_connection(("127.0.0.1", port or PORT), LIMIT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.f = self.sock.makefile("rb")
        self.asked = []  # and not answered yet

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.f.close()
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def ask(self, method, path, body=None, headers=(), key=KEY, content_type="application/json"):
        """As the original's clients do: a Content-Type on every request, a Content-Length on those that have a body."""
        head = f"{method} {path} HTTP/1.1\r\nHost: controller.test.local:443\r\nUser-Agent: Go-http-client/1.1\r\n"
        if key is not None:
            head += f"Authorization: {basic(key)}\r\n"
        if content_type is not None:
            head += f"Content-Type: {content_type}\r\n"
        head += "".join(f"{k}: {v}\r\n" for k, v in headers)
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        body = body.encode() if isinstance(body, str) else body
        if body is not None or method in ("POST", "PUT"):
            head += f"Content-Length: {len(body or b'')}\r\n"
        self.asked.append((method, path.split("?")[0]))
        return self.send((head + "Accept-Encoding: gzip\r\n\r\n").encode() + (body or b""))

    def read_head(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.f.readline()
            assert line, f"the connection ended in the head: {head!r}"
            head += line
        a = Answer(head[:-4])
        if self.asked and a.status != 100:
            ANSWERED.add((*self.asked.pop(0), a.status, a.get("Content-Type")))
        return a

    def read_chunk(self):
        """None at the end."""
        line = self.f.readline()
        if not line:
            return None
        n = int(line.split(b";")[0], 16)
        data = self.f.read(n)
        assert len(data) == n and self.f.readline() == b"\r\n"
        return data if n else None

    def read_answer(self, method="GET"):
        a = self.read_head()
        if method == "HEAD" or a.status < 200:
            return a
        if a.get("Transfer-Encoding") == "chunked":
            while (chunk := self.read_chunk()) is not None:
                a.body += chunk
        elif a.get("Content-Length") is not None:
            a.body = self.f.read(int(a.get("Content-Length")))
            assert len(a.body) == int(a.get("Content-Length")), "the answer was cut"
        else:
            a.body = self.f.read()
        return a


class Stream:
    """Server-sent events."""

    def __init__(self, path, headers=(), accept="text/event-stream", port=None, key=KEY):
        self.c = Client(port)
        self.c.ask("GET", path, headers=[("Accept", accept), *headers] if accept else headers, key=key)
        self.head = self.c.read_head()
        self.buf = b""
        self.comments = 0
        self.chunked = self.head.get("Transfer-Encoding") == "chunked"
        if self.head.status == 200:
            assert self.head.get("Content-Type") == "text/event-stream; charset=utf-8", self.head.headers

    def __enter__(self):
        assert self.head.status == 200, self.head
        return self

    def __exit__(self, *_):
        self.c.close()

    def more(self):
        data = self.c.read_chunk() if self.chunked else self.c.f.read1(65536)
        if not data:
            return False
        self.buf += data
        return True

    def next(self):
        """The next event, (event, id, data); None at the end of the stream."""
        while True:
            while b"\n\n" not in self.buf:
                if self.buf.startswith(b":") and b"\n" in self.buf:
                    self.buf = self.buf.split(b"\n", 1)[1]
                    self.comments += 1
                elif not self.more():
                    return None
            block, self.buf = self.buf.split(b"\n\n", 1)
            got = {}
            for line in block.decode().split("\n"):
                if line.startswith(":") or not line:
                    self.comments += 1
                    continue
                k, v = line.split(": ", 1)
                got[k] = got[k] + "\n" + v if k in got else v
            if got:
                return got.get("event"), got.get("id"), got.get("data")

    def until(self, true):
        """Events up to the first that is true of; that is the last one."""
        seen = []
        while True:
            e = self.next()
            assert e is not None, f"the stream ended after {seen}"
            seen.append(e)
            if true(e):
                return seen

    def silent(self, seconds=0.3):
        """Whether no event comes for so long."""
        self.c.sock.settimeout(seconds)
        try:
            return self.next() is None
        except (TimeoutError, socket.timeout):
            return True
        finally:
            self.c.close()


def frame(stream, data):
    return struct.pack(">BBI", 3, stream, len(data)) + data


def frames(data):
    """Every frame of data: (stream, bytes) or ("exit", status)."""
    out = []
    while data:
        if data[0] == 5:
            out.append(("exit", struct.unpack(">I", data[1:5])[0]))
            data = data[5:]
        else:
            kind, stream, n = struct.unpack(">BBI", data[:6])
            assert kind == 3 and len(data) >= 6 + n, data
            out.append((stream, data[6:6 + n]))
            data = data[6 + n:]
    return out


def psql(sql, wait=True):
    """What the controllers' database answers; without waiting, the process that asks it."""
    words = [os.path.dirname(os.environ["PG_CTL"]) + "/psql", "-h", "127.0.0.1", "-p", os.environ["PG_PORT"], "-U", "flynn", "-d", "postgres", "-qtAc", sql]
    if not wait:
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


class World:
    def __init__(self):
        self.n = 0

    def name(self):
        self.n += 1
        return f"app-{os.getpid()}-{self.n}"

    def ask(self, method, path, body=None, port=None, **how):
        with Client(port) as c:
            return c.ask(method, path, body, **how).read_answer(method)

    def get(self, path, **how):
        return self.ask("GET", path, **how)

    def ok(self, method, path, body=None, **how):
        a = self.ask(method, path, body, **how)
        assert a.status == 200, f"{method} {path}: {a!r}"
        return a.json if a.body else None

    def app(self, **more):
        return self.ok("POST", "/apps", {"name": self.name(), **more})

    def artifact(self):
        self.n += 1
        return self.ok("POST", "/artifacts", {"type": "docker", "uri": f"https://registry.hub.docker.com/flynn/x?id={self.n}-{os.getpid()}"})["id"]

    def release(self, *types, **more):
        processes = {t: {"cmd": ["start", t]} for t in types}
        body = {"artifact": self.artifact(), **({"processes": processes} if processes else {}), **more}
        return self.ok("POST", "/releases", body)["id"]

    def living(self, *types):
        """An app with a release that is set: its name, its id, its release."""
        app, release = self.app(), self.release(*(types or ("web", "worker")))
        self.ok("PUT", f"/apps/{app['name']}/release", {"id": release})
        return app["name"], app["id"], release

    def job(self, app, release, state="up", port=None, **more):
        self.n += 1
        id = f"{HOST_ID}-{os.getpid():016x}{self.n:016x}"
        return self.ok("PUT", f"/apps/{app}/jobs/{id}", {"id": id, "release": release, "type": "web", "state": state, **more}, port=port)

    def host(self, path, method="GET", body=None):
        return self.ask(method, path, body, port=HOST_PORT, key=CLUSTER_KEY)


def run(cases, world, only):
    """TAP: a case is a function of the world."""
    failed = 0
    chosen = [c for c in cases if not only or c.__name__ in only]
    print(f"1..{len(chosen)}")
    for n, f in enumerate(chosen, 1):
        name = f.__module__ + ": " + f.__name__.replace("_", " ")
        try:
            f(world)
            print(f"ok {n} - {name}", flush=True)
        except Exception as e:  # a test that breaks has failed
            failed += 1
            import traceback
            print(f"not ok {n} - {name}")
            for line in (traceback.format_exc().rstrip() + f"\n{e!r}").split("\n"):
                print(f"# {line}")
            sys.stdout.flush()
    return 1 if failed else 0
