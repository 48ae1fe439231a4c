"""A client of HTTP/2 that sends what it is told to, frame by frame."""

import contextlib
import json
import struct

import hpack
from world import Client

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS, PADDED, PRIORITISED = 4, 8, 32
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM,
 CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)


class Stream:
    def __init__(self, window):
        self.window = window  # what we may send
        self.interim, self.headers, self.trailers = [], None, None
        self.body = b""
        self.ended = False  # by END_STREAM
        self.reset = None   # by RST_STREAM, with that code

    @property
    def status(self):
        return self.headers and int(self.headers[0][1])

    @property
    def json(self):
        return json.loads(self.body)

    def get(self, name):
        return next((v for k, v in self.headers if k == name), None)

    def sent(self, name):
        """A header of the request, as an instance that is plain() saw it."""
        return next((v for k, v in self.json["headers"] if k.lower() == name.lower()), None)


class H2:
    def __init__(self, port, tls=None, settings=(), update=True, greet=True):
        self.client = Client(port, tls=tls)
        self.sock, self.f = self.client.sock, self.client.f
        self.update = update  # give window back at once
        self.decoder = hpack.Decoder()
        self.streams, self.next_id = {}, 1
        self.window, self.initial, self.frame_max = 65535, 65535, 16384
        self.settings, self.acks, self.pongs, self.goaway, self.frames = {}, 0, [], None, []
        self.updates = 0
        if greet:
            self.raw(PREFACE).frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", k, v) for k, v in settings))

    def raw(self, data):
        self.sock.sendall(data)
        return self

    def frame(self, kind, flags=0, stream=0, payload=b""):
        return self.raw(pack(kind, flags, stream, payload))

    def open(self):
        stream, self.next_id = self.next_id, self.next_id + 2
        self.streams[stream] = Stream(self.initial)
        return stream

    def head(self, fields, end=True, stream=None, **how):
        """Send a header list as it is. Returns the stream."""
        stream = stream or self.open()
        block = hpack.encode(fields, **how)
        first, rest = block[:16384], block[16384:]
        out = pack(HEADERS, (END_STREAM if end else 0) | (0 if rest else END_HEADERS), stream, first)
        while rest:
            part, rest = rest[:16384], rest[16384:]
            out += pack(CONTINUATION, 0 if rest else END_HEADERS, stream, part)
        self.raw(out)
        return stream

    def ask(self, host, path="/", method="GET", headers=(), end=True, scheme="http", **how):
        return self.head([(":method", method), (":scheme", scheme), (":authority", host), (":path", path), *headers], end, **how)

    def get(self, host, path="/", **how):
        return self.answer(self.ask(host, path, **how))

    def send(self, stream, body, end=True, trailers=None):
        """Send a body as the windows allow."""
        s = self.streams[stream]
        while body or (end and not trailers):
            while body and min(self.window, s.window) <= 0 and not s.reset and not s.ended and self.goaway is None:
                self.step()
            if s.reset is not None or self.goaway is not None:
                return self
            n = min(len(body), self.window, s.window, self.frame_max)
            last = end and not trailers and n == len(body)
            self.frame(DATA, END_STREAM if last else 0, stream, body[:n])
            self.window -= n
            s.window -= n
            body = body[n:]
            if last:
                break
        if trailers:
            self.head(trailers, stream=stream)
        return self

    def step(self):
        """Take one frame. False: the connection has ended."""
        try:
            head = self.f.read(9)
        except ConnectionResetError:
            return False
        if len(head) < 9:
            assert not head, "cut within a frame's head"
            return False
        length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
        assert length <= 16384, "a frame that we did not allow"
        payload = self.f.read(length)
        assert len(payload) == length, "cut within a frame"
        self.frames.append((kind, flags, stream, payload))
        self.take(kind, flags, stream, payload)
        return True

    def take(self, kind, flags, stream, payload):
        s = self.streams.get(stream)
        if kind == SETTINGS and flags & ACK:
            self.acks += 1
        elif kind == SETTINGS:
            for i in range(0, len(payload), 6):
                key, value = struct.unpack(">HI", payload[i:i + 6])
                self.settings[key] = value
                if key == INITIAL_WINDOW_SIZE:
                    for other in self.streams.values():
                        other.window += value - self.initial
                    self.initial = value
            self.reply(SETTINGS, ACK)
        elif kind == PING and flags & ACK:
            self.pongs.append(payload)
        elif kind == PING:
            self.reply(PING, ACK, 0, payload)
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">II", payload[:8])
        elif kind == WINDOW_UPDATE:
            n = struct.unpack(">I", payload)[0]
            self.updates += 1
            if stream == 0:
                self.window += n
            elif s:
                s.window += n
        elif kind == HEADERS:
            assert flags & END_HEADERS
            self.take_fields(s, flags, self.decoder.decode(payload))
        elif kind == DATA:
            s.body += payload
            s.ended |= bool(flags & END_STREAM)
            if self.update and payload:
                self.give(0, len(payload))
                if not s.ended:
                    self.give(stream, len(payload))
        elif kind == RST_STREAM:
            if s:
                s.reset = struct.unpack(">I", payload)[0]
        else:
            raise AssertionError(f"frame {kind} from the router")

    def take_fields(self, s, flags, fields):
        assert all(k == k.lower() for k, _ in fields), fields
        assert not {k for k, _ in fields} & {"connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection"}, fields
        if s.headers is not None:
            s.trailers = fields
        elif fields[0][1].startswith("1"):
            s.interim.append(fields)
        else:
            s.headers = fields
        s.ended |= bool(flags & END_STREAM)

    def give(self, stream, n):
        self.reply(WINDOW_UPDATE, 0, stream, struct.pack(">I", n))

    def reply(self, *frame):
        """The router may have gone after what is being answered."""
        with contextlib.suppress(OSError):
            self.frame(*frame)

    def until(self, true, what="frame"):
        while not true():
            assert self.step(), f"the connection ended before {what}: {self.goaway}"

    def answer(self, stream):
        s = self.streams[stream]
        self.until(lambda: s.ended or s.reset is not None, "an answer")
        return s

    def end(self):
        """Take all until the connection ends. Returns the code of the last GOAWAY."""
        while self.step():
            pass
        return self.goaway and self.goaway[1]

    def ping(self):
        """All that was sent before has been looked at."""
        n = len(self.pongs)
        self.frame(PING, 0, 0, b"01234567")
        self.until(lambda: len(self.pongs) > n, "the answer to a PING")
        return self

    def close(self):
        self.client.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def pack(kind, flags=0, stream=0, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
