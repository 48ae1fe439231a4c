"""Malformed, ambiguous and odd answers of instances: judged by what reached the client.

Each row names the clause that it is about. A bad answer is a 502 and nothing of it is passed on; where its
head was passed on already, the client is left no doubt that it is not whole. Its connection serves no other
request, the client's own stays, and the next request is answered with its own answer."""

import contextlib
import os
import random
import socket
import threading

from h2_client import H2
from payloads import BODIES, CODINGS, CONTROLS, FIELDS, LENGTHS, TOO_MUCH
from witness import OURS, shared_app, table
from world import LIMIT, answer, case, read_chunked, read_head, read_request

SECRET = "SECRET"  # whatever a bad answer says, the client must not see it
SCRIPTS = {}
GO = threading.Semaphore(0)
AWAIT_END, GIVEN_UP = object(), threading.Semaphore(0)


def reset(c, f):
    """Close with RST."""
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    f.close()
    c.close()


def scripted(inst, c, f):
    """Answers by SCRIPTS, which has pieces of bytes (None: wait for GO; AWAIT_END: tell GIVEN_UP when the connection has ended) and how it ends; any other target is echoed."""
    spoiled = None
    while (r := read_request(f)) is not None:
        inst.requests.append(r)
        if spoiled is not None:
            inst.reused = f"{r.target} came on the connection of {spoiled}"
        pieces, end = SCRIPTS.get(r.target, ((), "echo"))
        if end == "echo":
            answer(c, b"" if r.method == "HEAD" else r.target.encode())
            continue
        for piece in pieces:
            if piece is None:
                GO.acquire(timeout=5)
            elif piece is AWAIT_END:
                with contextlib.suppress(OSError):
                    c.recv(1)
                GIVEN_UP.release()
            else:
                c.sendall(piece)
        if end == "fin":
            c.shutdown(socket.SHUT_WR)
            f.read()
            return
        if end == "rst":
            reset(c, f)
            return
        if end == "spoiled":
            spoiled = r.target


def tell(pieces, end):
    """A target that is answered so."""
    target = f"/{len(SCRIPTS)}"
    SCRIPTS[target] = [p.encode("latin-1") if isinstance(p, str) else p for p in pieces], end
    return target


def bytewise(text):
    return [text[i:i + 1] for i in range(len(text))]


def up_to_the_end_of_the_head(text):
    """Byte for byte, but what may make a connection spoiled comes with the end of the head: an answer that has none is over there."""
    head = text.index("\r\n\r\n") + 3
    return bytewise(text[:head]) + [text[head:]]


def ask(c, host, target, method="GET", version="1.1", fields=""):
    return c.send(f"{method} {target} HTTP/{version}\r\nHost: {host}\r\n{fields}\r\n")


def spared(inst):
    """No request has come on a connection that a bad answer came from."""
    reused, inst.reused = getattr(inst, "reused", None), None
    assert reused is None, reused


def goes_on(w, c, host, inst):
    """The client's connection serves another request, and so does a new one."""
    a = ask(c, host, "/same").read_answer()
    assert a.status == 200 and a.body == b"/same", (a.line, a.body)
    assert w.get(host, "/other").body == b"/other"
    spared(inst)


def read_final(c, **kw):
    while (a := c.read_answer(**kw)).status < 200:
        pass
    return a


def is_502(w, pieces, end, method="POST", fields="Content-Length: 0\r\n"):
    host, inst = shared_app(w, scripted)
    target = tell(pieces, end)
    with w.client() as c:
        a = read_final(ask(c, host, target, method, fields=fields))
        assert a.status == 502, (a.line, a.headers)
        assert SECRET not in str(a.headers) and SECRET.encode() not in a.body, (a.headers, a.body)
        goes_on(w, c, host, inst)


def is_502_to_h2(w, pieces, end):
    host, inst = shared_app(w, scripted)
    with H2(w.router.http) as c:
        s = c.get(host, tell(pieces, end), method="POST")
        assert s.status == 502 and s.ended, (s.headers, s.reset)
        assert SECRET not in str(s.headers) and SECRET.encode() not in s.body, (s.headers, s.body)
        assert c.get(host, "/same").body == b"/same"
    spared(inst)


def bad(w, text):
    """At once and byte by byte, by an instance that stays and by one that ends; and to a client of HTTP/2."""
    is_502_to_h2(w, [text], "spoiled")
    is_502(w, [text], "spoiled")
    is_502(w, [text], "fin")
    is_502(w, bytewise(text) if len(text) < 400 else [text[:9], text[9:]], "spoiled")


def head(fields="", line="HTTP/1.1 200 OK"):
    return f"{line}\r\nX-Word: {SECRET}\r\n{fields}\r\n"


def sized(fields="", line="HTTP/1.1 200 OK"):
    return head(f"Content-Length: {len(SECRET)}\r\n" + fields, line) + SECRET


# ---- the status line ------------------------------------------------------------------------

table("status line", [(name, clause, sized(line=line)) for name, clause, line in [
    ("empty", "9112 4", ""),
    ("of words", "9112 4", "Hello, world"),
    ("of HTML", "9112 4; HTTP/0.9 has no framing", "<html><body>" + SECRET),
    ("a request line", "9112 4", "GET / HTTP/1.1"),
    ("an SSH greeting", "9112 4", "SSH-2.0-OpenSSH_9.2"),
    ("of ICY", "9112 2.3", "ICY 200 OK"),
    ("in lower case", "9112 2.3", "http/1.1 200 OK"),
    ("of HTTPS", "9112 2.3", "HTTPS/1.1 200 OK"),
    ("of HTTP/2", "9112 2.3", "HTTP/2 200 OK"),
    ("of HTTP/2.0", "9112 2.3", "HTTP/2.0 200 OK"),
    ("of HTTP/0.9", "9112 2.3", "HTTP/0.9 200 OK"),
    ("of HTTP/1", "9112 2.3", "HTTP/1 200 OK"),
    ("of HTTP/1.", "9112 2.3", "HTTP/1. 200 OK"),
    ("of HTTP/1.10", "9112 2.3", "HTTP/1.10 200 OK"),
    ("of HTTP/01.1", "9112 2.3", "HTTP/01.1 200 OK"),
    ("without a version", "9112 4", "HTTP 200 OK"),
    ("without a status", "9112 4", "HTTP/1.1 OK"),
    ("of a version only", "9112 4", "HTTP/1.1"),
    ("of a version and a space", "9112 4", "HTTP/1.1 "),
    ("with a status of two digits", "9112 4", "HTTP/1.1 20 OK"),
    ("with a status of four digits", "9112 4", "HTTP/1.1 2000 OK"),
    ("with a status of one digit", "9112 4", "HTTP/1.1 2 OK"),
    ("with status 000", "9110 15", "HTTP/1.1 000 OK"),
    ("with status 099", "9110 15", "HTTP/1.1 099 OK"),
    ("with status 600", "9110 15: outside of 100 to 599 is invalid", "HTTP/1.1 600 OK"),
    ("with status 999", "9110 15", "HTTP/1.1 999 OK"),
    ("with a signed status", "9112 4", "HTTP/1.1 +20 OK"),
    ("with a negative status", "9112 4", "HTTP/1.1 -200 OK"),
    ("with a letter in its status", "9112 4", "HTTP/1.1 2x0 OK"),
    ("with a hex status", "9112 4", "HTTP/1.1 0xC8 OK"),
    ("with words at its status", "9112 4", "HTTP/1.1 200OK"),
    ("with a fraction", "9112 4", "HTTP/1.1 200.1 OK"),
    ("with two spaces", "9112 4", "HTTP/1.1  200 OK"),
    ("with a tab", "9112 4", "HTTP/1.1\t200 OK"),
    ("with a tab behind the status", "9112 4", "HTTP/1.1 200\tOK"),
    ("with a leading space", "9112 4", " HTTP/1.1 200 OK"),
    ("with a leading NUL", "9112 4", "\0HTTP/1.1 200 OK"),
    ("with a byte order mark", "9112 4", "\xef\xbb\xbfHTTP/1.1 200 OK"),
    ("behind an empty line", "9112 2.2: allowed before requests only", "\r\nHTTP/1.1 200 OK"),
    ("behind an LF", "9112 2.2", "\nHTTP/1.1 200 OK"),
    ("of 8 KiB and more", "9112 4", "HTTP/1.1 200 " + "x" * 8192),
]] + [(f"with byte {c:#04x} in its reason", "9112 4", sized(line=f"HTTP/1.1 200 O{chr(c)}K")) for c in CONTROLS] + [
    ("ends with LF", "9112 2.2", f"HTTP/1.1 200 OK\nX: {SECRET}\r\n\r\n"),
    ("all lines end with LF", "9112 2.2", f"HTTP/1.1 200 OK\nX: {SECRET}\n\n"),
    ("ends with CR", "9112 2.2", f"HTTP/1.1 200 OK\rX: {SECRET}\r\r"),
    ("ends with CR CR LF", "9112 2.2", f"HTTP/1.1 200 OK\r\r\nX: {SECRET}\r\n\r\n"),
    ("a TLS alert", "9112 4", "\x15\x03\x03\0\x02\x02\x28" + "x" * 20),
    ("HTTP/2 settings", "9112 4", "\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64" + "x" * 20),
], bad)


# ---- header fields --------------------------------------------------------------------------

table("header of an answer", [(name, clause, head(fields) + body) for name, clause, fields, body in FIELDS], bad)
table("header of an answer", [(name, clause, head(fields)) for name, clause, fields in TOO_MUCH], bad)
table("header of an answer", [
    ("a fold behind the status line", "9112 2.2", f"HTTP/1.1 200 OK\r\n X: {SECRET}\r\nContent-Length: 0\r\n\r\n"),
    ("a line of CR ends the head", "9112 2.2", f"HTTP/1.1 200 OK\r\nX: {SECRET}\r\n\rx"),
], bad)


# ---- framing --------------------------------------------------------------------------------

table("Content-Length of an answer", [(f"is {n.encode('latin-1')!r}", "9112 6.3: a 502 it must be", head(f"Content-Length: {n}\r\n") + SECRET)
                                      for n in LENGTHS] + [
    ("is there twice", "9112 6.3", head("Content-Length: 3\r\nContent-Length: 4\r\n") + SECRET),
    ("is there twice, the same", "9112 6.3", head("Content-Length: 6\r\nContent-Length: 6\r\n") + SECRET),
    ("is there twice, once empty", "9112 6.3", head("Content-Length: 6\r\nContent-Length:\r\n") + SECRET),
    ("is there twice in other case", "9112 6.3", head("Content-Length: 6\r\nCONTENT-LENGTH: 60\r\n") + SECRET),
    ("and a coding", "9112 6.1; chunked may win, but is an error that ought to be handled", head("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"),
    ("behind a coding", "9112 6.1", head("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n") + "0\r\n\r\n"),
    ("is bad with 204", "9112 6.3", head("Content-Length: x\r\n", "HTTP/1.1 204 No Content")),
    ("is bad with 304", "9112 6.3", head("Content-Length: x\r\n", "HTTP/1.1 304 Not Modified")),
    ("is bad with 103", "9112 6.3", head("Content-Length: x\r\n", "HTTP/1.1 103 Early Hints")),
    ("is there twice with 101", "9112 6.3", head("Content-Length: 0\r\nContent-Length: 0\r\n", "HTTP/1.1 101 Switching Protocols")),
], bad)

table("Transfer-Encoding of an answer", [(f"is {v.encode('latin-1')!r}", "9112 6.1", head(f"Transfer-Encoding: {v}\r\n") + "0\r\n\r\n") for v in CODINGS] +
      [(f"is {v!r} behind chunked", "9112 6.1", head(f"Transfer-Encoding: chunked\r\nTransfer-Encoding: {v}\r\n") + "0\r\n\r\n")
       for v in ("chunked", "identity", "gzip", "")] + [
          ("is in HTTP/1.0", "9112 6.1", head("Transfer-Encoding: chunked\r\n", "HTTP/1.0 200 OK") + "0\r\n\r\n"),
          ("is in HTTP/1.0 with a length", "9112 6.1", head("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "HTTP/1.0 200 OK") + SECRET),
], bad)


# ---- bodies ---------------------------------------------------------------------------------

def never_whole(w, pieces, end, version="1.1"):
    """The head is passed on: what follows it must not look like a whole body."""
    host, inst = shared_app(w, scripted)
    with w.client() as c:
        ask(c, host, tell(pieces, end), version=version)
        first = read_head(c.f)
        assert first[0].split()[1] == "200", first
        GO.release()
        fields = {k.lower(): v for k, v in first[1]}
        try:
            if fields.get("transfer-encoding") == "chunked":
                read_chunked(c.f)
            elif "content-length" in fields:
                rest = c.f.read()
                assert len(rest) == int(fields["content-length"]), "cut"
            else:
                c.f.read()
        except (AssertionError, ValueError, ConnectionResetError):
            pass
        else:
            raise AssertionError("a broken answer looked whole")
    assert w.get(host, "/other").body == b"/other"
    spared(inst)


def never_whole_to_h2(w, pieces, end):
    host, inst = shared_app(w, scripted)
    with H2(w.router.http) as c:
        stream = c.ask(host, tell(pieces, end))
        c.until(lambda: c.streams[stream].headers, "the head")
        assert c.streams[stream].status == 200
        GO.release()
        s = c.answer(stream)
        assert s.reset is not None and not s.ended, (s.reset, s.body)
        assert c.get(host, "/same").body == b"/same"
    spared(inst)


def bad_body(w, body):
    coded = head("Transfer-Encoding: chunked\r\n")
    is_502_to_h2(w, [coded + body], "spoiled")
    never_whole_to_h2(w, [coded, None, body], "spoiled")
    is_502(w, [coded + body], "spoiled")
    never_whole(w, [coded, None, body], "spoiled")
    never_whole(w, [coded + "3\r\nabc\r\n", None, body], "spoiled")
    never_whole(w, [coded, None, body], "spoiled", version="1.0")


for what, rows in BODIES.items():
    table(f"{what} of an answer", rows, bad_body)


# ---- ends -----------------------------------------------------------------------------------

CUT = [
    ("with a length", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef"),
    ("in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0\r\nX: 1\r\n\r\n"),
    ("behind an interim one", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
    ("until the end", "HTTP/1.1 200 OK\r\nX: 1\r\n\r\nabcdef"),
]


def cut_everywhere(w, text, end, version):
    """9112 8: an answer that is cut at each of its bytes is a 502 or seen to be cut."""
    host, inst = shared_app(w, scripted)
    head_len = text.rindex("\r\n\r\nabc" if "\r\n\r\nabc" in text else "\r\n\r\n3") + 4
    for cut in range(len(text)):
        with w.client() as c:
            ask(c, host, tell([text[:cut]], end), "POST", version, "Content-Length: 0\r\n")
            try:
                raw = c.f.read() if cut >= head_len else None
                if raw is None:
                    a = read_final(c)
                    assert a.status == 502, (cut, a.line)
                    continue
            except ConnectionResetError:
                continue
        got, _, body = raw.partition(b"\r\n\r\n")
        if got.startswith(b"HTTP/1.1 103"):
            got, _, body = body.partition(b"\r\n\r\n")
        if got.startswith(b"HTTP/1.1 502"):
            assert end == "rst", (cut, raw)  # it overtook the answer
            continue
        assert got.startswith(b"HTTP/1.1 200"), (cut, raw)
        if b"Content-Length:" in got:
            assert body == text[head_len:cut].encode(), (cut, raw)
        elif b"Transfer-Encoding:" in got:
            assert text[head_len:cut].encode() == body and len(body) < len(text) - head_len, (cut, raw)
        else:
            # Its end is FIN, and nothing else tells it: only of an instance that ended so.
            assert "Transfer" not in text and end == "fin" and body == text[head_len:cut].encode(), (cut, raw)
    assert w.get(host, "/other").body == b"/other"


table("an answer that is cut", [(f"{name} by {end}, for HTTP/{version}", "9112 8", text, end, version)
                                for name, text in CUT for end in ("fin", "rst") for version in ("1.1", "1.0")], cut_everywhere)


def cut_everywhere_for_h2(w, text, end):
    """9113 8.1: a stream whose answer is cut is reset."""
    host, inst = shared_app(w, scripted)
    head_len = text.rindex("\r\n\r\nabc" if "\r\n\r\nabc" in text else "\r\n\r\n3") + 4
    with H2(w.router.http) as c:
        for cut in range(len(text)):
            s = c.get(host, tell([text[:cut]], end), method="POST")
            if s.status == 502:
                assert s.ended and (cut < head_len or end == "rst"), (cut, s.headers)
            elif s.ended:
                assert cut >= head_len and "until" not in text and "Length" not in text and "Transfer" not in text and end == "fin", (cut, s.headers, s.body)
            else:
                assert s.reset is not None and cut >= head_len and s.body in b"abcdef", (cut, s.headers, s.body)
        assert c.get(host, "/same").body == b"/same"


table("an answer that is cut", [(f"{name} by {end}, for HTTP/2", "9113 8.1", text, end) for name, text in CUT for end in ("fin", "rst")], cut_everywhere_for_h2)


# ---- what is odd, and right -----------------------------------------------------------------

def passed(w, text, want, method="GET", fields="", end="stay", version="1.1", keeps=True):
    """Byte for byte, but for the request id; and then the connection serves another request."""
    host, inst = shared_app(w, scripted)
    slowly = up_to_the_end_of_the_head if end == "spoiled" else bytewise
    for pieces in ([text], slowly(text) if len(text) < 1000 else [text[:9], text[9:]]):
        with w.client() as c:
            ask(c, host, tell(pieces, end), method, version, fields)
            got = b""
            while len(OURS.sub(b"", got)) < len(want) or not OURS.search(got):
                data = c.f.read1(65536)
                assert data, (got, want)
                got += data
            assert OURS.sub(b"", got) == want.encode("latin-1"), (OURS.sub(b"", got), want)
            if keeps:
                assert ask(c, host, "/same").read_answer().body == b"/same"
            else:
                assert c.ended()
    assert w.get(host, "/other").body == b"/other"
    spared(inst)


def same(text):
    return text, text


def simple(line="HTTP/1.1 200 OK", fields="", body="abc"):
    return f"{line}\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}"


CLOSE = "Connection: close\r\n"

table("passed", [
    ("a status without a reason", "9112 4", *same(simple("HTTP/1.1 200 "))),
    ("a status without even a space", "9112 4: due, and often left out", simple("HTTP/1.1 200"), simple("HTTP/1.1 200 ")),
    ("a reason of any bytes", "9112 4", *same(simple("HTTP/1.1 200 \xdcber (\"1\")\t!"))),
    ("a status nobody knows", "9110 15", *same(simple("HTTP/1.1 299 Odd"))),
    ("status 599", "9110 15", *same(simple("HTTP/1.1 599 Odd"))),
    ("a later minor version", "9112 2.3", simple("HTTP/1.2 200 OK"), simple()),
    ("the same header thrice, in order", "9110 5.3", *same(simple(fields="Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nSET-COOKIE: a=3\r\n"))),
    ("space around a value", "9112 5.1", simple(fields="X: \t a \t\r\nY:\r\n"), simple(fields="X: a\r\nY: \r\n")),
    ("a value of nearly 8 KiB", "6585 5", *same(simple(fields="X: " + "x" * 8000 + "\r\n"))),
    ("120 headers", "6585 5", *same(simple(fields="X: 1\r\n" * 120))),
    ("hop-by-hop headers, without them", "9110 7.6.1",
     simple(fields="Connection: X-A, keep-alive\r\nX-A: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nX-B: 2\r\n"), simple(fields="X-B: 2\r\n")),
    ("a length that Connection names", "9110 7.6.1", simple(fields="Connection: content-length\r\n"), simple()),
    ("an upgrade that is offered", "9110 7.8: of one connection only", simple(fields="Connection: Upgrade\r\nUpgrade: h2c\r\n"), simple()),
    ("an empty body", "9112 6.2", *same(simple(body=""))),
    ("HTTP/1.0 with a length", "9112 2.3", simple("HTTP/1.0 200 OK"), simple(), "GET", "", "spoiled"),
    ("HTTP/1.0 that is kept", "9112 9.3", simple("HTTP/1.0 200 OK", "Connection: keep-alive\r\n"), simple()),
    ("HTTP/1.0 until its end", "9112 6.3", "HTTP/1.0 200 OK\r\n\r\nabc", f"HTTP/1.1 200 OK\r\n{CLOSE}\r\nabc", "GET", "", "fin", "1.1", False),
    ("an answer that closes", "9112 9.6", simple(fields=CLOSE), simple(), "GET", "", "spoiled"),
    ("chunks", "9112 7.1", *same("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")),
    ("chunks that close", "9112 7.1", "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "GET", "", "spoiled"),
    ("a coding in capitals", "9112 7", "HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunks bare to HTTP/1.0", "9112 6.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
     f"HTTP/1.1 200 OK\r\n{CLOSE}\r\nabc", "GET", "", "stay", "1.0", False),
    ("204", "9110 15.3.5", *same("HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n")),
    ("204 with a length", "9110 8.6: must not have one", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"),
    ("204 with a body", "9112 6.3: it has none, whatever it says", "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n" + SECRET,
     "HTTP/1.1 204 No Content\r\n\r\n", "GET", "", "spoiled"),
    ("204 in chunks", "9112 6.1: must not have a coding", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "HTTP/1.1 204 No Content\r\n\r\n", "GET", "", "spoiled"),
    ("204 in chunks to HTTP/1.0", "9112 6.1", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     f"HTTP/1.1 204 No Content\r\n{CLOSE}\r\n", "GET", "", "spoiled", "1.0", False),
    ("304 with a length", "9110 8.6: of what a 200 would be", *same("HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n")),
    ("304 with a body", "9112 6.3", "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n" + SECRET,
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n", "GET", "", "spoiled"),
    ("HEAD", "9110 9.3.2", *same("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"), "HEAD"),
    ("HEAD with a body", "9112 6.3", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + SECRET, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n",
     "HEAD", "", "spoiled"),
    ("HEAD in chunks", "9112 6.1: may be left out", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HEAD"),
    ("HEAD in chunks with a body", "9112 6.3", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nSECRET\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
     "HEAD", "", "spoiled"),
    ("HEAD of an error", "9110 9.3.2", *same("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n"), "HEAD"),
    ("HEAD without a length", "9110 9.3.2", *same("HTTP/1.1 200 OK\r\nX: 1\r\n\r\n"), "HEAD"),
    ("interim answers", "9110 15.2", *same("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + simple())),
    ("interim answers with framing, without it", "9110 15.2; 9112 6.1",
     "HTTP/1.1 103 Early Hints\r\nContent-Length: 6\r\nLink: a\r\n\r\nHTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n" + simple(),
     "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + simple()),
    ("interim answers not to HTTP/1.0", "9110 15.2: must not be sent", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + simple(),
     simple(fields="").replace("\r\n\r\n", f"\r\n{CLOSE}\r\n", 1), "GET", "", "stay", "1.0", False),
    ("100 that nobody asked for", "9110 15.2: must be passed on", *same("HTTP/1.1 100 Continue\r\n\r\n" + simple())),
    ("64 interim answers", "9110 15.2; any number is allowed, and so is a bound", *same("HTTP/1.1 102 Processing\r\n\r\n" * 64 + simple())),
    ("426 says to what", "9110 15.5.22", "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
     "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\nConnection: Upgrade\r\n\r\n"),
    ("an upgrade that is not taken up", "9110 7.8: then it is a request like any other", *same(simple()), "GET", "Connection: Upgrade\r\nUpgrade: x\r\n"),
    ("401 to a request for an upgrade", "9110 7.8", *same(simple("HTTP/1.1 401 Unauthorized")), "GET", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
], passed)

table("a flood", [
    ("of 65 interim answers", "9110 15.2; each is cheap to send, and dear to pass on", "HTTP/1.1 102 Processing\r\n\r\n" * 65 + sized()),
    ("of interim answers without end", "9110 15.2", "HTTP/1.1 102 Processing\r\n\r\n" * 5000),
    ("of interim answers of 8 KiB", "9110 15.2", ("HTTP/1.1 103 Early Hints\r\nX: " + "x" * 8000 + "\r\n\r\n") * 70),
    ("of headers", "6585 5", "HTTP/1.1 200 OK\r\n" + "X: 1\r\n" * 100000),
    ("of a line", "6585 5", "HTTP/1.1 200 OK\r\nX: " + "x" * 1000000),
    ("of a reason", "9112 4", "HTTP/1.1 200 " + "x" * 1000000),
], lambda w, text: is_502(w, [text], "spoiled"))


# ---- poison ---------------------------------------------------------------------------------

EVIL = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

table("poison", [
    ("behind an answer", "9112 9.3; 11.1: what was not asked for answers nothing", [simple() + EVIL]),
    ("half behind an answer", "9112 9.3", [simple() + EVIL[:20]]),
    ("a byte behind an answer", "9112 9.3", [simple() + "x"]),
    ("CR LF behind an answer", "9112 9.3; harmless, maybe", [simple() + "\r\n"]),
    ("behind an answer in chunks", "9112 9.3", ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + EVIL]),
    ("behind trailers", "9112 9.3", ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n" + EVIL]),
    ("behind 204", "9112 9.3", ["HTTP/1.1 204 No Content\r\n\r\n" + EVIL]),
    ("behind 304", "9112 9.3", ["HTTP/1.1 304 Not Modified\r\n\r\n" + EVIL]),
    ("behind an empty answer", "9112 9.3", [simple(body="") + EVIL]),
    ("an interim answer behind the last one", "9112 9.3", [simple() + "HTTP/1.1 103 Early Hints\r\n\r\n"]),
    ("behind an answer that is passed on", "9112 9.3", [simple(), None, EVIL, AWAIT_END]),
    ("behind a big answer", "9112 9.3", [f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 20}\r\n\r\n", "x" * (1 << 20) + EVIL]),
    ("behind a big answer in a chunk", "9112 9.3", ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n", "x" * (1 << 20) + "\r\n0\r\n\r\n" + EVIL]),
], lambda w, pieces: poisoned(w, pieces))


def poisoned(w, pieces):
    """Neither this client nor the next one gets another's answer."""
    host, inst = shared_app(w, scripted)
    with w.client() as c:
        a = ask(c, host, tell(pieces, "spoiled")).read_answer()
        assert a.status in (200, 204, 304) and b"evil" not in a.body[:10] + a.body[-10:], a.body
        if None in pieces:
            GO.release()
            assert GIVEN_UP.acquire(timeout=LIMIT), "the poisoned connection is kept"
        goes_on(w, c, host, inst)
    for i in range(5):
        assert w.get(host, f"/after{i}").body == f"/after{i}".encode()
    if None in pieces:
        return  # when it comes while the next request is under way already, nothing tells it from the answer
    with H2(w.router.http) as c:
        s = c.get(host, tell(pieces, "spoiled"))
        assert s.status in (200, 204, 304) and b"evil" not in s.body[:10] + s.body[-10:], s.body
        for i in range(5):
            assert c.get(host, f"/after{i}").body == f"/after{i}".encode()


@case
def body_that_a_204_promised_finds_no_request(w):
    """9112 6.3: it has none; an instance that sends it later must not have another request to answer with it."""
    def late(inst, c, f):
        for text in ("HTTP/1.1 204 No Content\r\nContent-Length: 40\r\n\r\n", EVIL):
            if read_request(f) is not None:
                c.sendall(text.encode())

    host, (inst,), _ = w.app(late)
    with w.client() as c:
        for _ in range(3):
            assert c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").read_answer().status == 204
    assert inst.connections == 3


@case
def answer_that_comes_before_its_request_is_nobody_elses(w):
    """9112 9.3: an instance that talks before it is asked spoils its own connections only.

    It is one answer ahead all the time. Nothing tells that but the bytes that come while none are due, so
    such a connection must not wait for another request."""
    closed = threading.Event()

    def eager(inst, c, f):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\neager")
        r = read_request(f)
        answer(c, r.target.encode())
        try:
            if f.read1(100) == b"":
                closed.set()
        except ConnectionResetError:
            closed.set()

    host, _, _ = w.app(eager)
    for i in range(10):
        a = w.get(host, f"/{i}")
        assert a.body == b"eager", (i, a.body)
        assert closed.wait(5), "the connection was kept"
        closed.clear()


@case
def answers_never_cross_over_among_many_clients(w):
    """9112 9.3: instances that say too much, now and then, at once; each client gets its own answer or a 502."""
    def careless(inst, c, f):
        while (r := read_request(f)) is not None:
            answer(c, r.target.encode() + (EVIL.encode() if random.random() < 0.3 else b""), framing=f"Content-Length: {len(r.target)}\r\n")

    host, _, _ = w.app(careless, careless)
    wrong = []

    def client(n):
        with w.client() as c:
            for i in range(100):
                a = ask(c, host, f"/{n}-{i}").read_answer()
                if a.body != f"/{n}-{i}".encode():
                    wrong.append((a.line, a.body))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not [x for x in wrong if b"evil" in x[1] or b"200" in x[0].encode()], wrong[:5]
    assert not wrong, wrong[:5]


# ---- early answers --------------------------------------------------------------------------

def early(inst, c, f):
    """Answers before the body has come, and then reads on or not."""
    while (h := read_head(f)) is not None:
        line, fields, _ = h
        how = line.split()[1]
        inst.requests.append(line)
        if how == "/body":
            body = f.read(int(dict(fields)["Content-Length"]))
            answer(c, body)
            continue
        status = "413 Content Too Large" if how.startswith("/413") else "200 OK"
        answer(c, b"early", status)
        if how.endswith("reset"):
            reset(c, f)
            return
        if how.endswith("end"):
            c.shutdown(socket.SHUT_WR)
        while f.read1(65536):
            pass
        return


def early_answer(w, how, fields, parts):
    host, (inst,), _ = w.app(early)
    with w.client() as c:
        c.send(f"POST {how} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n").send(parts[0])
        a = c.read_answer()
        assert a.body == b"early" and a.get("Connection") == "close", (a.line, a.headers)
        try:
            for part in parts[1:]:
                c.send(part.replace("{h}", host))
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert c.ended()
    # What was left of the body is no request.
    with w.client() as c:
        a = c.send(f"POST /body HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\n\r\nbody").read_answer()
        assert a.body == b"body", (a.line, a.body)
    assert [x.split()[1] for x in inst.requests] == [how, "/body"], inst.requests


REST = "GET /smuggled HTTP/1.1\r\nHost: {h}\r\n\r\n"

table("an early answer", [(f"{how[1:]} to a body with {name}", "9112 9.3; 9.6", how, fields, parts)
                          for how in ("/200", "/413", "/200end", "/413end", "/413reset")
                          for name, fields, parts in (("a length", "Content-Length: 1000\r\n", ["x", REST]),
                                                      ("a length, nothing sent", "Content-Length: 1000\r\n", ["", REST]),
                                                      ("chunks", "Transfer-Encoding: chunked\r\n", ["3\r\nabc\r\n", "1\r\nx\r\n0\r\n\r\n" + REST]),
                                                      ("half a chunk", "Transfer-Encoding: chunked\r\n", ["fff\r\nabc", REST]))], early_answer)


@case
def early_answer_reaches_a_client_that_sends_much(w):
    """9112 9.6: in stages, so that no RST overtakes it."""
    host, _, _ = w.app(early)
    for how in ("/413", "/413reset") * 10:
        with w.client() as c:
            c.send(f"POST {how} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000000\r\n\r\n")
            a = []
            t = threading.Thread(target=lambda: a.append(c.read_answer()))
            t.start()
            try:
                for _ in range(200):
                    c.send(b"x" * 4096)
            except (BrokenPipeError, ConnectionResetError):
                pass
            t.join()
            assert a and a[0].status == 413 and a[0].body == b"early", a


@case
def answer_that_comes_too_late_is_nobodys(w):
    """9112 9.3: behind a 504 the connection that it may still come on is given up."""
    go = threading.Event()

    def late(inst, c, f):
        while (r := read_request(f)) is not None:
            if r.target == "/late":
                go.wait(20)
            answer(c, r.target.encode())

    host, _, _ = w.app(late)
    with w.client() as c:
        a = ask(c, host, "/late").read_answer()
        assert a.status == 504, a.line
        go.set()
        for i in range(20):
            assert ask(c, host, f"/{i}").read_answer().body == f"/{i}".encode()
            assert w.get(host, f"/other{i}").body == f"/other{i}".encode()


# ---- instances that are none ----------------------------------------------------------------

@case
def instance_that_closes_at_once_is_a_502(w):
    """9110 15.6.3"""
    def closes(inst, c, f):
        pass

    def resets(inst, c, f):
        reset(c, f)

    for do in (closes, resets):
        host, _, _ = w.app(do)
        for method, fields in (("GET", ""), ("POST", "Content-Length: 3\r\n")):
            with w.client() as c:
                ask(c, host, "/", method, fields=fields).send(b"abc" if fields else b"")
                a = c.read_answer()
                assert a.status in (502, 503), a.line


@case
def instance_that_is_another_kind_of_server_is_a_502(w):
    """9112 4: a port may have been given to somebody else since."""
    for words in (b"220 mail.example.com ESMTP\r\n", b"\x4a\0\0\0\x0a8.0.33\0" + b"x" * 66, b"-ERR unknown command\r\n", b"RFB 003.008\n" * 3,
                  os.urandom(100).replace(b"H", b"h")):
        def other(inst, c, f, words=words):
            c.sendall(words)
            f.read1(65536)
            c.sendall(words)

        host, _, _ = w.app(other)
        with w.client() as c:
            a = ask(c, host, "/").read_answer()
            assert a.status == 502 and words not in a.body, (words, a.line)


@case
def bad_answers_do_not_take_an_old_client_down(w):
    """9112 9.3: 502 in the client's own version."""
    host, inst = shared_app(w, scripted)
    with w.client() as c:
        a = ask(c, host, tell(["nonsense\r\n\r\n"], "spoiled"), version="1.0").read_answer()
        assert a.status == 502 and a.get("Connection") == "close" and c.ended()
    with w.client() as c:
        a = ask(c, host, tell(["nonsense\r\n\r\n"], "spoiled"), version="1.0", fields="Connection: keep-alive\r\n").read_answer()
        assert a.status == 502 and a.get("Connection") == "keep-alive"
        assert ask(c, host, "/same", version="1.0").read_answer().body == b"/same"
