"""The API behind a real uvicorn on a loopback port: what only a network shows."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest
from figures import value_at
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Address, serving
from PIL import Image
from waiting import PATIENCE_S, until

from dirdet.detector.detector import Detector
from dirdet.gateway.app import create_app

Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]
MIB = bytes(2**20)


@pytest.fixture
def server(detector: Detector) -> Iterator[Address]:
    with serving(create_app(detector)) as address:
        yield address


@pytest.fixture
def client(server: Address) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        yield client


def test_a_body_without_end_is_refused_at_the_limit(server: Address) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield MIB

    for headers in ({"content-type": "image/png"}, {"content-type": "multipart/form-data; boundary=x"}):
        response = httpx.post(f"{server.url}/detect", content=endless(), headers=headers, timeout=PATIENCE_S)
        # Nonsense for a form fails before its limit is reached.
        assert response.status_code == (413 if headers["content-type"] == "image/png" else 400)


def test_a_length_above_the_limit_is_refused_before_the_body(server: Address) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_S)
    connection.putrequest("POST", "/detect")
    connection.putheader("Content-Type", "image/png")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert response.getheader("content-type") == "application/problem+json"
    connection.close()


def test_head_leaves_the_connection_usable(server: Address) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_S)
    lengths: list[int] = []
    for method in ("HEAD", "GET", "HEAD"):
        connection.request(method, "/detector")
        response = connection.getresponse()
        assert response.status == 200
        lengths.append(int(response.headers["content-length"]))
        assert len(response.read()) == (lengths[-1] if method == "GET" else 0)
    assert len(set(lengths)) == 1
    connection.close()


def test_the_server_outlives_a_client_that_goes_away(
    server: Address, rectangles: Rectangles, encode: Encode, caplog: pytest.LogCaptureFixture
) -> None:
    for body in (b"", b"\x89PNG"):
        with socket.create_connection(server) as connection:
            head = "POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 999\r\n\r\n"
            connection.sendall(head.encode() + body)
    files = {"image": ("a.png", encode(rectangles()))}
    response = httpx.post(f"{server.url}/detect", files=files, timeout=PATIENCE_S)
    assert response.status_code == 200
    until(lambda: value_at(server.url, "http_server_active_requests") == 1)
    assert "Traceback" not in caplog.text


def test_requests_at_the_same_time(server: Address, rectangles: Rectangles, encode: Encode) -> None:
    answers: dict[int, float] = {}

    def ask(x: int) -> None:
        data = encode(rectangles(red=(x, 50, x + 100, 150)))
        response = httpx.post(f"{server.url}/detect", files={"image": ("a.png", data)}, timeout=PATIENCE_S)
        answers[x] = response.json()["images"][0]["detections"][0]["box"][0]

    threads = [threading.Thread(target=ask, args=(50 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {50 * number: pytest.approx(50 * number, abs=2.5) for number in range(8)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "BMP", "TIFF"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    length=st.floats(0, 1),
)
def test_a_mutated_picture_is_never_the_servers_fault(
    client: httpx.Client,
    rectangles: Rectangles,
    encode: Encode,
    kind: str,
    changes: list[tuple[float, int]],
    length: float,
) -> None:
    data = bytearray(encode(rectangles(64, 48), kind))
    for where, value in changes:
        data[int(where * len(data))] = value
    data = data[: int(length * len(data))]
    response = client.post("/detect", files={"image": ("a", bytes(data))})
    assert response.status_code in (200, 413, 415, 422)
