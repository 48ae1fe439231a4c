#!/usr/bin/env python3
"""Steady requests to a host until SIGTERM: `steady_load.py HOST`. Half of the clients keep their connections.

Prints what was not answered with 200, a line each, then how many were: "N ok, M failed". Bounded in time (LIMIT_S).
"""

import signal
import socket
import sys
import threading
import time

CLIENTS = 8
PAUSE_S = 0.01
LIMIT_S = 600

ends = time.monotonic() + LIMIT_S
lock = threading.Lock()
ok = 0
failures = []


def stop(*_):
    global ends
    ends = 0


def read_answer(f):
    line = f.readline()
    if not line:
        raise EOFError("the connection ended without an answer")
    headers = {}
    while (h := f.readline().strip()):
        name, value = h.split(b":", 1)
        headers[name.lower()] = value.strip()
    if b"content-length" in headers:
        n = int(headers[b"content-length"])
        if len(f.read(n)) < n:
            raise EOFError("the answer was cut")
    elif headers.get(b"transfer-encoding") == b"chunked":
        while (n := int(f.readline(), 16)) > 0:
            f.read(n + 2)
        f.readline()
    else:
        f.read()
    return int(line.split()[1]), headers.get(b"connection") != b"close"


def client(host, keeps):
    global ok
    sock = None
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: {'keep-alive' if keeps else 'close'}\r\n\r\n".encode()
    while time.monotonic() < ends:
        try:
            if sock is None:
                sock = socket.create_connection(("127.0.0.1", 80), 5)
                sock.settimeout(20)
                f = sock.makefile("rb")
            sock.sendall(request)
            status, stays = read_answer(f)
            with lock:
                if status == 200:
                    ok += 1
                else:
                    failures.append(f"{status} at {time.strftime('%H:%M:%S')}")
        except (OSError, EOFError, ValueError) as e:
            stays = False
            with lock:
                failures.append(f"{e!r} at {time.strftime('%H:%M:%S')}, {'kept' if keeps else 'new'} connection")
        if not keeps or not stays:
            sock = sock.close() if sock is not None else None
        time.sleep(PAUSE_S)


signal.signal(signal.SIGTERM, stop)
threads = [threading.Thread(target=client, args=(sys.argv[1], i % 2 == 0)) for i in range(CLIENTS)]
for t in threads:
    t.start()
for t in threads:
    while t.is_alive():
        t.join(0.2)
for failure in failures[:20]:
    print(failure)
print(f"{ok} ok, {len(failures)} failed")
