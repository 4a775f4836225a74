"""What the parser of HTTP leaves open: heads without an end, hosts, and protocols that we do not speak."""

import socket
from collections.abc import Callable, Iterator

import pytest
from loopback import Address, serving
from PIL import Image
from waiting import PATIENCE_S

from dirdet.detector.detector import Detector
from dirdet.gateway.app import create_app

GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
CHUNKED = (
    b"POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
)
LONG = 70_000  # h11 takes heads of up to 64 KiB


@pytest.fixture
def address(detector: Detector) -> Iterator[Address]:
    with serving(create_app(detector)) as where:
        yield where


def answered(address: Address, *pieces: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    with socket.create_connection(address, timeout=PATIENCE_S) as connection:
        found = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while some := connection.recv(65536):
                found += some
        except ConnectionError:  # it was closed while we sent; what it said before may be lost
            pass
    return found


@pytest.mark.parametrize(
    "pieces",
    [
        [GET, b"A: ", *[b"x" * 1000] * (LONG // 1000)],
        [GET + b"".join(b"A%d: x\r\n" % number for number in range(20_000)) + b"\r\n"],
        [b"GET /" + b"x" * LONG],
        [CHUNKED + b"1\r\nx\r\n0\r\n", *[b"A: " + b"x" * 1000 + b"\r\n"] * (LONG // 1000 + 1), b"\r\n"],
        [GET[: GET.index(b"Host")] + b"\r\n"],
        [GET + b"Host: y\r\n\r\n"],
        [GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"],
        [GET + b"A: \0\r\n\r\n"],
    ],
    ids=[
        "a header without end", "many headers", "a long path", "long trailers", "no host", "two hosts",
        "two lengths", "a null byte",
    ],
)  # fmt: skip
def test_refused_and_closed(address: Address, pieces: list[bytes]) -> None:
    found = answered(address, *pieces)
    assert not found or found.startswith(b"HTTP/1.1 400 ")
    assert answered(address, GET + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_one_that_asks_for_http_2_is_answered_in_http_1(
    address: Address, rectangles: Callable[..., Image.Image], encode: Callable[..., bytes]
) -> None:
    """As Java's client does by itself."""
    body = encode(rectangles())
    head = b"POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: %d\r\n" % len(body)
    asks = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n\r\n"
    found = answered(address, head + asks + body, GET + b"Connection: close\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 200 ")
    assert b'"red"' in found
    assert found.count(b"HTTP/1.1 200 ") == 2
