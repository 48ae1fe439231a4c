"""Malformed and ambiguous requests, and odd ones that are right: judged by what reached the instance.

Each row names the clause that it is about. What is refused must be refused with its status, end the
connection, and leave the instance without a byte of it; then a good request must pass. Where an RFC
leaves a choice, the row says why ours is the strict one."""

import json
import string

from h2_client import H2, PROTOCOL_ERROR
from payloads import BODIES, CODINGS, CONTROLS, FIELDS, FORBIDDEN, LENGTHS, NOT_TOKEN, TOO_MUCH
from witness import mark, shared_app, shut, since, table, without_ours
from world import case, wait_for

SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: {h}\r\n\r\n"


def get(fields="", target="/", line=None):
    return (line or f"GET {target} HTTP/1.1") + "\r\nHost: {h}\r\n" + fields + "\r\n"


def post(fields, body=""):
    return "POST / HTTP/1.1\r\nHost: {h}\r\n" + fields + "\r\n" + body


def fill(text, host):
    return text.replace("{h}", host).encode("latin-1")


# ---- judges ---------------------------------------------------------------------------------

def good_request_passes(w, host, inst):
    """On a connection of its own: and it is all that reaches the instance."""
    before, n = mark(inst), len(inst.requests)
    a = w.get(host, "/good")
    assert a.status == 200 and a.json["target"] == "/good", a.line
    want = f"GET /good HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    assert without_ours(since(inst, before)) == want and len(inst.requests) == n + 1, since(inst, before)


def refuse(w, text, status, pieces):
    host, inst = shared_app(w)
    before, n = mark(inst), len(inst.requests)
    statuses = status if isinstance(status, tuple) else (status,)
    with w.client() as c:
        for piece in pieces(fill(text + SMUGGLED, host)):
            c.send(piece)
        a = c.read_answer()
        assert a.status in statuses, (a.line, a.body)
        assert (a.get("Connection") or "").lower() == "close", a.headers
        assert c.ended(), "the connection stayed open"
    assert since(inst, before) == b"" and len(inst.requests) == n, since(inst, before)
    good_request_passes(w, host, inst)


def refused(w, text, status=400):
    """At once, and in pieces of a byte each."""
    refuse(w, text, status, lambda data: [data])
    if len(text) < 1000:
        refuse(w, text, status, lambda data: [data[i:i + 1] for i in range(len(data))])


def body_refused(w, body, status=400):
    """A chunked body that is bad: with its head, and once that has reached the instance."""
    head = post("Transfer-Encoding: chunked\r\n")
    refuse(w, head + body, status, lambda data: [data])
    host, inst = shared_app(w)
    for first in ("", "3\r\nabc\r\n"):
        before, n = mark(inst), len(inst.requests)
        with w.client() as c:
            c.send(fill(head + first, host))
            wait_for("the head to arrive", lambda: since(inst, before).endswith(b"\r\n\r\n" + first.encode()))
            c.send(fill(body + SMUGGLED, host))
            a = c.read_answer()
            assert a.status == status and c.ended(), a.line
        assert len(inst.requests) == n and b"smuggled" not in since(inst, before), since(inst, before)
        good_request_passes(w, host, inst)


def passed(w, text, want, target=None):
    """Byte for byte, but for the headers that the router adds; the connection goes on."""
    host, inst = shared_app(w)
    before = mark(inst)
    is_head = text.startswith("HEAD")
    with w.client() as c:
        a = c.send(fill(text, host)).read_answer(head_only=is_head)
        assert a.status == 200, (a.line, a.body)
        got = without_ours(since(inst, before))
        assert got == fill(want, host), (got, fill(want, host))
        if a.get("Connection") != "close":
            a = c.send(fill(get(target="/next"), host)).read_answer()
            assert a.status == 200 and a.json["target"] == "/next", a.line
    good_request_passes(w, host, inst)


# ---- the request line -----------------------------------------------------------------------

LINES = [
    ("empty method", "9112 3", " / HTTP/1.1"),
    ("no target", "9112 3", "GET HTTP/1.1"),
    ("empty target", "9112 3", "GET  HTTP/1.1"),
    ("only a method", "9112 3", "GET"),
    ("HTTP/0.9", "9112 2.3; HTTP/0.9 has no Host and no framing", "GET /"),
    ("four words", "9112 3", "GET / HTTP/1.1 x"),
    ("a space in the target", "9112 3.2; to guess where it ends is to disagree", "GET /a b HTTP/1.1"),
    ("leading space", "9112 2.2", " GET / HTTP/1.1"),
    ("leading tab", "9112 2.2", "\tGET / HTTP/1.1"),
    ("leading NUL", "9112 2.2", "\0GET / HTTP/1.1"),
    ("leading byte order mark", "9112 2.2", "\xef\xbb\xbfGET / HTTP/1.1"),
    ("two spaces before the target", "9112 3; lenient parsing is allowed, and how requests are smuggled", "GET  / HTTP/1.1"),
    ("two spaces before the version", "9112 3; as above", "GET /  HTTP/1.1"),
    ("tab before the target", "9112 3; as above", "GET\t/ HTTP/1.1"),
    ("tab before the version", "9112 3; as above", "GET /\tHTTP/1.1"),
    ("vertical tab before the target", "9112 3; as above", "GET\x0b/ HTTP/1.1"),
    ("form feed before the version", "9112 3; as above", "GET /\x0cHTTP/1.1"),
    ("bare CR before the version", "9112 2.2", "GET /\rHTTP/1.1"),
    ("bare CR before the target", "9112 2.2", "GET\r/ HTTP/1.1"),
    ("trailing space", "9112 3; as above", "GET / HTTP/1.1 "),
    ("trailing tab", "9112 3; as above", "GET / HTTP/1.1\t"),
    ("trailing CR", "9112 2.2", "GET / HTTP/1.1\r"),
    ("trailing NUL", "9112 3", "GET / HTTP/1.1\0"),
    ("lower-case name", "9112 2.3", "GET / http/1.1"),
    ("mixed-case name", "9112 2.3", "GET / HtTP/1.1"),
    ("misspelt name", "9112 2.3", "GET / HTP/1.1"),
    ("HTTPS", "9112 2.3", "GET / HTTPS/1.1"),
    ("no name", "9112 2.3", "GET / 1.1"),
    ("no slash", "9112 2.3", "GET / HTTP1.1"),
    ("backslash", "9112 2.3", "GET / HTTP\\1.1"),
    ("no minor", "9112 2.3", "GET / HTTP/1"),
    ("a dot and no minor", "9112 2.3", "GET / HTTP/1."),
    ("no major", "9112 2.3", "GET / HTTP/.1"),
    ("a comma", "9112 2.3", "GET / HTTP/1,1"),
    ("space in the version", "9112 2.3", "GET / HTTP/ 1.1"),
    ("space behind the dot", "9112 2.3", "GET / HTTP/1. 1"),
    ("two digits of minor", "9112 2.3", "GET / HTTP/1.10"),
    ("leading zero of minor", "9112 2.3", "GET / HTTP/1.01"),
    ("leading zero of major", "9112 2.3", "GET / HTTP/01.1"),
    ("sign of major", "9112 2.3", "GET / HTTP/+1.1"),
    ("sign of minor", "9112 2.3", "GET / HTTP/1.-1"),
    ("letters", "9112 2.3", "GET / HTTP/1.x"),
    ("other digits", "9112 2.3", "GET / HTTP/1.\xb2"),
    ("words behind the version", "9112 3", "GET / HTTP/1.1x"),
    ("a comma behind the version", "9112 3", "GET / HTTP/1.1,HTTP/1.1"),
    ("a colon in the method", "9110 9.1", "GET: / HTTP/1.1"),
    ("a slash in the method", "9110 9.1", "GE/T / HTTP/1.1"),
    ("brackets in the method", "9110 9.1", "GE(T) / HTTP/1.1"),
    ("a quoted method", "9110 9.1", '"GET" / HTTP/1.1'),
    ("NUL in the method", "9110 9.1", "GE\0T / HTTP/1.1"),
    ("DEL in the method", "9110 9.1", "GE\x7fT / HTTP/1.1"),
    ("a letter beyond ASCII in the method", "9110 9.1", "G\xc8T / HTTP/1.1"),
    ("relative target", "9112 3.2", "GET index.html HTTP/1.1"),
    ("dots as target", "9112 3.2", "GET ../x HTTP/1.1"),
    ("asterisk with GET", "9112 3.2.4", "GET * HTTP/1.1"),
    ("asterisk and more", "9112 3.2.4", "OPTIONS *x HTTP/1.1"),
    ("authority-form with GET", "9112 3.2.3", "GET {h}:80 HTTP/1.1"),
    ("only a query", "9112 3.2.1", "GET ?x=1 HTTP/1.1"),
    ("a fragment", "9112 3.2; a client does not send it, and some cut there", "GET /a#b HTTP/1.1"),
    ("a fragment in absolute-form", "9112 3.2", "GET http://{h}/#b HTTP/1.1"),
    ("NUL in the target", "9112 3.2", "GET /a\0b HTTP/1.1"),
    ("a control byte in the target", "9112 3.2", "GET /a\x01b HTTP/1.1"),
    ("DEL in the target", "9112 3.2", "GET /a\x7fb HTTP/1.1"),
    ("bare CR in the target", "9112 3.2", "GET /a\rb HTTP/1.1"),
    ("bare LF in the target", "9112 3.2", "GET /a\nb HTTP/1.1"),
    ("a letter beyond ASCII in the target", "9112 3.2; decoded otherwise by each", "GET /\xe4 HTTP/1.1"),
    ("ftp", "9112 3.2.2", "GET ftp://{h}/ HTTP/1.1"),
    ("file", "9112 3.2.2", "GET file:///etc/passwd HTTP/1.1"),
    ("javascript", "9112 3.2.2", "GET javascript:x HTTP/1.1"),
    ("one slash behind the scheme", "9112 3.2.2", "GET http:/{h}/ HTTP/1.1"),
    ("no slash behind the scheme", "9112 3.2.2", "GET http:{h}/ HTTP/1.1"),
    ("backslashes behind the scheme", "9112 3.2.2", "GET http:\\\\{h}/ HTTP/1.1"),
    ("nothing behind the scheme", "9110 4.2.1", "GET http:// HTTP/1.1"),
    ("an empty authority", "9110 4.2.1", "GET http:///x HTTP/1.1"),
    ("an authority of a query", "9110 4.2.1", "GET http://?x HTTP/1.1"),
    ("an authority of a port", "9110 4.2.1", "GET http://:80/ HTTP/1.1"),
    ("a user in the authority", "9110 4.2.4", "GET http://user@{h}/ HTTP/1.1"),
    ("a user and a password", "9110 4.2.4", "GET http://user:pass@{h}/ HTTP/1.1"),
    ("a user of the host's name", "9110 4.2.4; https://a@b goes to b, or to a", "GET http://{h}@evil.example.com/ HTTP/1.1"),
    ("a backslash in the authority", "9110 4.2.1", "GET http://{h}\\@evil.example.com/ HTTP/1.1"),
    ("a comma in the authority", "9110 4.2.1", "GET http://{h},evil.example.com/ HTTP/1.1"),
    ("letters as port", "9110 4.2.1", "GET http://{h}:x/ HTTP/1.1"),
    ("two ports", "9110 4.2.1", "GET http://{h}:80:80/ HTTP/1.1"),
    ("a bracket in the authority", "9110 4.2.1", "GET http://[{h}/ HTTP/1.1"),
    ("a TLS hello", "9112 3", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
    ("an SSH greeting", "9112 3", "SSH-2.0-OpenSSH_9.2"),
    ("an SMTP greeting", "9112 3", "EHLO example.com"),
    ("a status line", "9112 3", "HTTP/1.1 200 OK"),
]

table("request line", [(name, clause, get(line=line)) for name, clause, line in LINES], refused)

table("request line", [
    ("HTTP/0.9 in words", "9110 15.6.6", get(line="GET / HTTP/0.9"), 505),
    ("HTTP/2.0", "9110 15.6.6", get(line="GET / HTTP/2.0"), 505),
    ("HTTP/3.0", "9110 15.6.6", get(line="GET / HTTP/3.0"), 505),
    ("HTTP/9.9", "9110 15.6.6", get(line="GET / HTTP/9.9"), 505),
    ("a line that ends with LF", "9112 2.2; LF alone may be taken, and is one more way to disagree", "GET / HTTP/1.1\nHost: {h}\r\n\r\n"),
    ("lines that end with LF", "9112 2.2", "GET / HTTP/1.1\nHost: {h}\n\n"),
    ("a line that ends with CR", "9112 2.2", "GET / HTTP/1.1\rHost: {h}\r\r"),
    ("a line that ends with CR CR LF", "9112 2.2", "GET / HTTP/1.1\r\r\nHost: {h}\r\n\r\n"),
    ("a line that ends with LF CR", "9112 2.2", "GET / HTTP/1.1\n\rHost: {h}\n\r\n\r"),
    ("nine empty lines before it", "9112 2.2: one is to be borne", "\r\n" * 9 + get()),
    ("empty lines without end", "9112 2.2", "\r\n" * 10000),
    ("an empty line of LF before it", "9112 2.2", "\n" + get()),
    ("an empty line of CR before it", "9112 2.2", "\r" + get()),
    ("an empty line with a space before it", "9112 2.2", " \r\n" + get()),
    ("CONNECT", "9110 9.3.6; a tunnel to wherever the client says is no router's work", get(line="CONNECT {h}:443 HTTP/1.1"), 405),
    ("CONNECT to a target of a path", "9112 3.2.3", get(line="CONNECT / HTTP/1.1")),
    ("CONNECT to an absolute target", "9112 3.2.3", get(line="CONNECT http://{h}/ HTTP/1.1")),
    ("PRI", "9113 3.4: reserved, for no application", get(line="PRI / HTTP/1.1"), (400, 405)),
    ("a target of 8 KiB and more", "9112 3", get(target="/" + "x" * 8192), 414),
    ("a target of 30 KiB", "9112 3", get(target="/" + "x" * 30000), 414),
    ("a target of 100 KiB", "9112 3", get(target="/" + "x" * 100000), 414),
    ("a method of 8 KiB and more", "9112 3; as a request line that is too long", get(line="X" * 8192 + " / HTTP/1.1"), (414, 501)),
    ("an absolute target of 8 KiB and more", "9112 3", get(target="http://{h}/" + "x" * 8192), 414),
], refused)


# ---- header fields --------------------------------------------------------------------------

table("header", [(name, clause, post(fields, body)) for name, clause, fields, body in FIELDS], refused)
table("header", [(name, clause, get(fields), 431) for name, clause, fields in TOO_MUCH], refused)
table("header", [
    ("a fold behind the request line", "9112 2.2", "GET / HTTP/1.1\r\n X: 1\r\nHost: {h}\r\n\r\n"),
    ("a folded Host behind the request line", "9112 2.2", "GET / HTTP/1.1\r\n Host: {h}\r\n\r\n"),
], refused)


# ---- Host -----------------------------------------------------------------------------------

def with_host(value, more=""):
    return f"GET / HTTP/1.1\r\nHost: {value}\r\n{more}\r\n"


table("Host", [
    ("is missing", "9112 3.2", "GET / HTTP/1.1\r\n\r\n"),
    ("is missing with an absolute target", "9112 3.2", "GET http://{h}/ HTTP/1.1\r\n\r\n"),
    ("is missing in HTTP/1.0", "9112 3.2; no route can be found without", "GET / HTTP/1.0\r\n\r\n"),
    ("is empty", "9112 3.2", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    ("is a space", "9112 3.2", "GET / HTTP/1.1\r\nHost:  \r\n\r\n"),
    ("is there twice", "9112 3.2", with_host("{h}", "Host: other.example.com\r\n")),
    ("is there twice, the same", "9112 3.2", with_host("{h}", "Host: {h}\r\n")),
    ("is there twice in other case", "9112 3.2", with_host("{h}", "hOST: {h}\r\n")),
    ("is there twice, once empty", "9112 3.2", with_host("{h}", "Host:\r\n")),
    ("is there twice, first empty", "9112 3.2", with_host("", "Host: {h}\r\n")),
    ("is there twice with an absolute target", "9112 3.2", "GET http://{h}/ HTTP/1.1\r\nHost: {h}\r\nHost: {h}\r\n\r\n"),
    ("is folded", "9112 5.2", with_host("{h}\r\n x")),
    ("has a user", "9110 7.2", with_host("user@{h}")),
    ("has a user and a password", "9110 7.2", with_host("u:p@{h}")),
    ("is a list", "9110 7.2", with_host("{h}, other.example.com")),
    ("is a list without space", "9110 7.2", with_host("{h},other.example.com")),
    ("ends with a comma", "9110 7.2", with_host("{h},")),
    ("is two words", "9110 7.2", with_host("{h} other.example.com")),
    ("is two words by a tab", "9110 7.2", with_host("{h}\tother.example.com")),
    ("has a path", "9110 7.2", with_host("{h}/x")),
    ("has a query", "9110 7.2", with_host("{h}?x")),
    ("has a fragment", "9110 7.2", with_host("{h}#x")),
    ("has a scheme", "9110 7.2", with_host("http://{h}")),
    ("has a backslash", "9110 7.2", with_host("{h}\\x")),
    ("is quoted", "9110 7.2", with_host('"{h}"')),
    ("is in angle brackets", "9110 7.2", with_host("<{h}>")),
    ("has a circumflex", "9110 7.2", with_host("{h}^")),
    ("has braces", "9110 7.2", with_host("{{h}}")),
    ("has a letter beyond ASCII", "9110 7.2", with_host("b\xfccher.example.com")),
    ("has NUL", "9110 7.2", with_host("{h}\0.example.com")),
    ("has NUL at its end", "9110 7.2", with_host("{h}\0")),
    ("has a percent", "9110 4.2.3; names of routes have none", with_host("%61pp.example.com")),
    ("has only a port", "9110 7.2", with_host(":80")),
    ("has a port of letters", "9110 7.2", with_host("{h}:http")),
    ("has a port and letters", "9110 7.2", with_host("{h}:80x")),
    ("has a negative port", "9110 7.2", with_host("{h}:-80")),
    ("has two ports", "9110 7.2", with_host("{h}:80:80")),
    ("has a space before the port", "9110 7.2", with_host("{h} :80")),
    ("is an address without its bracket", "9110 7.2", with_host("[::1")),
    ("is an address with words behind it", "9110 7.2", with_host("[::1]x")),
    ("is a bracket", "9110 7.2", with_host("[")),
    ("is longer than any name", "9110 7.2", with_host("x" * 300 + ".example.com")),
    ("is of 8 KiB", "6585 5", with_host("x" * 8192), 431),
    ("is empty with an absolute target", "9112 3.2.2; an empty Host is none", "GET http:/// HTTP/1.1\r\nHost:\r\n\r\n"),
], refused)


# ---- lengths --------------------------------------------------------------------------------

table("Content-Length", [(f"is {n.encode('latin-1')!r}", "9112 6.3", post(f"Content-Length: {n}\r\n", "abc")) for n in LENGTHS], refused)

table("Content-Length", [
    ("is there twice", "9112 6.3", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd")),
    ("is there twice, the same", "9112 6.3; may be joined, and is refused by many", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")),
    ("is there twice, once 0", "9112 6.3", post("Content-Length: 0\r\nContent-Length: 44\r\n", SMUGGLED)),
    ("is there twice in other case", "9112 6.3", post("Content-Length: 3\r\ncontent-length: 30\r\n", "abc")),
    ("is there twice, once empty", "9112 6.3", post("Content-Length: 3\r\nContent-Length:\r\n", "abc")),
    ("is there twice, apart", "9112 6.3", post("Content-Length: 3\r\nX: 1\r\nContent-Length: 3\r\n", "abc")),
    ("and a coding", "9112 6.1", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    ("behind a coding", "9112 6.1", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n")),
    ("and a coding, CL.TE", "9112 6.1", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG")),
    ("and a coding, TE.CL", "9112 6.1", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                                          "5c\r\nGPOST / HTTP/1.1\r\nContent-Length: 15\r\n\r\nx=1\r\n0\r\n\r\n")),
    ("of 0 and a coding", "9112 6.1", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    ("and an empty coding", "9112 6.1", post("Content-Length: 3\r\nTransfer-Encoding:\r\n", "abc")),
    ("with GET and a coding", "9112 6.1", get("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"),
    ("and a coding in HTTP/1.0", "9112 6.1", "POST / HTTP/1.0\r\nHost: {h}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"),
], refused)


# ---- transfer codings -----------------------------------------------------------------------

table("Transfer-Encoding", [(f"is {v.encode('latin-1')!r}", "9112 6.1; 501 is asked for unknown ones, but 400 is for the malformed: one for both",
                             post(f"Transfer-Encoding: {v}\r\n", "0\r\n\r\n"), (400, 501)) for v in CODINGS] +
      [(f"is {v.encode('latin-1')!r} behind a length", "9112 6.3", post(f"Content-Length: 5\r\nTransfer-Encoding: {v}\r\n", "0\r\n\r\n"), (400, 501))
       for v in CODINGS] +
      [(f"is {v.encode('latin-1')!r} behind chunked", "9112 6.1", post(f"Transfer-Encoding: chunked\r\nTransfer-Encoding: {v}\r\n", "0\r\n\r\n"),
        (400, 501)) for v in ("chunked", "identity", "gzip", "x", "", "cow", "Chunked")] +
      [(f"is {v.encode('latin-1')!r} before chunked", "9112 6.1", post(f"Transfer-Encoding: {v}\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        (400, 501)) for v in ("identity", "gzip", "x", "", "cow")] +
      [(f"is named {n.encode('latin-1')!r}", "9112 5.1", post(f"{n}: chunked\r\n", "0\r\n\r\n"))
       for n in ("Transfer-Encoding ", "Transfer-Encoding\t", "Transfer Encoding", " Transfer-Encoding", "\tTransfer-Encoding", "Transfer-Encoding\xa0",
                 "Transfer-Encoding\\", "\"Transfer-Encoding\"", "Transfer-Encod\xefng", "Transfer-Encoding:")], refused)

table("Transfer-Encoding", [
    ("in HTTP/1.0", "9112 6.1", "POST / HTTP/1.0\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("in HTTP/1.0 that is kept", "9112 6.1",
     "POST / HTTP/1.0\r\nHost: {h}\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
], refused)


# ---- chunks ---------------------------------------------------------------------------------

for what, rows in BODIES.items():
    table(what, rows, body_refused)


# ---- what is odd, and right -----------------------------------------------------------------

def plain_get(target="/", fields="", method="GET"):
    return f"{method} {target} HTTP/1.1\r\nHost: {{h}}\r\n{fields}\r\n"


def chunked(body, fields=""):
    return f"POST / HTTP/1.1\r\nHost: {{h}}\r\n{fields}Transfer-Encoding: chunked\r\n\r\n{body}"


def sized(body, method="POST"):
    return f"{method} / HTTP/1.1\r\nHost: {{h}}\r\nContent-Length: {len(body)}\r\n\r\n{body}"


table("passed", [
    ("an empty line before the request", "9112 2.2", "\r\n" + get(), plain_get()),
    ("empty lines before the request", "9112 2.2", "\r\n\r\n\r\n" + get(), plain_get()),
    ("absolute-form", "9112 3.2.2", get(target="http://{h}/x?y"), plain_get("/x?y")),
    ("absolute-form goes before Host", "9112 3.2.2", "GET http://{h}/x HTTP/1.1\r\nHost: evil.example.com\r\n\r\n", plain_get("/x")),
    ("absolute-form without a path", "9112 3.2.1", get(target="http://{h}"), plain_get()),
    ("absolute-form of a query", "9112 3.2.1", get(target="http://{h}?x=1"), plain_get("/?x=1")),
    ("absolute-form in capitals", "9110 4.2.3", get(target="HTTP://{h}/x"), plain_get("/x")),
    ("absolute-form of https", "9112 3.2.2", get(target="https://{h}/x"), plain_get("/x")),
    ("absolute-form of OPTIONS", "9112 3.2.4", get(line="OPTIONS http://{h} HTTP/1.1"), plain_get("*", method="OPTIONS")),
    ("asterisk-form", "9112 3.2.4", get(line="OPTIONS * HTTP/1.1"), plain_get("*", method="OPTIONS")),
    ("a later minor version", "9112 2.3", get(line="GET / HTTP/1.2"), plain_get()),
    ("two slashes", "9112 3.2.1: as it came", get(target="//x//y"), plain_get("//x//y")),
    ("dots in the path", "9112 3.2.1: as it came", get(target="/a/../b/./c"), plain_get("/a/../b/./c")),
    ("escapes", "9112 3.2.1: as they came", get(target="/%2e%2e/%00%0d%0a%zz"), plain_get("/%2e%2e/%00%0d%0a%zz")),
    ("what browsers do not escape", "9112 3.2; browsers send them", get(target="/a|b^c`d{e}\"<>\\?q=[]|"), plain_get("/a|b^c`d{e}\"<>\\?q=[]|")),
    ("a target of nearly 8 KiB", "9112 3: 8000 at least", get(target="/" + "x" * 8000), plain_get("/" + "x" * 8000)),
    ("an unknown method", "9110 9.1", get(line="BREW / HTTP/1.1"), plain_get(method="BREW")),
    ("a lower-case method", "9110 9.1: methods have case", get(line="get / HTTP/1.1"), plain_get(method="get")),
    ("a method of signs", "9110 9.1", get(line="M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1"), plain_get(method="M-SEARCH!#$%&'*+.^_`|~")),
    ("a long method", "9110 9.1", get(line="X" * 1000 + " / HTTP/1.1"), plain_get(method="X" * 1000)),
    ("TRACE", "9110 9.3.8", get(line="TRACE / HTTP/1.1"), plain_get(method="TRACE")),
    ("names of all token bytes", "9110 5.1", get("!#$%&'*+-.^_`|~09azAZ: 1\r\n"), plain_get(fields="!#$%&'*+-.^_`|~09azAZ: 1\r\n")),
    ("space around a value", "9112 5.1", get("X: \t a b \t \r\nY:z\r\n"), plain_get(fields="X: a b\r\nY: z\r\n")),
    ("an empty value", "9112 5", get("X:\r\nY: \r\n"), plain_get(fields="X: \r\nY: \r\n")),
    ("a colon in a value", "9112 5", get("X: a:b: c\r\n"), plain_get(fields="X: a:b: c\r\n")),
    ("bytes beyond ASCII in a value", "9110 5.5", get("X: b\xfccher\r\n"), plain_get(fields="X: b\xfccher\r\n")),
    ("a tab in a value", "9110 5.5", get("X: a\tb\r\n"), plain_get(fields="X: a\tb\r\n")),
    ("the same header thrice, in order", "9110 5.3", get("X: 1\r\nx: 2\r\nX: 3\r\n"), plain_get(fields="X: 1\r\nx: 2\r\nX: 3\r\n")),
    ("120 headers", "6585 5", get("".join(f"X-{i}: 1\r\n" for i in range(120))), plain_get(fields="".join(f"X-{i}: 1\r\n" for i in range(120)))),
    ("a value of nearly 8 KiB", "6585 5", get("X: " + "x" * 8000 + "\r\n"), plain_get(fields="X: " + "x" * 8000 + "\r\n")),
    ("Host in other case", "9110 4.2.3", "GET / HTTP/1.1\r\nhOSt: {h}\r\n\r\n", plain_get()),
    ("Host in the last place", "9110 7.2: sent first", "GET / HTTP/1.1\r\nX: 1\r\nHost: {h}\r\n\r\n", plain_get(fields="X: 1\r\n")),
    ("a length", "9112 6.2", sized("abc"), sized("abc")),
    ("a length with zeros", "9110 8.6: digits", post("Content-Length: 0003\r\n", "abc"),
     "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 0003\r\n\r\nabc"),
    ("a length of 0", "9112 6.2", sized(""), sized("")),
    ("a body of GET", "9110 9.3.1", sized("abc", "GET"), sized("abc", "GET")),
    ("a body of HEAD", "9110 9.3.2", sized("abc", "HEAD"), sized("abc", "HEAD")),
    ("a body of DELETE", "9110 9.3.5", sized("abc", "DELETE"), sized("abc", "DELETE")),
    ("a body of OPTIONS", "9110 9.3.7", sized("abc", "OPTIONS"), sized("abc", "OPTIONS")),
    ("a body that is a request", "9112 6.3: the payload CL.0", sized(SMUGGLED.replace("{h}", "x")), sized(SMUGGLED.replace("{h}", "x"))),
    ("chunks that are a request", "9112 7.1", chunked("30\r\nGET /smuggled HTTP/1.1\r\nHost: abcdefghijklmn\r\n\r\n\r\n0\r\n\r\n"),
     chunked("30\r\nGET /smuggled HTTP/1.1\r\nHost: abcdefghijklmn\r\n\r\n\r\n0\r\n\r\n")),
    ("a body of chunks of GET", "9110 9.3.1", chunked("3\r\nabc\r\n0\r\n\r\n").replace("POST", "GET"),
     chunked("3\r\nabc\r\n0\r\n\r\n").replace("POST", "GET")),
    ("a coding in capitals", "9112 7", post("Transfer-Encoding: CHUNKED\r\n", "0\r\n\r\n"), chunked("0\r\n\r\n")),
    ("a coding with space around it", "9112 5.1", post("Transfer-Encoding: \t chunked\t \r\n", "0\r\n\r\n"), chunked("0\r\n\r\n")),
    ("a coding that Connection names", "9110 7.6.1: framing is not the client's to remove", post("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
     chunked("0\r\n\r\n")),
    ("a length that Connection names", "9110 7.6.1", post("Connection: content-length\r\nContent-Length: 3\r\n", "abc"), sized("abc")),
    ("Host that Connection names", "9110 7.6.1", get("Connection: host\r\n"), plain_get()),
    ("chunks with capitals and zeros", "9112 7.1", chunked("0A\r\n0123456789\r\n0b\r\n01234567890\r\n000\r\n\r\n"),
     chunked("0A\r\n0123456789\r\n0b\r\n01234567890\r\n000\r\n\r\n")),
    ("chunk extensions", "9112 7.1.1", chunked('3;a;b=c;d="e;\\"f, g"\r\nabc\r\n0;x=y\r\n\r\n'), chunked('3;a;b=c;d="e;\\"f, g"\r\nabc\r\n0;x=y\r\n\r\n')),
    ("bad whitespace in chunk extensions", "9112 7.1.1: must be parsed", chunked('3 ; a = b ;\tc\r\nabc\r\n0\r\n\r\n'),
     chunked('3 ; a = b ;\tc\r\nabc\r\n0\r\n\r\n')),
    ("trailers", "9112 7.1.2", chunked("3\r\nabc\r\n0\r\nX-Sum: 1 2\r\nY:\r\n\r\n", "Trailer: X-Sum\r\n"),
     chunked("3\r\nabc\r\n0\r\nX-Sum: 1 2\r\nY:\r\n\r\n", "Trailer: X-Sum\r\n")),
    ("trailers that only begin as forbidden ones", "9110 6.5.1", chunked("0\r\nHosts: 1\r\nHos: 1\r\nContent-Length-X: 1\r\nX-Host: 1\r\n\r\n"),
     chunked("0\r\nHosts: 1\r\nHos: 1\r\nContent-Length-X: 1\r\nX-Host: 1\r\n\r\n")),
    ("hop-by-hop headers, without them", "9110 7.6.1",
     get("Connection: X-A, keep-alive , ,X-B\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n"),
     plain_get(fields="X-C: 3\r\n")),
    ("more hop-by-hop headers than anybody has", "9110 7.6.1", get("Connection: " + ", ".join(f"X-{i}" for i in range(40)) + "\r\n" +
                                                          "".join(f"X-{i}: 1\r\n" for i in range(40))), plain_get()),
    ("hop-by-hop headers named in two lines", "9110 5.3", get("Connection: X-A\r\nX-A: 1\r\nconnection: x-b\r\nX-B: 2\r\n"), plain_get()),
    ("h2c is not asked on", "9113 3.1: the upgrade is gone, and would hide requests from us",
     get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"), plain_get()),
    ("h2c in a list is not asked on", "9110 7.8", get("Connection: Upgrade\r\nUpgrade: foo, h2c\r\nHTTP2-Settings: AAMA\r\n"), plain_get()),
    ("an upgrade that Connection does not name", "9110 7.8", get("Upgrade: websocket\r\n"), plain_get()),
    ("Connection that names no Upgrade", "9110 7.6.1", get("Connection: Upgrade\r\n"), plain_get()),
    ("Expect of 100-continue", "9110 10.1.1", get("Expect: 100-Continue\r\n"), plain_get(fields="Expect: 100-Continue\r\n")),
    ("an old client that is kept", "9112 9.3", "GET / HTTP/1.0\r\nHost: {h}\r\nConnection: keep-alive\r\n\r\n", plain_get()),
    ("a body of an old client", "9112 6.2", "POST / HTTP/1.0\r\nHost: {h}\r\nContent-Length: 3\r\n\r\nabc", sized("abc")),
    ("what we say of a client is ours to say, by any spelling", "3875 4.1.18: CGI reads _ as -",
     get("X_Forwarded_For: 1.2.3.4\r\nx-forwarded_proto: https\r\nX_Request_Id: 1\r\n"), plain_get()),
    ("framing is said once, by any spelling", "3875 4.1.18: CGI reads _ as -", post("Transfer_Encoding: chunked\r\nContent_Length: 9\r\nContent-Length: 3\r\n", "abc"), sized("abc")),
], passed)

table("passed", [(f"{c!r} in a target", "9112 3.2", get(target=f"/a{c}b?{c}"), plain_get(f"/a{c}b?{c}"))
                 for c in "!$%&'()*+,-./0:;=?@A[]_a~"], passed)
table("passed", [(f"'{c}' in a name", "9110 5.1", get(f"X{c}Y: 1\r\n"), plain_get(fields=f"X{c}Y: 1\r\n"))
                 for c in "!#$%&'*+-.^`|~" + string.digits[:2]], passed)


# ---- refused, though it is well-formed ------------------------------------------------------

def refused_and_told(w, text, status):
    """The answer may keep the connection; the instance has seen nothing of it."""
    host, inst = shared_app(w)
    before = mark(inst)
    with w.client() as c:
        a = c.send(fill(text, host)).read_answer()
        assert a.status == status, (a.line, a.body)
        assert since(inst, before) == b""
        if a.get("Connection") != "close":
            assert c.send(fill(get(target="/next"), host)).read_answer().json["target"] == "/next"
        else:
            assert c.ended()
    good_request_passes(w, host, inst)


table("refused", [
    ("an expectation that nobody knows", "9110 10.1.1; may be 417: to pass it on is to leave it to luck", get("Expect: 200-ok\r\n"), 417),
    ("an expectation beside 100-continue", "9110 10.1.1", get("Expect: 100-continue, x\r\n"), 417),
    ("an expectation with a value", "9110 10.1.1", get("Expect: 100-continue=1\r\n"), 417),
    ("two lines of expectations", "9110 10.1.1", get("Expect: x\r\nExpect: 100-continue\r\n"), 417),
    ("a route that nobody has", "9110 15.5.5", "GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n", 404),
    ("a route that nobody has, in absolute-form", "9112 3.2.2: Host is not looked at", get(target="http://nobody.example.com/"), 404),
    ("a route that nobody has, with a body", "9112 9.3: read whole, so the connection stays",
     "POST / HTTP/1.1\r\nHost: nobody.example.com\r\nContent-Length: 3\r\n\r\nabc", 404),
    ("an address as host", "9110 7.2", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 404),
], refused_and_told)


# ---- the same by HTTP/2 ---------------------------------------------------------------------

def h2_fields(host, method="GET", path="/", authority=None, scheme="http"):
    return [(":method", method), (":scheme", scheme), (":authority", host if authority is None else authority.replace("{h}", host)), (":path", path)]


def h2_refused(w, fields=(), status=400, **pseudo):
    """By RST_STREAM or a page; the instance sees nothing, and the connection serves the next request."""
    host, inst = shared_app(w)
    before, n = mark(inst), len(inst.requests)
    with H2(w.router.http) as c:
        s = c.answer(c.head([*h2_fields(host, **pseudo), *fields]))
        assert s.reset == PROTOCOL_ERROR or s.status == status, (s.reset, s.headers)
        assert since(inst, before) == b"" and len(inst.requests) == n, since(inst, before)
        assert c.get(host, "/next").json["target"] == "/next"
    good_request_passes(w, host, inst)


def h2_trailer_refused(w, name, value):
    """The head and the data have gone: but the request never ends, and nobody takes it for one."""
    host, inst = shared_app(w)
    before, n = mark(inst), len(inst.requests)
    with H2(w.router.http) as c:
        stream = c.ask(host, method="POST", end=False)
        c.send(stream, b"abc", end=False)
        wait_for("what comes before it", lambda: b"abc" in since(inst, before))  # and not in the next case
        s = c.send(stream, b"", trailers=[(name, value)]).answer(stream)
        assert s.reset is not None or s.status == 400, (s.reset, s.headers)
        assert c.get(host, "/next").json["target"] == "/next"
    assert [r.target for r in inst.requests[n:]] == ["/next"], since(inst, before)


def h2_passed(w, fields, want, **pseudo):
    host, inst = shared_app(w)
    before = mark(inst)
    with H2(w.router.http) as c:
        s = c.answer(c.head([*h2_fields(host, **pseudo), *fields]))
        assert s.status == 200, (s.reset, s.headers)
    assert without_ours(since(inst, before)).lower() == fill(want, host).lower(), without_ours(since(inst, before))


table("HTTP/2", [(f"{c!r} in a name", "9113 8.2.1", [(f"x{c}y", "1")]) for c in NOT_TOKEN + " \t"] +
      [(f"byte {c:#04x} in a name", "9113 8.2.1", [(f"x{chr(c)}y", "1")]) for c in (*CONTROLS, 0x80, 0xe4)] +
      [(f"{c} in a name", "9113 8.2.1", [(f"x{c}y", "1")]) for c in string.ascii_uppercase] +
      [(f"byte {c:#04x} in a value", "9113 8.2.1", [("x", f"a{chr(c)}b")]) for c in CONTROLS] +
      [(f"byte {c:#04x} before a value", "9113 8.2.1", [("x", f"{chr(c)}a")]) for c in (*CONTROLS, 0x20, 0x09)] +
      [(f"byte {c:#04x} behind a value", "9113 8.2.1", [("x", f"a{chr(c)}")]) for c in (*CONTROLS, 0x20, 0x09)] +
      [(f"content-length {n.encode('latin-1')!r}", "9113 8.1.1", [("content-length", n)]) for n in LENGTHS if n != "-0"] +
      [(f"transfer-encoding {v!r}", "9113 8.2.2", [("transfer-encoding", v)]) for v in ("chunked", "identity", "gzip", "", "xchunked")] +
      [("a coding that the end of a value hides", "9113 8.2.1", [("x", "a\r\ntransfer-encoding: chunked")]),
       ("a coding that the end of a name hides", "9113 8.2.1", [("x: a\r\ntransfer-encoding", "chunked")]),
       ("a request that the end of a value hides", "9113 8.2.1", [("x", "a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x")])], h2_refused)
table("HTTP/2", [(f"byte {c:#04x} in the path", "9113 8.3.1", f"/a{chr(c)}b") for c in (*CONTROLS, 0x20, 0x09, 0x80, 0xe4)] +
      [("a version in the path", "9113 8.3.1", "/ HTTP/1.1"), ("a relative path", "9113 8.3.1", "a"), ("no path", "9113 8.3.1", ""),
       ("a fragment", "9113 8.3.1", "/#a"), ("a request in the path", "9113 8.3.1", "/ HTTP/1.1\r\n\r\nGET /smuggled")],
      lambda w, path: h2_refused(w, path=path))
table("HTTP/2", [(f"authority {a[:30].encode('latin-1')!r}", "9113 8.3.1", a) for a in (
    "user@{h}", "u:p@{h}", "{h},other.example.com", "{h} other.example.com", "{h}/x", "{h}?x", "{h}#x", "http://{h}", "{h}\\x", '"{h}"', "<{h}>",
    "{h}\0", "{h}\r\nX: y", "{h}\n", "b\xfccher.example.com", ":80", "{h}:x", "{h}:80:80", "[::1", "[::1]x", "x" * 300)],
      lambda w, authority: h2_refused(w, authority=authority))
table("HTTP/2", [(f"method {m.encode('latin-1')!r}", "9113 8.3.1", m) for m in (
    "", "GET ", " GET", "GET /", "GE\tT", "GE\0T", "GE:T", "G(T", "GET\r\n", "GET / HTTP/1.1\r\nX: y", "G\xc8T", "PRI")],
      lambda w, method: h2_refused(w, method=method))
table("HTTP/2", [(f"an expectation of {v!r}", "9110 10.1.1", [("expect", v)], 417) for v in ("200-ok", "100-continue, x", "100-continue=1")], h2_refused)
table("HTTP/2 trailer", [(f"is {t.split(':')[0].lower()}", "9110 6.5.1", t.split(":")[0].lower(), t.split(": ")[1]) for t in FORBIDDEN if t[0] != "c"] +
      [(f"has {c!r} in its name", "9113 8.2.1", f"x{c}y", "1") for c in NOT_TOKEN + " \t\0\x01\x7f\xe4A"] +
      [(f"has byte {c:#04x} in its value", "9113 8.2.1", "x", f"a{chr(c)}b") for c in CONTROLS] +
      [("is a pseudo-header field", "9113 8.1", ":path", "/x"), ("hides another", "9113 8.2.1", "x", "a\r\nhost: b")], h2_trailer_refused)
table("HTTP/2 passed", [
    ("what we say of a client is ours to say, by any spelling", "3875 4.1.18", [("x_forwarded_for", "1.2.3.4"), ("x-forwarded_proto", "https"),
                                                                               ("content_length", "9")], plain_get()),
    ("values of any bytes", "9110 5.5", [("x", "b\xfccher"), ("y", ""), ("z", "a\tb c")], plain_get(fields="x: b\xfccher\r\ny: \r\nz: a\tb c\r\n")),
    ("a host of the same name", "9113 8.3.1", [("host", "{h}")], plain_get()),
    ("te", "9113 8.2.2", [("te", "trailers")], plain_get()),
    ("cookies", "9113 8.2.3", [("cookie", "a=1"), ("x", "1"), ("cookie", "b=2")], plain_get(fields="cookie: a=1; b=2\r\nx: 1\r\n")),
], lambda w, fields, want: h2_passed(w, [(k, v.replace("{h}", shared_app(w)[0])) for k, v in fields], want))


# ---- one after the other --------------------------------------------------------------------

@case
def errors_of_all_kinds_are_answered_in_order(w):
    """9112 9.3.2: and what follows the one that cannot be understood is never read."""
    host, inst = shared_app(w)
    n = len(inst.requests)
    good = [get(target="/1"), "GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n", sized("abc"), get("Expect: x\r\n"), chunked("3\r\nabc\r\n0\r\n\r\n"),
            get(line="HEAD /2 HTTP/1.1"), "POST / HTTP/1.1\r\nHost: nobody.example.com\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "\r\n" + get(target="/3")]
    with w.client() as c:
        c.send(fill("".join(good) + get("Bad Header: x\r\n") + SMUGGLED, host))
        statuses = [c.read_answer(head_only=i == 5).status for i in range(9)]
        assert statuses == [200, 404, 200, 417, 200, 200, 404, 200, 400], statuses
        assert c.ended()
    assert [r.target for r in inst.requests[n:]] == ["/1", "/", "/", "/2", "/3"]


@case
def nothing_is_read_behind_a_request_that_closes(w):
    """9112 9.6: a request behind Connection: close is none."""
    host, inst = shared_app(w)
    for first in (get("Connection: close\r\n"), get("Connection: x, CLOSE\r\n"), get("Connection: keep-alive\r\nConnection: close\r\n"),
                  "GET / HTTP/1.0\r\nHost: {h}\r\n\r\n"):
        n = len(inst.requests)
        with w.client() as c:
            c.send(fill(first + SMUGGLED, host))
            a = c.read_answer()
            assert a.status == 200 and a.get("Connection") == "close" and c.ended(), (first, a.headers)
        good_request_passes(w, host, inst)
        assert [r.target for r in inst.requests[n:]] == ["/", "/good"], first


@case
def request_that_ends_within_itself_is_none(w):
    """9112 8: a head or a body that ends early, at each of its bytes, reaches nobody whole."""
    host, inst = shared_app(w)
    for text in (sized("abc"), chunked('3;a="b"\r\nabc\r\n0\r\nX: 1\r\n\r\n')):
        data = fill(text, host)
        for cut in range(1, len(data)):
            n = len(inst.requests)
            with w.client() as c:
                c.send(data[:cut])
                shut(c)
                rest = c.f.read()
                assert rest == b"" or rest.startswith(b"HTTP/1.1 400 "), (data[:cut], rest)
            assert w.get(host, "/good").status == 200
            assert [r.target for r in inst.requests[n:]] == ["/good"], data[:cut]


@case
def what_follows_a_body_is_the_next_request_wherever_it_is_cut(w):
    """9112 9.3.2: two requests in two pieces, cut at each byte."""
    host, inst = shared_app(w)
    for text in (sized("abc"), chunked("3\r\nabc\r\n0\r\nX: 1\r\n\r\n")):
        data = fill(text + get(target="/second"), host)
        with w.client() as c:
            for cut in range(len(data) + 1):
                c.send(data[:cut])
                if cut % 4 == 0:  # now and then the router sees the pieces apart
                    w.router.metric("flynn_router_clients_open")
                c.send(data[cut:])
                one, two = c.read_answer(), c.read_answer()
                assert one.json["length"] == 3 and two.json["target"] == "/second", (cut, one.body, two.body)


@case
def bounds_are_where_they_are_said_to_be(w):
    """6585 5: 128 headers, as many options of Connection, 8 KiB a line and 32 KiB a head pass, one more does not."""
    host, inst = shared_app(w)

    def status(text):
        with w.client() as c:
            return c.send(fill(text, host)).read_answer().status

    for n, want in ((127, 200), (128, 431)):  # and Host
        assert status(get("A: 1\r\n" * n)) == want, n
    for n, want in ((128, 200), (129, 431)):  # in whatever lines
        assert status(get("Connection: " + "x, " * 28 + "\r\nConnection:" + ",y" * (n - 28) + "\r\n")) == want, n
    for n, want in ((8192, 200), (8193, 431)):
        assert status(get("A: " + "x" * (n - 5) + "\r\n")) == want, n
    for n, want in ((8192, 200), (8193, 414)):
        assert status(get(target="/" + "x" * (n - len("GET / HTTP/1.1\r\n")))) == want, n
    base = len(fill(get(), host))
    for n, want in ((32768, 200), (32769, 431)):
        left, fields = n - base, ""
        while left > 0:
            size = left if left <= 8000 else 7000
            fields += "A: " + "x" * (size - 5) + "\r\n"
            left -= size
        assert len(fill(get(fields), host)) == n
        assert status(get(fields)) == want, n
    good_request_passes(w, host, inst)


@case
def page_says_what_is_wrong_in_the_form_that_was_asked_for(w):
    """9110 15: a refusal is told, and what it repeats of the request is data."""
    host, _ = shared_app(w)
    with w.client() as c:
        a = c.send(fill(get("Bad Header: x\r\n"), host)).read_answer()
        assert b"a byte that no header name may have" in a.body or b"whitespace" in a.body, a.body
        assert a.get("Content-Type").startswith("text/plain"), a.headers
    for name in ("a_b.example.com", "-.example.com", "nobody"):
        a = w.get(name, headers="Accept: application/json\r\n")
        assert a.status == 404 and name in json.loads(a.body)["message"], a.body
