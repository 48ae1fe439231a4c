#!/usr/bin/env python3
"""An instance that can be killed: `soak_instance.py HTTP_PORT TCP_PORT` prints "ready", and serves until then.

GET /bytes/N and /chunks/N answer so many bytes, /end/N until the end of the connection; anything else tells what
came. An Upgrade becomes an echo, as the TCP port is."""

import asyncio
import json
import sys
import zlib

PATTERN = bytes(range(256)) * 4096


async def read_body(r, fields):
    if fields.get("transfer-encoding") == "chunked":
        body = b""
        while (size := int((await r.readline()).split(b";")[0], 16)) > 0:
            body += await r.readexactly(size)
            await r.readexactly(2)
        while (await r.readline()).strip():
            pass
        return body
    return await r.readexactly(int(fields.get("content-length", 0)))


async def echo(r, w):
    while data := await r.read(65536):
        w.write(data)
        await w.drain()


async def answer(w, target, told):
    kind, _, n = target[1:].partition("/")
    if kind not in ("bytes", "chunks", "end"):
        w.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))
        return True
    left = int(n)
    w.write(b"HTTP/1.1 200 OK\r\n" + {"bytes": b"Content-Length: %d\r\n\r\n" % left, "chunks": b"Transfer-Encoding: chunked\r\n\r\n",
                                     "end": b"\r\n"}[kind])
    while left > 0:
        piece = PATTERN[:min(left, 50000)]
        left -= len(piece)
        w.write(b"%x\r\n%s\r\n" % (len(piece), piece) if kind == "chunks" else piece)
        await w.drain()
    if kind == "chunks":
        w.write(b"0\r\n\r\n")
    return kind != "end"


async def serve(r, w):
    goes_on = True
    while goes_on:
        head = (await r.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:-2])}
        if "upgrade" in fields:
            w.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            await echo(r, w)
            return
        body = await read_body(r, fields)
        told = json.dumps({"method": method, "target": target, "length": len(body), "sum": zlib.crc32(body)}).encode()
        goes_on = await answer(w, target, told)
        await w.drain()


async def closing(do, r, w):
    try:
        await do(r, w)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
        pass
    finally:
        w.close()


async def main():
    for port, do in zip(map(int, sys.argv[1:]), (serve, echo)):
        await asyncio.start_server(lambda r, w, do=do: closing(do, r, w), "127.0.0.1", port, backlog=1000)
    print("ready", flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
