"""The API over an engine in another process: deadlines, outages, and clients that go away."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import httpx
import pytest
from loopback import Address, serving
from PIL import Image
from waiting import PATIENCE_S, until

from dirdet.bundle.bundle import Manifest
from dirdet.detector.detector import Detector
from dirdet.engines.base import Engine, RemoteEngine
from dirdet.engines.tensors import MAX_BATCH, Candidates, CanvasBatch
from dirdet.errors import DeadlineError, EngineError
from dirdet.gateway.app import create_app
from dirdet.gateway.scheduling.server_limits import ServerLimits

Call = Callable[..., httpx.Response]
PNG = {"content-type": "image/png"}
DEADLINE_S = 100.0
# Enough to get to the engine on a busy machine.
SOON = PNG | {"x-request-timeout-ms": "4000"}


class FarEngine:
    """Passes canvases to an engine here, after a while."""

    def __init__(self, near: Engine) -> None:
        self.near = near
        self.takes_s = 0.0
        self.broken: EngineError | None = None
        self.waiting = 0
        self.most_waiting = 0
        self.cancelled = 0

    @property
    def description(self) -> str:
        return "far away"

    def ready(self) -> bool:
        return self.broken is None

    def close(self) -> None:
        self.near.close()

    def detect(self, batch: CanvasBatch) -> Candidates:  # noqa: ARG002
        raise AssertionError("a remote engine is awaited, not given a thread")

    async def detect_within(self, batch: CanvasBatch, *, timeout_s: float) -> Candidates:
        assert 0 < timeout_s <= DEADLINE_S
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            await anyio.sleep(self.takes_s)
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        finally:
            self.waiting -= 1
        if self.broken is not None:
            raise self.broken
        return self.near.detect(batch)


@pytest.fixture
def far(engine: Any) -> FarEngine:
    return FarEngine(engine)


@pytest.fixture
def detector(manifest: Manifest, far: FarEngine) -> Detector:
    assert isinstance(far, RemoteEngine)
    return Detector(manifest, far)


@pytest.fixture
def limits() -> ServerLimits:
    return ServerLimits(inferences=2, timeout_s=DEADLINE_S)


@pytest.fixture
def call(detector: Detector, limits: ServerLimits) -> Call:
    def send(method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(create_app(detector, limits=limits), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                return await client.request(method, path, **options)

        return anyio.run(ask)

    return send


@pytest.fixture
def picture(rectangles: Callable[..., Image.Image], encode: Callable[..., bytes]) -> bytes:
    return encode(rectangles())


def test_it_answers_as_an_engine_here_does(call: Call, picture: bytes) -> None:
    [image] = call("POST", "/detect", content=picture, headers=PNG).json()["images"]
    assert [found["label"] for found in image["detections"]] == ["red"]
    drawn = call("POST", "/detect", content=picture, headers=PNG | {"accept": "image/png"})
    assert drawn.headers["content-type"] == "image/png"


def test_all_inferences_of_a_request_wait_together_and_keep_their_order(
    call: Call, far: FarEngine, rectangles: Callable[..., Image.Image], encode: Callable[..., bytes]
) -> None:
    wide, tall = encode(rectangles()), encode(rectangles(480, 640, blue=(100, 60, 300, 200)))
    far.takes_s = 0.5
    files = [("image", (f"{number}.png", tall if number % 3 else wide)) for number in range(2 * MAX_BATCH)]
    images = call("POST", "/detect", files=files).json()["images"]
    labels = [[found["label"] for found in image["detections"]] for image in images]
    assert labels == [["blue"] if number % 3 else ["red"] for number in range(2 * MAX_BATCH)]
    assert far.most_waiting == 3  # 6 wide, and 10 tall in two


def test_an_engine_that_is_down_503_says_when_to_ask_again(call: Call, far: FarEngine, picture: bytes) -> None:
    far.broken = EngineError("out of order")
    for answer in (call("POST", "/detect", content=picture, headers=PNG), call("GET", "/health/ready")):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    far.broken = None
    assert call("POST", "/detect", content=picture, headers=PNG).status_code == 200


@pytest.mark.parametrize("by_itself", [True, False])
def test_past_the_deadline_504(call: Call, far: FarEngine, picture: bytes, *, by_itself: bool) -> None:
    """Whether the engine notices or not."""
    if by_itself:
        far.broken = DeadlineError("too late")
    else:
        far.takes_s = 600
    begun = time.monotonic()
    answer = call("POST", "/detect", content=picture, headers=SOON)
    assert time.monotonic() - begun < DEADLINE_S / 2
    assert (answer.status_code, answer.json()["type"]) == (504, "urn:dirdet:problem:deadline-exceeded")
    assert "retry-after" not in answer.headers
    assert far.cancelled == (0 if by_itself else 1)


def test_waiting_for_a_free_place_counts(
    detector: Detector, far: FarEngine, limits: ServerLimits, picture: bytes
) -> None:
    far.takes_s = 600

    async def ask_all() -> list[int]:
        statuses: list[int] = []
        transport = httpx.ASGITransport(create_app(detector, limits=limits))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:

            async def ask() -> None:
                statuses.append((await client.post("/detect", content=picture, headers=SOON)).status_code)

            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(ask)
        return statuses

    assert anyio.run(ask_all) == [504] * 5
    assert far.most_waiting == limits.inferences


@pytest.fixture
def address(detector: Detector, limits: ServerLimits) -> Iterator[Address]:
    """Of a real server: only a connection can be closed."""
    with serving(create_app(detector, limits=limits)) as address:
        yield address


def test_a_client_that_goes_away_stops_its_inference(address: Address, far: FarEngine, picture: bytes) -> None:
    far.takes_s = 600
    head = f"POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
    with socket.create_connection(address) as connection:
        connection.sendall(head.encode() + picture)
        until(lambda: far.waiting == 1)
    until(lambda: far.cancelled == 1)
    far.takes_s = 0
    again = httpx.post(f"{address.url}/detect", content=picture, headers=PNG, timeout=PATIENCE_S)
    assert again.status_code == 200
