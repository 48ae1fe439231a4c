"""What messages are broken with, whoever sends them: the parts that requests and answers have in common."""

NOT_TOKEN = "\"(),/;<=>?@[\\]{}"
CONTROLS = [c for c in range(0x20) if c != 0x09] + [0x7f]
NAMES = ("Host", "Content-Length", "Transfer-Encoding", "Connection", "X-Any")

# Header fields that are malformed: (name, clause, fields, body).
FIELDS = ([(f"space before the colon of {n}", "9112 5.1", f"{n} : 3\r\n", "abc") for n in NAMES] +
          [(f"tab before the colon of {n}", "9112 5.1", f"{n}\t: 3\r\n", "abc") for n in NAMES] +
          [(f"'{c}' in a name", "9110 5.1", f"X{c}Y: 1\r\n", "") for c in NOT_TOKEN] +
          [(f"byte {c:#04x} in a name", "9110 5.1", f"X{chr(c)}Y: 1\r\n", "") for c in CONTROLS if c != 0x0a] +
          [(f"byte {c:#04x} before a name", "9110 5.1", f"{chr(c)}Transfer-Encoding: chunked\r\n", "") for c in CONTROLS] +
          [(f"byte {c:#04x} behind a name", "9112 5.1", f"Transfer-Encoding{chr(c)}: chunked\r\n", "") for c in CONTROLS] +
          [(f"byte {c:#04x} in a value", "9110 5.5", f"X: a{chr(c)}b\r\n", "") for c in CONTROLS] +
          [(f"byte {c:#04x} behind the colon", "9110 5.5", f"X:{chr(c)}a\r\n", "") for c in CONTROLS] +
          [(f"byte {c:#04x} at a value's end", "9110 5.5", f"X: a{chr(c)}\r\n", "") for c in CONTROLS] + [
              ("without a colon", "9112 5", "Nonsense\r\n", ""),
              ("without a name", "9112 5", ": x\r\n", ""),
              ("of a colon", "9112 5", ":\r\n", ""),
              ("with a name beyond ASCII", "9110 5.1", "X-\xc4: 1\r\n", ""),
              ("with a space in its name", "9110 5.1", "X Y: 1\r\n", ""),
              ("folded", "9112 5.2; may be unfolded, which few do alike", "X: a\r\n b\r\n", ""),
              ("folded by a tab", "9112 5.2", "X: a\r\n\tb\r\n", ""),
              ("folded at once", "9112 5.2", "X:\r\n a\r\n", ""),
              ("folded coding", "9112 5.2", "Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
              ("folded coding by a tab", "9112 5.2", "Transfer-Encoding:\r\n\tchunked\r\n", "0\r\n\r\n"),
              ("folded length", "9112 5.2", "Content-Length:\r\n 3\r\n", "abc"),
              ("a fold that hides a coding", "9112 5.2", "X: a\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
              ("a line of a space", "9112 5.2", "X: a\r\n \r\n", ""),
              ("a line of a tab", "9112 5.2", "X: a\r\n\t\r\n", ""),
              ("LF hides a coding", "9112 2.2", "X: a\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
              ("CR hides a coding", "9112 2.2", "X: a\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
              ("LF CR hides a coding", "9112 2.2", "X: a\n\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
              ("CR LF CR hides a coding", "9112 2.2", "X: a\r\n\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
              ("a line of LF ends the head", "9112 2.2", "\n", ""),
              ("CR CR LF ends the head", "9112 2.2", "\r\r\n", ""),
              ("a line ends with LF", "9112 2.2", "X: 1\nY: 1\r\n", ""),
              ("a line ends with CR", "9112 2.2", "X: 1\rY: 1\r\n", ""),
          ])
# And those that are too much.
TOO_MUCH = [
    ("129 of them", "6585 5", "".join(f"X-{i}: 1\r\n" for i in range(129))),
    ("1000 of them", "6585 5", "".join(f"X-{i}: 1\r\n" for i in range(1000))),
    ("a line of 8 KiB and more", "6585 5", "X: " + "x" * 8190 + "\r\n"),
    ("a name of 8 KiB and more", "6585 5", "X" * 8190 + ": 1\r\n"),
    ("a line without end", "6585 5", "X: " + "x" * 100000 + "\r\n"),
    ("a head of 32 KiB and more", "6585 5", "".join(f"X-{i}: {'x' * 4000}\r\n" for i in range(9))),
]

# Values of Content-Length that are none.
LENGTHS = ["+3", "-3", "-0", "--3", "3-", "0x3", "0X3", "3h", "0b11", "0o3", "3.0", "3,", ",3", "3,3", "3, 3", "3,4", "3 3", "3\t3", "3;3", "3;q=1",
           '"3"', "'3'", "3a", "a3", "a", "3e0", "1_0", "3\xa0", "\xa03", "\x853", "\xb3", "\xd9\xa3", "\xef\xbc\x93", "", "Infinity", "NaN",
           "null", "3\x0b", "\x0b3", "3\x0c", "3\0", "(3)", "[3]", "18446744073709551619", "9223372036854775808", "99999999999999999999",
           "4294967299" + "0" * 10, "3\r4"]

# Values of Transfer-Encoding other than "chunked".
CODINGS = ["xchunked", "x-chunked", "chunkedx", "chunke", "chunk", "tchunked", "chunked;q=1", "chunked; a=b", '"chunked"', "'chunked'", "chunked,",
           ",chunked", ", chunked", "chunked,chunked", "chunked, chunked", "chunked, identity", "identity, chunked", "identity", "identity,identity",
           "gzip", "gzip, chunked", "chunked, gzip", "deflate", "compress, chunked", "trailers", "cow", "cow, chunked", "chunked cow", "chu nked",
           "\x0bchunked", "chunked\x0b", "\x0cchunked", "chunked\x0c", "\0chunked", "chunked\0", "\xa0chunked", "chunked\xa0", "\x85chunked",
           "\x1fchunked", "[chunked]", "{chunked}", "(chunked)", "chunked=1", "chunked:", "chunked\\", "chunked#", "chunked/1", "%63hunked",
           "chunk\xc3\xa9d", "chun\xe2\x84\xaaed", "\xef\xbb\xbfchunked", "", "chunked\n", "\nchunked", "\rchunked", "chunked\rx", "*", "1"]

END = "\r\n0\r\n\r\n"
# Sizes of chunks that are none, each with a chunk of "abc" behind it.
SIZES = ["", " ", " 3", "\t3", "3 ", "3\t", "0x3", "0X3", "3h", "h3", "+3", "-3", "-1", "3 3", "3,3", "3.0", "'3'", '"3"', "g", "3g", "3\x0b", "3\x0c",
         "\x0b3", "\0" + "3", "3\0", "3\xa0", "\xb3", "\xd9\xa3", "10000000000000000", "10000000000000003", "fffffffffffffffff", "FFFFFFFFFFFFFFFD",
         "8000000000000003", "0" * 16 + "3", "0" * 300 + "3", "3\r", "3\n"]

# Trailers that a message may not have.
FORBIDDEN = ["Content-Length: 3", "content-length: 3", "Transfer-Encoding: chunked", "TRANSFER-ENCODING: x", "Host: evil.example.com", "Trailer: X",
             "Connection: close", "Upgrade: websocket", "TE: trailers", "Keep-Alive: 5", "Expect: 100-continue", "Authorization: Basic x", "Cookie: a=b",
             "Content-Encoding: gzip", "Content-Type: text/html", "Content-Range: bytes 0-1/2", "Max-Forwards: 1", "Set-Cookie: a=b", "Range: bytes=0-1",
             "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Request-Id: " + "1" * 20, "Forwarded: for=1.2.3.4",
             "Content_Length: 3", "x_forwarded_for: 1.2.3.4"]

# Bodies in chunks that are malformed: (name, clause, body), by what is wrong.
BODIES = {}

BODIES["chunk size"] = ([(f"is {s.encode('latin-1')[:20]!r}", "9112 7.1", f"{s}\r\nabc{END}") for s in SIZES] + [
    ("ends with LF", "9112 7.1", f"3\nabc{END}"),
    ("ends with CR", "9112 7.1", f"3\rabc{END}"),
    ("ends with LF CR", "9112 7.1", f"3\n\rabc{END}"),
    ("of the last chunk has a sign", "9112 7.1", "-0\r\n\r\n"),
    ("of the last chunk has hex", "9112 7.1", "0x0\r\n\r\n"),
    ("of the last chunk ends with LF", "9112 7.1", "0\n\r\n"),
])

BODIES["chunk extension"] = ([(f"is {e.encode('latin-1')[:20]!r}", "9112 7.1.1", f"3{e}\r\nabc{END}") for e in (
    ";", "; ", ";;", ";a;", ";=x", ";a=", ";a= ", ';a="b', ';a="b\\', ';a="b"c', ";a=b c", ";a b", ";a=b=c", ";a==b", ";a,b", ";a/b=1", ";a=(b)",
    ";\x01", ";a\x01", ";a=\x01", ';a="\x01"', ";a\0", ";a=\x7f", ";\xe4=1", ";a=\xe4", ";" + "a" * 300, ";a=" + "b" * 300, ';a="' + "b" * 300 + '"',
    " a", " =a", "\ta", ";a\x0b", ";a\nb", ";\nb", "\n;a", ";a=\nb", ';a="\n"', ";a\rb", ";\rb", "\r;a", ';a="\rb"')] + [
        ("is a quoted line end", "9112 7.1.1", f'3;a="\r\nabc{END}'),
        ("is a quoted request", "9112 7.1.1", '3;a="\r\n\r\n' + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n" + f'"\r\nabc{END}'),
        ("ends with LF", "9112 7.1.1", f"3;a\nabc{END}"),
        ("ends with LF and is empty", "9112 7.1.1; the payload TERM.EXT", f"3;\nabc{END}"),
        ("of the last chunk ends with LF", "9112 7.1.1", "0;a\n\r\n"),
    ])

BODIES["chunk data"] = [
    ("is longer than its size", "9112 7.1", f"3\r\nabcd{END}"),
    ("is shorter than its size", "9112 7.1", f"5\r\nabc{END}"),
    ("ends with LF", "9112 7.1", "3\r\nabc\n0\r\n\r\n"),
    ("ends with CR", "9112 7.1", "3\r\nabc\r0\r\n\r\n"),
    ("ends with LF CR", "9112 7.1", "3\r\nabc\n\r0\r\n\r\n"),
    ("ends with nothing", "9112 7.1", "3\r\nabc0\r\n\r\n"),
    ("ends with a space and CR LF", "9112 7.1", "3\r\nabc \r\n0\r\n\r\n"),
    ("ends with two bytes of any kind", "9112 7.1; the payload of servers that skip two", "3\r\nabcxx0\r\n\r\n"),
    ("ends with CR CR LF", "9112 7.1", "3\r\nabc\r\r\n0\r\n\r\n"),
    ("ends with CR LF CR LF", "9112 7.1", "3\r\nabc\r\n\r\n0\r\n\r\n"),
]

BODIES["trailer"] = ([(f"is {t.split(':')[0]}", "9110 6.5.1; must not be merged, so it must not arrive where somebody might", f"0\r\n{t}\r\n\r\n")
                  for t in FORBIDDEN] +
      [(f"has {c!r} in its name", "9110 5.1", f"0\r\nX{c}Y: 1\r\n\r\n") for c in NOT_TOKEN + " \t\0\x01\x7f\xe4"] +
      [(f"has byte {c:#04x} in its value", "9110 5.5", f"0\r\nX: a{chr(c)}b\r\n\r\n") for c in CONTROLS] + [
          ("has no colon", "9112 7.1.2", "0\r\nnonsense\r\n\r\n"),
          ("has no name", "9112 7.1.2", "0\r\n: x\r\n\r\n"),
          ("has a space before its colon", "9112 5.1", "0\r\nX : 1\r\n\r\n"),
          ("is folded", "9112 5.2", "0\r\nX: 1\r\n 2\r\n\r\n"),
          ("is a fold", "9112 5.2", "0\r\n X: 1\r\n\r\n"),
          ("ends with LF", "9112 2.2", "0\r\nX: 1\n\r\n"),
          ("ends with CR", "9112 2.2", "0\r\nX: 1\r\r\n"),
          ("section ends with LF", "9112 2.2", "0\r\nX: 1\r\n\n"),
          ("section ends with LF at once", "9112 2.2", "0\r\n\n"),
          ("section ends with CR", "9112 2.2", "0\r\n\rX"),
          ("is a request line", "9112 7.1.2", "0\r\n" + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"),
          ("section is longer than 8 KiB", "6585 5", "0\r\n" + "X: 1\r\n" * 3000 + "\r\n"),
      ])
