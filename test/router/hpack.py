"""HPACK (RFC 7541): enough of an encoder for tests, and all of a decoder."""

STATIC = [(None, None)] + [tuple(line.split("|")) for line in """\
:authority|
:method|GET
:method|POST
:path|/
:path|/index.html
:scheme|http
:scheme|https
:status|200
:status|204
:status|206
:status|304
:status|400
:status|404
:status|500
accept-charset|
accept-encoding|gzip, deflate
accept-language|
accept-ranges|
accept|
access-control-allow-origin|
age|
allow|
authorization|
cache-control|
content-disposition|
content-encoding|
content-language|
content-length|
content-location|
content-range|
content-type|
cookie|
date|
etag|
expect|
expires|
from|
host|
if-match|
if-modified-since|
if-none-match|
if-range|
if-unmodified-since|
last-modified|
link|
location|
max-forwards|
proxy-authenticate|
proxy-authorization|
range|
referer|
refresh|
retry-after|
server|
set-cookie|
strict-transport-security|
transfer-encoding|
user-agent|
vary|
via|
www-authenticate|""".split("\n")]

# Length of each symbol's code, in the order of symbols: the code is canonical but for its being listed in
# RFC 7541 appendix B, where codes of one length ascend with the symbol.
LENGTHS = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30]


def codes():
    table, code, last = {}, 0, 0
    for length, symbol in sorted((n, s) for s, n in enumerate(LENGTHS)):
        code <<= length - last
        last = length
        table[(length, code)] = symbol
        code += 1
    return table


HUFFMAN = codes()
CODES = {symbol: key for key, symbol in HUFFMAN.items()}


def huffman_decode(data):
    out, code, length = bytearray(), 0, 0
    for byte in data:
        for bit in range(7, -1, -1):
            code = code << 1 | byte >> bit & 1
            length += 1
            symbol = HUFFMAN.get((length, code))
            if symbol is not None:
                assert symbol != 256, "EOS in a string"
                out.append(symbol)
                code, length = 0, 0
    assert length < 8 and code == (1 << length) - 1, "bad padding of a Huffman code"
    return bytes(out)


def huffman_encode(data):
    bits, n = 0, 0
    for byte in data:
        length, code = CODES[byte]
        bits, n = bits << length | code, n + length
    pad = -n % 8
    return (bits << pad | (1 << pad) - 1).to_bytes((n + pad) // 8, "big")


def integer(n, prefix, flags=0):
    most = (1 << prefix) - 1
    if n < most:
        return bytes([flags | n])
    out = bytearray([flags | most])
    n -= most
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def string(s, huffman=False):
    s = s.encode("latin-1") if isinstance(s, str) else s
    if huffman:
        s = huffman_encode(s)
    return integer(len(s), 7, 128 if huffman else 0) + s


def literal(name, value, huffman=False, index=False):
    """A field that refers to no table; index: it enters the dynamic one."""
    return (b"\x40" if index else b"\0") + string(name, huffman) + string(value, huffman)


def encode(fields, **how):
    return b"".join(literal(k, v, **how) for k, v in fields)


class Decoder:
    def __init__(self):
        self.table, self.limit = [], 4096

    def integer(self, data, at, prefix):
        most = (1 << prefix) - 1
        n = data[at] & most
        at += 1
        if n == most:
            shift = 0
            while True:
                n += (data[at] & 127) << shift
                shift += 7
                at += 1
                if not data[at - 1] & 128:
                    break
        return n, at

    def string(self, data, at):
        huffman = data[at] & 128
        n, at = self.integer(data, at, 7)
        s = data[at:at + n]
        assert len(s) == n
        return (huffman_decode(s) if huffman else s).decode("latin-1"), at + n

    def get(self, index):
        return STATIC[index] if index < len(STATIC) else self.table[index - len(STATIC)]

    def add(self, name, value):
        self.table.insert(0, (name, value))
        while sum(len(k) + len(v) + 32 for k, v in self.table) > self.limit:
            self.table.pop()

    def decode(self, data):
        fields, at = [], 0
        while at < len(data):
            byte = data[at]
            if byte & 0x80:
                index, at = self.integer(data, at, 7)
                fields.append(self.get(index))
                continue
            if byte & 0xe0 == 0x20:
                self.limit, at = self.integer(data, at, 5)
                continue
            indexed = byte & 0xc0 == 0x40
            index, at = self.integer(data, at, 6 if indexed else 4)
            name, at = (self.get(index)[0], at) if index else self.string(data, at)
            value, at = self.string(data, at)
            fields.append((name, value))
            if indexed:
                self.add(name, value)
        return fields
