"""What reached an instance, byte for byte, and the tables of cases that are judged by it."""

import io
import json
import re
import socket

from world import CASES, answer, read_request

# What the router adds to a request.
OURS = re.compile(rb"(?im)^(?:(?:x-forwarded-[a-z]+|x-request-[a-z]+|forwarded): [^\r\n]*|via: [0-9.]+ flynn|date: [A-Z][^\r\n]* GMT)\r\n")


class Tee(io.RawIOBase):
    """A socket to read from, which keeps what was read."""

    def __init__(self, sock, log):
        super().__init__()
        self.sock, self.log = sock, log

    def readable(self):
        return True

    def readinto(self, into):
        n = self.sock.recv_into(into)
        self.log += into[:n]
        return n


def witness(inst, c, _):
    """Answers each whole request with what it was; every byte of it stays in inst.logs, one a connection."""
    log = bytearray()
    with inst.lock:
        if not hasattr(inst, "logs"):
            inst.logs = []
        inst.logs.append(log)
    f = io.BufferedReader(Tee(c, log))
    while (r := read_request(f)) is not None:
        inst.requests.append(r)
        told = {"method": r.method, "target": r.target, "length": len(r.body)}
        answer(c, b"" if r.method == "HEAD" else json.dumps(told).encode())


def mark(inst):
    return [len(log) for log in getattr(inst, "logs", [])]


def since(inst, before):
    """The bytes that have come since mark(), of all connections one after the other."""
    logs = getattr(inst, "logs", [])
    return b"".join(bytes(log[before[i] if i < len(before) else 0:]) for i, log in enumerate(logs))


def without_ours(raw):
    return OURS.sub(b"", raw)


def shut(c):
    """End the client's side."""
    c.sock.shutdown(socket.SHUT_WR)


SHARED = {}


def shared_app(w, do=witness):
    """One host for all cases of a table; its instance is in the second place."""
    if do not in SHARED:
        host, (inst,), _ = w.app(do)
        assert w.get(host).status == 200
        SHARED[do] = host, inst
    return SHARED[do]


def table(what, rows, judge):
    """A case of its own for each row: judge(world, *row[1:]), called by what and the row's name, with its clause."""
    for n, row in enumerate(rows):
        def one(w, row=row):
            judge(w, *row[2:])

        one.__name__ = f"{what}: {row[0]} ({row[1]})"
        CASES.append(one)
        assert len(row) > 2, (what, n, row)
