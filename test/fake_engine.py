#!/usr/bin/env python3
"""fake_engine.py SOCKET CONTAINERS PROGRESS - an engine whose answers are as long as the real one's may get.

It lists what is in the file CONTAINERS, has no image until it was pulled, and reports a pull in PROGRESS bytes.
"""

import http.server
import json
import socketserver
import sys
import threading

STEP = json.dumps({"status": "Downloading", "progressDetail": {"current": 1, "total": 2}, "id": "0" * 12}).encode() + b"\r\n"
STEPS = STEP * 1000
PULLED = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "host"

    def answer(self, status, value):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, total):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        for _ in range(total // len(STEPS) + 1):
            self.wfile.write(STEPS)

    def path_is(self, *parts):
        return any(part in self.path for part in parts)

    def do_GET(self):
        if self.path_is("/_ping"):
            self.answer(200, b"OK")
        elif self.path_is("/version"):
            self.answer(200, {"Version": "24.0", "ApiVersion": "1.43", "MinAPIVersion": "1.12", "Arch": "amd64"})
        elif self.path_is("/events"):
            self.stream(-1)
            self.wfile.flush()
            threading.Event().wait()
        elif self.path_is("/containers/json"):
            with open(sys.argv[2], "rb") as file:
                self.answer(200, file.read())
        elif self.path_is("/images/"):
            self.answer(200, {"Id": "sha256:" + "1" * 64})
        else:
            self.answer(404, {"message": "it is not here"})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path_is("/images/create"):
            PULLED.set()
            self.stream(int(sys.argv[3]))
            self.close_connection = True
        elif self.path_is("/containers/create") and not PULLED.is_set():
            self.answer(404, {"message": "no such image"})
        elif self.path_is("/containers/create"):
            self.answer(400, {"message": "pulled, and enough of it"})
        else:
            self.answer(201, {})

    def do_DELETE(self):
        self.answer(404, {"message": "it is not here"})


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


Server(sys.argv[1], Handler).serve_forever()
