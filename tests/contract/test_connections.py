"""What the parser of HTTP leaves open: heads without an end, hosts, and protocols that we do not speak."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from loopback import Address, serving
from megabytes import asking_for_megabytes
from PIL import Image
from waiting import PATIENCE_S

from dirdet.app import create_app
from dirdet.connections import TimedConnection
from dirdet.detector import Detector

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
    address: Address,
    rectangles: Callable[..., Image.Image],
    encode: Callable[..., bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As Java's client does by itself."""
    body = encode(rectangles())
    head = b"POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: %d\r\n" % len(body)
    asks = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n\r\n"
    found = answered(address, head + asks + body, GET + b"Connection: close\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 200 ")
    assert b'"red"' in found
    assert found.count(b"HTTP/1.1 200 ") == 2
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_an_answer_that_nobody_reads_is_given_up(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimedConnection, "reading_s", 0.3)
    given_up = threading.Event()
    give_way = TimedConnection.give_way

    def telling(self: TimedConnection) -> None:
        give_way(self)
        given_up.set()

    monkeypatch.setattr(TimedConnection, "give_way", telling)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE_S)
        connection.connect(address)
        connection.sendall(asking_for_megabytes())
        assert connection.recv(10).startswith(b"HTTP/1.1 2")
        assert given_up.wait(PATIENCE_S)
        found = 0  # what was on its way
        while some := connection.recv(65536):
            found += len(some)
    assert found < 2 * 2**20


def test_an_answer_that_is_read_slowly_comes_whole_and_the_connection_stays(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TimedConnection, "reading_s", 3.0)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.settimeout(PATIENCE_S)
        connection.connect(address)
        connection.sendall(asking_for_megabytes())
        with connection.makefile("rb") as answer:
            status, length, read = answer.readline(), 0, 0
            assert status.startswith(b"HTTP/1.1 200 ")
            while (line := answer.readline().lower()) != b"\r\n":
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            assert length > 3 * 2**20
            while read < length:  # over more than the time between two looks
                read += len(answer.read(min(length // 30, length - read)))
                time.sleep(0.1)
            connection.sendall(GET + b"Connection: close\r\n\r\n")
            assert answer.readline().startswith(b"HTTP/1.1 200 ")
