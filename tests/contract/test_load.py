"""More than the server can do: who is refused, how quickly, and that nothing is left of those who go away."""

import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from loopback import Address, serving
from PIL import Image
from waiting import PATIENCE_S, until

from dirdet.bundle.bundle import Manifest
from dirdet.detector.detector import Detector
from dirdet.engines.base import Engine
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.gateway.app import app_over
from dirdet.gateway.http.request_parameters import read_timeout_s
from dirdet.gateway.scheduling.deadline import WatchedFile
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.gateway.service.detection_service import DetectionService
from dirdet.gateway.service.detectors import ServedDetector
from dirdet.gateway.wire.connections import TimedConnection
from dirdet.pictures.reading import PictureLimits

from .connection import Connection, post

# What a refusal at once stays below on any machine, and a wait for the server's own time does not.
AT_ONCE_S = 60
LIMITS = ServerLimits(
    picture=PictureLimits(max_bytes=200_000),
    max_pictures=4,
    max_request_bytes=500_000,
    max_queue=4,
    max_queue_bytes=500_000,
    timeout_s=100,
    max_timeout_s=120,
    decoders=1,
)


class GatedEngine:
    """Passes canvases on while its gate is open, and takes its time."""

    def __init__(self, near: Engine) -> None:
        self.near = near
        self.gate = threading.Event()
        self.gate.set()
        self.takes_s = 0.0
        self.sizes: list[int] = []

    @property
    def description(self) -> str:
        return "gated"

    def ready(self) -> bool:
        return self.near.ready()

    def close(self) -> None:
        self.gate.set()

    def detect(self, batch: CanvasBatch) -> Candidates:
        self.sizes.append(len(batch.canvas))
        assert self.gate.wait(PATIENCE_S)
        time.sleep(self.takes_s * len(batch.canvas))
        return self.near.detect(batch)


@pytest.fixture
def gated(engine: Any) -> GatedEngine:
    return GatedEngine(engine)


@pytest.fixture
def limits() -> ServerLimits:
    return LIMITS


@pytest.fixture
def service(manifest: Manifest, gated: GatedEngine, limits: ServerLimits) -> DetectionService:
    service = DetectionService(limits)
    service.serve(ServedDetector(Detector(manifest, gated), limits))
    return service


@pytest.fixture
def address(service: DetectionService, gated: GatedEngine) -> Iterator[Address]:
    with serving(app_over(service)) as where:
        try:
            yield where
        finally:
            gated.gate.set()


@pytest.fixture
def picture(rectangles: Callable[..., Image.Image], encode: Callable[..., bytes]) -> bytes:
    return encode(rectangles())


def refused(connection: Connection, status: int, *words: str) -> dict[str, str]:
    got, headers, told = connection.answer()
    assert (got, headers["content-type"]) == (status, "application/problem+json"), told
    for word in words:
        assert word in told["detail"]
    return headers


def test_without_a_place_503_before_the_body(
    address: Address, gated: GatedEngine, service: DetectionService, picture: bytes
) -> None:
    gated.gate.clear()
    accepted = [post(address, picture) for _ in range(LIMITS.max_queue)]
    until(lambda: service.admission.places == LIMITS.max_queue)
    begun = time.monotonic()
    headers = refused(Connection(address, "Content-Length: 1000"), 503, "4 of 4 places")
    assert time.monotonic() - begun < AT_ONCE_S
    assert int(headers["retry-after"]) >= 1
    gated.gate.set()
    for connection in accepted:
        assert connection.answer()[0] == 200
    until(lambda: service.admission.places == 0)
    assert service.admission.body_bytes == 0
    assert post(address, picture).answer()[0] == 200


def test_a_request_of_more_pictures_than_there_are_places_503(
    address: Address, gated: GatedEngine, service: DetectionService, picture: bytes
) -> None:
    gated.gate.clear()
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n%b\r\n' % picture
    form = part * 4 + b"--x--\r\n"
    with post(address, picture) as first:
        until(lambda: service.admission.places == 1)
        refused(post(address, form, media_type="multipart/form-data; boundary=x"), 503, "of 4 places")
        gated.gate.set()
        assert first.answer()[0] == 200
    with post(address, form, media_type="multipart/form-data; boundary=x") as again:
        assert len(again.answer()[2]["images"]) == 4


def test_bytes_that_are_announced_are_held(address: Address, service: DetectionService, picture: bytes) -> None:
    stalled = [Connection(address, "Content-Length: 200000") for _ in range(2)]
    until(lambda: service.admission.body_bytes == 400_000)
    refused(Connection(address, "Content-Length: 150000"), 503, "MiB")
    for connection in stalled:
        connection.close()
    until(lambda: service.admission.body_bytes == 0)
    assert post(address, picture).answer()[0] == 200


def test_bytes_that_are_not_announced_are_counted_as_they_come(address: Address, service: DetectionService) -> None:
    stalled = [Connection(address, "Content-Length: 200000") for _ in range(2)]
    until(lambda: service.admission.body_bytes == 400_000)
    chunked = Connection(address, "Transfer-Encoding: chunked")
    for _ in range(3):
        chunked.send(b"c350\r\n" + bytes(50_000) + b"\r\n")
    refused(chunked, 503, "MiB")
    assert service.admission.body_bytes == 400_000
    for connection in stalled:
        connection.close()


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "soon", "", "9" * 5000, "²"])
def test_a_timeout_that_is_none_is_refused_by_name(address: Address, picture: bytes, value: str) -> None:
    with Connection(address, f"Content-Length: {len(picture)}", f"X-Request-Timeout-Ms: {value}") as connection:
        status, _, told = connection.answer()
    assert (status, told["errors"][0]["parameter"]) == (422, "X-Request-Timeout-Ms")
    assert "whole number of milliseconds, at least 1" in told["detail"]


def test_a_timeout_above_the_servers_own_is_the_servers_own(service: DetectionService) -> None:
    limits = service.limits
    assert read_timeout_s("999999999999999", max_s=limits.max_timeout_s) == 120
    assert read_timeout_s("119999", max_s=limits.max_timeout_s) == 119.999


def test_a_body_that_does_not_come_504(address: Address, service: DetectionService) -> None:
    begun = time.monotonic()
    connection = Connection(address, "Content-Length: 1000", "X-Request-Timeout-Ms: 200")
    refused(connection, 504, "0.2 s", "body")
    assert 0.2 <= time.monotonic() - begun < AT_ONCE_S
    until(lambda: service.admission.places == 0)


def test_an_engine_that_is_slow_504_and_what_waited_is_not_computed(
    address: Address, gated: GatedEngine, service: DetectionService, picture: bytes
) -> None:
    gated.gate.clear()
    first = post(address, picture)
    until(lambda: len(gated.sizes) == 1)
    # Enough to be received and decoded on a busy machine.
    late = [post(address, picture, "X-Request-Timeout-Ms: 4000") for _ in range(3)]
    for connection in late:
        refused(connection, 504, "4 s", "waited")
    until(lambda: service.admission.places == 1)
    gated.gate.set()
    assert first.answer()[0] == 200
    assert post(address, picture).answer()[0] == 200
    assert gated.sizes == [1, 1]


def test_who_goes_away_frees_a_place_and_is_not_computed(
    address: Address, gated: GatedEngine, service: DetectionService, picture: bytes
) -> None:
    gated.gate.clear()
    first = post(address, picture)
    until(lambda: len(gated.sizes) == 1)
    others = [post(address, picture) for _ in range(3)]
    until(lambda: service.admission.places == 4)
    for connection in others:
        connection.close()
    until(lambda: service.admission.places == 1)
    gated.gate.set()
    assert first.answer()[0] == 200
    until(lambda: service.admission.places == 0)
    assert gated.sizes == [1]


class TestWithManyPlaces:
    """What would wait in vain is refused, though there is a place."""

    @pytest.fixture
    def limits(self) -> ServerLimits:
        return replace(LIMITS, max_queue=200, max_queue_bytes=2**26)

    def test_it_is_told_at_once_when_to_ask_again(
        self, address: Address, gated: GatedEngine, service: DetectionService, picture: bytes
    ) -> None:
        gated.takes_s = 0.05
        for _ in range(6):  # so that the pace is known
            assert post(address, picture).answer()[0] == 200
        gated.gate.clear()
        patient = [post(address, picture) for _ in range(40)]
        until(lambda: service.admission.places == 40)
        begun = time.monotonic()
        headers = refused(Connection(address, "Content-Length: 9", "X-Request-Timeout-Ms: 1000"), 503, "before it")
        assert time.monotonic() - begun < AT_ONCE_S
        assert int(headers["retry-after"]) >= 1
        gated.gate.set()
        assert {connection.answer()[0] for connection in patient} == {200}

    def test_of_200_who_go_away_nothing_is_left(
        self, address: Address, service: DetectionService, picture: bytes
    ) -> None:
        def open_files() -> int:
            return len(list(Path("/proc/self/fd").iterdir()))

        def round_of(number: int) -> None:
            for each in range(number):
                connection = Connection(address, f"Content-Length: {len(picture)}")
                connection.send(picture if each % 2 else picture[: len(picture) // 2])
                connection.close()
            until(lambda: post(address, picture).answer()[0] == 200)  # behind all of them
            until(lambda: service.admission.places == 0)

        round_of(20)
        files, threads = open_files(), threading.active_count()
        round_of(200)
        gc.collect()
        until(lambda: open_files() <= files)
        assert threading.active_count() <= threads + 1
        assert service.admission.body_bytes == 0


@pytest.mark.parametrize("before", [b"", b"POST /det", b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_connection_on_which_no_request_comes_is_closed(
    service: DetectionService, before: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = before.endswith(b"\r\n\r\n")
    # Of one that is to be answered, enough to come on a busy machine.
    monkeypatch.setattr(TimedConnection, "head_s", 3.0 if answered else 0.3)
    begun = time.monotonic()
    # uvicorn's own limit, of a connection between requests, is not waited for.
    own = int(PATIENCE_S)
    with (
        serving(app_over(service), timeout_keep_alive=own) as where,
        socket.create_connection(where, timeout=PATIENCE_S) as connection,
    ):
        connection.sendall(before)
        if answered:  # the next never comes whole
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
            begun = time.monotonic()
            connection.sendall(b"POST /det")
        while connection.recv(1000):
            pass
        assert TimedConnection.head_s <= time.monotonic() - begun < AT_ONCE_S


def test_an_engine_that_failed_is_not_ready_until_it_detects_again(
    address: Address, engine: Any, picture: bytes
) -> None:
    url = address.url
    assert httpx.get(f"{url}/health/ready", timeout=PATIENCE_S).status_code == 200
    engine.broken = RuntimeError("out of memory")
    assert post(address, picture).answer()[0] == 500
    assert httpx.get(f"{url}/health/ready", timeout=PATIENCE_S).status_code == 503
    assert httpx.get(f"{url}/health/live", timeout=PATIENCE_S).status_code == 200
    engine.broken = None
    until(lambda: httpx.get(f"{url}/health/ready", timeout=PATIENCE_S).status_code == 200)


def test_until_the_detector_is_loaded_it_is_alive_and_not_ready(
    manifest: Manifest, engine: Any, picture: bytes
) -> None:
    service = DetectionService(LIMITS)
    with serving(app_over(service)) as address:
        url = address.url
        assert httpx.get(f"{url}/health/live", timeout=PATIENCE_S).status_code == 200
        for path in ("/health/ready", "/detector"):
            told = httpx.get(f"{url}{path}", timeout=PATIENCE_S)
            assert (told.status_code, told.json()["type"]) == (503, "urn:dirdet:problem:not-ready")
        refused(post(address, picture), 503, "loaded")
        service.serve(ServedDetector(Detector(manifest, engine), LIMITS))
        assert httpx.get(f"{url}/health/ready", timeout=PATIENCE_S).status_code == 200
        assert post(address, picture).answer()[0] == 200


def test_a_decoder_that_is_slow_ends_at_the_deadline_and_frees_its_thread(
    address: Address, service: DetectionService, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def slow(file: WatchedFile, *_: object, **__: object) -> None:
        begun.set()
        try:
            while True:  # as Pillow does with a picture that takes long: block by block
                file.read(1)
                time.sleep(0.01)
        finally:
            ended.set()

    with monkeypatch.context() as patched:
        patched.setattr("dirdet.gateway.service.detection_service.place_file", slow)
        refused(post(address, picture, "X-Request-Timeout-Ms: 3000"), 504, "decoded")
        assert begun.is_set()
        assert ended.wait(PATIENCE_S)
    until(lambda: service.admission.places == 0)
    assert post(address, picture).answer()[0] == 200
