"""Bytes that attackers send: what two servers in a row read differently, what is too much, and what is no HTTP."""

import random
from collections.abc import Callable

Attack = Callable[[bytes], bytes]

SMUGGLED = b"GET /detector HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
EMPTY = b"0\r\n\r\n"
MANY = 10_000


def post(lines: bytes, body: bytes = b"") -> Attack:
    return lambda host: b"POST /detect HTTP/1.1\r\n" + host + b"Content-Type: image/png\r\n" + lines + b"\r\n" + body


def get(target: bytes = b"/detector", lines: bytes = b"", *, method: bytes = b"GET") -> Attack:
    return lambda host: method + b" " + target + b" HTTP/1.1\r\n" + host + lines + b"\r\n"


def bare(data: bytes) -> Attack:
    return lambda _: data


# Answered by 400, and the connection ends: nothing behind it is read as a request.
SMUGGLING: dict[str, Attack] = {
    "a length and chunks": post(b"Content-Length: 4\r\n" + CHUNKED, EMPTY + SMUGGLED),
    "chunks and a length": post(CHUNKED + b"Content-Length: 4\r\n", EMPTY + SMUGGLED),
    "a length and chunks, spelt otherwise": post(
        b"content-length: 4\r\ntransfer-ENCODING: CHUNKED\r\n", EMPTY + SMUGGLED
    ),
    "chunks in HTTP/1.0": lambda host: b"POST /detect HTTP/1.0\r\n" + host + CHUNKED + b"\r\n" + EMPTY + SMUGGLED,
    "two lengths": post(b"Content-Length: 3\r\nContent-Length: 30\r\n", b"abc" + SMUGGLED),
    "a list of lengths": post(b"Content-Length: 3, 4\r\n", b"abc" + SMUGGLED),
    "a length with a sign": post(b"Content-Length: +3\r\n", b"abc" + SMUGGLED),
    "a length in hexadecimal": post(b"Content-Length: 0x3\r\n", b"abc" + SMUGGLED),
    "a length with an underscore": post(b"Content-Length: 1_0\r\n", b"abc" + SMUGGLED),
    "an empty length": post(b"Content-Length: \r\n", b"abc" + SMUGGLED),
    "an unknown coding": post(b"Transfer-Encoding: xchunked\r\n", EMPTY + SMUGGLED),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked\r\n", EMPTY + SMUGGLED),
    "chunked and identity": post(CHUNKED + b"Transfer-Encoding: identity\r\n", EMPTY + SMUGGLED),
    "a space before the colon": post(b"Transfer-Encoding : chunked\r\n", EMPTY + SMUGGLED),
    "a vertical tab": post(b"Transfer-Encoding:\x0bchunked\r\n", EMPTY + SMUGGLED),
    "a bare CR in a header": get(lines=b"X: a\rTransfer-Encoding: chunked\r\n"),
    "a chunk with a sign": post(CHUNKED, b"-3\r\nabc\r\n" + EMPTY + SMUGGLED),
    "a chunk in C's hexadecimal": post(CHUNKED, b"0x3\r\nabc\r\n" + EMPTY + SMUGGLED),
    "a chunk longer than it says": post(CHUNKED, b"2\r\nabc\r\n" + EMPTY + SMUGGLED),
    "two hosts": get(lines=b"Host: y\r\n"),
    "no host": bare(b"GET /health/live HTTP/1.1\r\n\r\n"),
    "a null in the host": bare(b"GET /health/live HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
    "a null in a key": bare(b"GET /detector HTTP/1.1\r\nHost: x\r\nX-API-Key: a\0b\r\n\r\n"),
}
# Read in one way only, or no HTTP/1.1 at all: whatever the answer, it is no error of the server.
ODD: dict[str, Attack] = {
    "one length twice": post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
    "a folded header": post(b"X-A: a\r\n b\r\nContent-Length: 3\r\n", b"abc"),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n", EMPTY),
    "bare LF": lambda host: (b"GET /detector HTTP/1.1\r\n" + host + b"\r\n").replace(b"\r\n", b"\n"),
    "a chunk's extension": post(CHUNKED, b"3;a=b\r\nabc\r\n" + EMPTY),
    "a chunk's extension of a megabyte": post(CHUNKED, b"3;a=" + b"b" * 2**20 + b"\r\nabc\r\n" + EMPTY),
    "a trailer with a key": post(CHUNKED, b"3\r\nabc\r\n0\r\nX-API-Key: x\r\n\r\n"),
    "10,000 trailers": post(CHUNKED, b"3\r\nabc\r\n0\r\n" + b"A: b\r\n" * MANY + b"\r\n"),
    "a header of a megabyte": get(lines=b"X: " + b"a" * 2**20 + b"\r\n"),
    "a header of 60 kB": get(lines=b"X: " + b"a" * 60_000 + b"\r\n"),
    "10,000 header lines": get(lines=b"A: b\r\n" * MANY),
    "9,000 different header lines": get(lines=b"".join(b"%x:\r\n" % number for number in range(9000))),
    "a path of a megabyte": get(b"/" + b"a" * 2**20),
    "a path of 60 kB": get(b"/" + b"a" * 60_000),
    "15,000 parameters": get(b"/detect?" + b"a=b&" * 15_000, method=b"POST"),
    "15,000 media ranges": post(b"Accept: " + b"a/b," * 15_000 + b"\r\nContent-Length: 3\r\n", b"abc"),
    "15,000 cookies": get(lines=b"Cookie: " + b"a=b;" * 15_000 + b"\r\n"),
    "15,000 pieces of baggage": get(lines=b"baggage: " + b"a=b," * 15_000 + b"\r\n"),
    "a trace of 60 kB": get(lines=b"traceparent: " + b"0" * 60_000 + b"\r\n"),
    "20,000 proxies": get(lines=b"X-Forwarded-For: " + b"1," * 20_000 + b"\r\n"),
    "a key of 60 kB": bare(
        b"GET /detector HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"a" * 60_000 + b"\r\n\r\n"
    ),
    "a key that is no text": bare(b"GET /detector HTTP/1.1\r\nHost: x\r\nX-API-Key: \xff\xfe\r\n\r\n"),
    "colours as a request's name": get(lines=b"X-Request-ID: \x1b[31mred\x1b[0m\r\n"),
    "another host": bare(b"GET /health/live HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    "a host of junk": bare(b"GET /nothing HTTP/1.1\r\nHost: a b/c?@:99999\r\n\r\n"),
    "half an IPv6 host": bare(b"GET /docs/assets/x HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    "an absolute target": get(b"http://x/detector"),
    "an absolute target elsewhere": get(b"http://evil.example/detector"),
    "an absolute target past an open path": bare(b"GET http://x/page/../detector HTTP/1.1\r\nHost: x\r\n\r\n"),
    "dots after an open path": bare(b"GET /page/../detector HTTP/1.1\r\nHost: x\r\n\r\n"),
    "encoded dots after an open path": bare(b"GET /page/%2e%2e/detector HTTP/1.1\r\nHost: x\r\n\r\n"),
    "two slashes": bare(b"GET //detector HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a proxy's CONNECT": get(b"evil.example:443", method=b"CONNECT"),
    "OPTIONS *": get(b"*", method=b"OPTIONS"),
    "a target that is no path": get(b"javascript:alert(1)"),
    "half an IPv6 target": get(b"http://[::1"),
    "a null in a path": get(b"/detectors/%00"),
    "no UTF-8 in a path": get(b"/detectors/%ed%a0%80%ff"),
    "no UTF-8 in a parameter": get(b"/detect?classes=%ed%a0%80%ff&%ff=%00", method=b"POST"),
    "no UTF-8 in a reload": get(b"/admin/reload?detector=%ff%00", method=b"POST"),
    "HTTP/2's preface": bare(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50)),
    "an upgrade to HTTP/2": get(
        lines=b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
    ),
    "a WebSocket": get(lines=b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
    "TLS": bare(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(508)),
    "HTTP/0.9": bare(b"GET /health/live\r\n\r\n"),
    "HTTP/3.0": bare(b"GET /health/live HTTP/3.0\r\nHost: x\r\n\r\n"),
    "nulls": bare(bytes(100_000)),
    "noise": bare(random.Random(1).randbytes(100_000)),
    "empty lines": bare(b"\r\n" * 100_000),
    "an expectation": post(b"Expect: nonsense\r\nContent-Length: 3\r\n", b"abc"),
    "a method of 10 kB": get(method=b"A" * 10_000),
    "a method in lower case": get(method=b"get"),
    "TRACE": get(method=b"TRACE"),
    "a boundary of a quote": lambda host: (
        b"POST /detect HTTP/1.1\r\n"
        + host
        + b'Content-Type: multipart/form-data; boundary="\r\nContent-Length: 3\r\n\r\nabc'
    ),
}
