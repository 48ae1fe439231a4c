#!/usr/bin/env python3
"""A relay that holds a connection back: `hold.py PORT TO N ASKED GO`.

Passes bytes on from PORT to port TO of this machine; of the Nth connection not before the file GO exists, having made ASKED.
"""

import os
import socket
import sys
import threading
import time

PAUSE_S = 0.02

port, to, nth, asked, go = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]


def pass_on(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def relay(client, held):
    if held:
        open(asked, "w").close()
        while not os.path.exists(go):
            time.sleep(PAUSE_S)
    server = socket.create_connection(("127.0.0.1", to))
    threading.Thread(target=pass_on, args=(server, client), daemon=True).start()
    pass_on(client, server)


listener = socket.create_server(("127.0.0.1", port))
n = 0
while True:
    accepted, _ = listener.accept()
    n += 1
    threading.Thread(target=relay, args=(accepted, n == nth), daemon=True).start()
