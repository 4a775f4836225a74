"""Bytes from strangers on a real gateway with keys: refused or answered, never its error, and it stays ready."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from megabytes import asking_for_megabytes
from waiting import until

from dirdet.gateway.wire.server import MOST_CONNECTIONS

from .attacks import CHUNKED, ODD, SMUGGLING
from .gateway import Gateway, serving

# A header of 64 KiB is all that one costs; measured: 0.1 s at most.
MOST_PROCESSOR_S = 0.6
MOST_GROWTH_MIB = 60
# A third of what there is for a drain.
MOST_ENDING_S = 10.0


@pytest.fixture(autouse=True)
def unharmed(guarded: Gateway) -> Iterator[None]:
    """Whatever came: the gateway is ready, and its log has neither a traceback nor an error."""
    before = len(guarded.log())
    yield
    assert guarded.is_ready()
    said = guarded.log()[before:]
    assert "Traceback" not in said
    assert " ERROR " not in said


@pytest.mark.parametrize("what", SMUGGLING)
def test_what_two_servers_would_read_differently_ends_the_connection(what: str, guarded: Gateway) -> None:
    with guarded.connect() as connection:
        connection.sendall(SMUGGLING[what](guarded.host))
        answer = b"".join(iter(lambda: _received(connection), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except ConnectionResetError:  # closed with something unread
        return b""


@pytest.mark.parametrize("what", ODD)
def test_what_is_odd_is_no_error_of_the_server(what: str, guarded: Gateway) -> None:
    begun_s = guarded.processor_s()
    status = guarded.ask(ODD[what](guarded.host))
    assert status is None or status < 500
    assert guarded.is_ready()  # behind it: what it does after the answer is counted too
    assert guarded.processor_s() - begun_s < MOST_PROCESSOR_S


@pytest.mark.parametrize(
    "path", ["//detector", "/page/../detector", "/page/%2e%2e/detector", "/health/live/../../detector"]
)
def test_no_spelling_leads_past_the_keys(path: str, guarded: Gateway) -> None:
    assert guarded.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) in (401, 404)


@pytest.mark.parametrize("late", [b"ZZ\r\n", b"0\r\nno trailer\r\n\r\n"])
def test_junk_after_the_answer_only_ends_the_connection(late: bytes, guarded: Gateway) -> None:
    with guarded.connect() as connection:
        connection.sendall(
            b"POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n" + CHUNKED + b"\r\n3\r\nabc\r\n"
        )
        while b'"status":401' not in _received(connection):
            pass
        connection.sendall(late)
        while _received(connection):
            pass


def test_a_thousand_requests_in_one_piece(guarded: Gateway) -> None:
    with guarded.connect() as connection:
        one = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
        connection.sendall((one + b"\r\n") * 999 + one + b"Connection: close\r\n\r\n")
        answers = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answers.count(b"HTTP/1.1 200 OK") == 1000


def test_heads_that_never_end_keep_nobody_out(guarded: Gateway) -> None:
    with ExitStack() as opened:
        slow = [opened.enter_context(guarded.connect()) for _ in range(200)]
        for piece in (b"GET /detector HTTP/1.1\r\nHost: x\r\nX: ", *(b"a",) * 10):
            for connection in slow:
                connection.sendall(piece)
            assert guarded.is_ready()


def test_idle_connections_beyond_the_limit_are_answered_503_until_the_idle_ones_are_closed(guarded: Gateway) -> None:
    with ExitStack() as opened:
        for _ in range(MOST_CONNECTIONS):
            opened.enter_context(guarded.connect())
        assert guarded.ask(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n") == 503
        until(guarded.is_ready)  # they still wait to be read; the server has closed them


def test_a_body_that_trickles_is_refused_at_its_deadline(guarded: Gateway) -> None:
    with guarded.connect() as connection:
        lines = b"Content-Type: image/png\r\nX-Request-Timeout-Ms: 2000\r\n" + CHUNKED
        connection.sendall(b"POST /detect HTTP/1.1\r\n" + guarded.host + lines + b"\r\n")
        connection.settimeout(0.1)
        answer, begun = b"", time.monotonic()
        while not answer and time.monotonic() - begun < 60:
            connection.sendall(b"1\r\na\r\n")  # a byte a chunk
            with suppress(TimeoutError):
                answer = connection.recv(65_536)
    assert answer.startswith((b"HTTP/1.1 504 ", b"HTTP/1.1 503 "))


def test_answers_that_nobody_reads_or_reads_to_the_end_do_not_hold_up_the_end(tmp_path: Path) -> None:
    begun_s = 0.0
    with ExitStack() as opened:
        with serving(tmp_path) as gateway:
            for last_bytes in (1, 100_000, None):
                connection = opened.enter_context(gateway.connect(receives=4096))
                connection.sendall(asking_for_megabytes())
                assert connection.recv(12) == b"HTTP/1.1 200"
                if last_bytes is not None:
                    connection.recv(last_bytes)
                    connection.close()
            begun_s = time.monotonic()
        assert time.monotonic() - begun_s < MOST_ENDING_S
    for word in ("Traceback", "socket.send() raised", "without completing"):
        assert word not in gateway.log()


def test_memory_is_flat(guarded: Gateway) -> None:
    attacks = [attack(guarded.host) for attack in (*SMUGGLING.values(), *ODD.values())]
    for attack in attacks:
        guarded.ask(attack)
    before_mib = guarded.resident_mib()
    for _ in range(2):
        for attack in attacks:
            guarded.ask(attack)
    assert guarded.resident_mib() - before_mib < MOST_GROWTH_MIB
