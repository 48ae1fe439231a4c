#!/usr/bin/env python3
"""Steady requests to a host until SIGTERM: `steady_load.py HOST [http]`. Half of the clients keep their connections; one
more, but with http, speaks by WebSocket, and comes again when it is told to go.

Prints what was not answered well, a line each, how often the WebSocket was told to go, then how much was: "N ok, M
failed". Bounded in time (LIMIT_S).
"""

import base64
import hashlib
import os
import signal
import socket
import sys
import threading
import time

CLIENTS = 8
PAUSE_S = 0.01
LIMIT_S = 3600
CLOSE = 8

ends = time.monotonic() + LIMIT_S
lock = threading.Lock()
ok = 0
moves = 0
failures = []


def stop(*_):
    global ends
    ends = 0


def answered():
    global ok
    with lock:
        ok += 1


def failed(why):
    with lock:
        failures.append(f"{why} at {time.strftime('%H:%M:%S')}")


def read_answer(f):
    line = f.readline()
    if not line:
        raise EOFError("the connection ended without an answer")
    headers = {}
    while (h := f.readline().strip()):
        name, value = h.split(b":", 1)
        headers[name.lower()] = value.strip()
    if line.split()[1] == b"101":
        pass
    elif b"content-length" in headers:
        n = int(headers[b"content-length"])
        if len(f.read(n)) < n:
            raise EOFError("the answer was cut")
    elif headers.get(b"transfer-encoding") == b"chunked":
        while (n := int(f.readline(), 16)) > 0:
            f.read(n + 2)
        f.readline()
    else:
        f.read()
    return int(line.split()[1]), headers


def connect():
    sock = socket.create_connection(("127.0.0.1", 80), 5)
    sock.settimeout(20)
    return sock, sock.makefile("rb")


def client(host, keeps):
    sock = None
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: {'keep-alive' if keeps else 'close'}\r\n\r\n".encode()
    while time.monotonic() < ends:
        stays = False
        try:
            if sock is None:
                sock, f = connect()
            sock.sendall(request)
            status, headers = read_answer(f)
            stays = headers.get(b"connection") != b"close"
            answered() if status == 200 else failed(status)
        except (OSError, EOFError, ValueError) as e:
            failed(f"{e!r}, {'kept' if keeps else 'new'} connection,")
        if not keeps or not stays:
            sock = sock.close() if sock is not None else None
        time.sleep(PAUSE_S)


def frame(op, data):
    """A short one, masked as a client's has to be."""
    mask = os.urandom(4)
    return bytes([0x80 | op, 0x80 | len(data)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data))


def open_websocket(host):
    sock, f = connect()
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(f"GET /echo HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                 f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
    status, headers = read_answer(f)
    want = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
    if status != 101 or headers.get(b"sec-websocket-accept") != want:
        raise ValueError(f"the handshake was answered with {status}")
    return sock, f


def say(sock, f, text):
    """Whether it came back; False: a goodbye came instead."""
    sock.sendall(frame(1, text))
    head = f.read(2)
    if len(head) < 2:
        raise EOFError("the WebSocket ended without a goodbye")
    data = f.read(head[1] & 0x7F)
    if head[0] & 15 == CLOSE:
        return False
    if data != text:
        raise ValueError(f"{data!r} came back for {text!r}")
    return True


def websocket(host):
    global moves
    sock = None
    n = 0
    while time.monotonic() < ends:
        try:
            if sock is None:
                sock, f = open_websocket(host)
            n += 1
            if say(sock, f, b"message %d" % n):
                answered()
            else:
                moves += 1
                sock = sock.close()
        except (OSError, EOFError, ValueError) as e:
            failed(f"{e!r}, WebSocket,")
            sock = sock.close() if sock is not None else None
        time.sleep(PAUSE_S)


signal.signal(signal.SIGTERM, stop)
threads = [threading.Thread(target=client, args=(sys.argv[1], i % 2 == 0)) for i in range(CLIENTS)]
if sys.argv[2:] != ["http"]:
    threads.append(threading.Thread(target=websocket, args=(sys.argv[1],)))
for t in threads:
    t.start()
for t in threads:
    while t.is_alive():
        t.join(0.2)
for failure in failures[:20]:
    print(failure)
print(f"the WebSocket was told to go {moves} times")
print(f"{ok} ok, {len(failures)} failed")
