#!/usr/bin/env python3
"""A person at a terminal: `terminal.py COMMAND...`, with a script on standard input, a line each.

size ROWS COLUMNS sets the terminal's size; expect TEXT waits until it was printed; type TEXT and a return key; key NUMBER sends one
byte; await FILE waits until it exists; make FILE. At its end the command is waited for. Prints all that it printed, then "status N".
Nothing is waited for longer than LIMIT_S.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

LIMIT_S = 20
ends = time.monotonic() + 3 * LIMIT_S
seen = b""
read = 0


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def give_up(why):
    print(f"gave up: {why}; seen: {seen!r}")
    sys.exit(1)


def more(fd, until):
    """Whether something came, or the other end is still there at all."""
    global seen
    if not select.select([fd], [], [], max(0, until - time.monotonic()))[0]:
        return False
    try:
        data = os.read(fd, 65536)
    except OSError:  # the other side is closed
        data = b""
    seen += data
    return bool(data)


def expect(fd, text):
    global read
    until = time.monotonic() + LIMIT_S
    while (at := seen.find(text, read)) == -1:
        if not more(fd, until):
            give_up(f"no {text!r} behind {read} bytes")
    read = at + len(text)


def wait_for(path):
    until = time.monotonic() + LIMIT_S
    while not os.path.exists(path):
        if time.monotonic() > until:
            give_up(f"no file {path}")
        time.sleep(0.02)


pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[1], sys.argv[1:])
set_size(terminal, 24, 80)
for line in sys.stdin:
    word, _, rest = line.rstrip("\n").partition(" ")
    if word == "size":
        set_size(terminal, *(int(n) for n in rest.split()))
    elif word == "expect":
        expect(terminal, rest.encode())
    elif word == "type":
        os.write(terminal, rest.encode() + b"\r")
    elif word == "key":
        os.write(terminal, bytes([int(rest)]))
    elif word == "await":
        wait_for(rest)
    elif word == "make":
        open(rest, "w").close()
while more(terminal, ends):
    pass
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
print(f"\nstatus {os.waitstatus_to_exitcode(status)}")
