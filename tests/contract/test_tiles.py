"""POST /detect?tiles=: a large picture comes back as one, whatever engine computes its tiles."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image, ImageDraw

from dirdet.bundle.bundle import Manifest
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines.base import RemoteEngine
from dirdet.engines.tensors import MAX_BATCH, Candidates, CanvasBatch
from dirdet.gateway.app import create_app
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.pictures.regions import Decoded

from .conftest import LIMITS, caller

Call = Callable[..., httpx.Response]
PNG = {"content-type": "image/png"}
BOXES = {"red": (240, 60, 290, 110), "blue": (700, 500, 720, 520)}


class FarEngine:
    """Passes canvases to an engine here."""

    def __init__(self, near: Any) -> None:
        self.near = near
        self.description, self.ready, self.close = near.description, near.ready, near.close

    def detect(self, batch: CanvasBatch) -> Candidates:
        raise AssertionError(f"a remote engine is awaited, not given {batch} in a thread")

    async def detect_within(self, batch: CanvasBatch, *, timeout_s: float) -> Candidates:
        assert timeout_s > 0
        await anyio.lowlevel.checkpoint()
        return self.near.detect(batch)


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    drawn = Image.new("RGB", (900, 700), "white")
    for colour, (x1, y1, x2, y2) in BOXES.items():
        ImageDraw.Draw(drawn).rectangle((x1, y1, x2 - 1, y2 - 1), fill=colour)
    return drawn


@pytest.fixture
def sent(picture: Image.Image, encode: Callable[..., bytes]) -> bytes:
    return encode(picture)


def found_in(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    [image] = answer.json()["images"]
    assert (image["width"], image["height"]) == (900, 700)
    assert image["candidates"] is None
    return image["detections"]


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("query", ["tiles=auto", "tiles=200x160:0.3&join=nms_ios&max_detections=1"])
def test_the_answer_is_that_of_the_command_line(
    detector: Detector, picture: Image.Image, sent: bytes, far: bool, query: str
) -> None:
    engine: Any = FarEngine(detector.engine) if far else detector.engine
    assert isinstance(engine, RemoteEngine) == far
    call = caller(create_app(Detector(detector.manifest, engine)))
    found = found_in(call("POST", f"/detect?{query}", content=sent, headers=PNG))
    options: dict[str, Any] = dict(httpx.QueryParams(query))
    settings = detector.settle(DetectOptions.checked(**options))
    expected = detector.detect_regions(Decoded(picture), settings).detections
    assert [each["label"] for each in found] == [each.label for each in expected] != []
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one["box"], other.box_xyxy, atol=0.01)
        np.testing.assert_allclose(one["box"], BOXES[other.label], atol=4)  # some see it in a reduced tile


def test_tiles_share_batches_which_are_bounded(app: FastAPI, engine: Any, sent: bytes) -> None:
    found_in(caller(app)("POST", "/detect?tiles=auto", content=sent, headers=PNG))
    sizes = [len(batch.canvas) for batch in engine.batches]
    assert max(sizes) <= MAX_BATCH < sum(sizes)


def test_a_small_picture_is_answered_as_without_tiles(
    call: Call, rectangles: Callable[..., Image.Image], encode: Callable[..., bytes]
) -> None:
    small = encode(rectangles(256, 192, red=(20, 20, 90, 90)))
    whole, tiled = (call("POST", f"/detect{query}", content=small, headers=PNG) for query in ("", "?tiles=auto"))
    assert whole.json() == tiled.json()


def test_each_picture_of_a_request_is_cut_and_a_broken_one_named(call: Call, sent: bytes) -> None:
    files = [("image", ("a.png", sent)), ("image", ("b.png", b"no picture")), ("image", ("c.png", sent))]
    images = call("POST", "/detect?tiles=auto", files=files).json()["images"]
    assert [len(each.get("detections") or []) for each in images] == [2, 0, 2]
    assert images[1]["error"]["type"].endswith("not-a-picture")


def test_it_can_be_drawn(call: Call, sent: bytes) -> None:
    drawn = call("POST", "/detect?tiles=auto", content=sent, headers=PNG | {"accept": "image/png"})
    assert drawn.status_code == 200
    assert drawn.content[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("tiles=640", "tiles"),
        ("tiles=8x8", "tiles"),
        ("tiles=auto:0.95", "tiles"),
        ("tiles=auto&tiles=auto", "tiles"),
        ("tiles=auto&join=best", "join"),
        ("tiles=auto&candidates=true", "candidates"),
    ],
)
def test_a_wrong_value_is_named(call: Call, sent: bytes, query: str, parameter: str) -> None:
    answer = call("POST", f"/detect?{query}", content=sent, headers=PNG)
    assert answer.status_code == 422
    assert [each["parameter"] for each in answer.json()["errors"]] == [parameter]


def test_more_tiles_than_a_request_may_have_are_refused_with_the_limit(
    detector: Detector, engine: Any, sent: bytes
) -> None:
    call = caller(create_app(detector, limits=replace(LIMITS, max_tiles=12)))
    engine.batches.clear()
    few, many = (call("POST", f"/detect?tiles={each}", content=sent, headers=PNG) for each in ("400x300", "64x48"))
    assert few.status_code == 200
    assert many.status_code == 422
    assert "at most 12 (--max-tiles) are accepted" in many.json()["detail"]
    two = call("POST", "/detect?tiles=400x300", files=[("image", ("a.png", sent)), ("image", ("b.png", sent))])
    assert two.status_code == 422
    after = call("POST", "/detect", content=sent, headers=PNG)
    assert after.status_code == 200


def test_more_tiles_than_any_picture_may_have_are_the_pictures_fault(
    detector: Detector, encode: Callable[..., bytes]
) -> None:
    large = encode(Image.new("L", (6000, 6000)))
    answer = caller(create_app(detector))("POST", "/detect?tiles=32x32", content=large, headers=PNG)
    assert answer.status_code == 413
    assert "tiles of 32 x 32" in answer.json()["detail"]


def test_room_is_taken_for_the_tiles_at_once_and_given_back(manifest: Manifest, engine: Any, sent: bytes) -> None:
    """16 places are for the tiles of a picture; a queue of fewer refuses it and stays whole."""
    limits = ServerLimits(max_queue=8, max_pictures=4, max_queue_bytes=LIMITS.max_queue_bytes)
    call = caller(create_app(Detector(manifest, engine), limits=limits))
    for _ in range(3):
        refused = call("POST", "/detect?tiles=auto", content=sent, headers=PNG)
        assert refused.status_code == 503
        assert "of 8 places" in refused.json()["detail"]
        assert call("POST", "/detect", content=sent, headers=PNG).status_code == 200
        assert call("POST", "/detect?tiles=600x450", content=sent, headers=PNG).status_code == 200


def test_a_deadline_ends_the_tiles(app: FastAPI, engine: Any, sent: bytes) -> None:
    """The engine takes longer for each batch than the request has."""
    plain = engine.detect
    calls: list[int] = []

    def slow(batch: CanvasBatch) -> Candidates:
        calls.append(len(batch.canvas))
        time.sleep(0.3)
        return plain(batch)

    call = caller(app)
    assert call("POST", "/detect", content=sent, headers=PNG).status_code == 200
    engine.detect = slow
    answer = call("POST", "/detect?tiles=64x48", content=sent, headers=PNG | {"x-request-timeout-ms": "500"})
    assert answer.status_code in (503, 504)
    assert sum(calls) < 100  # of more than 300
    engine.detect = plain
    assert call("POST", "/detect?tiles=auto", content=sent, headers=PNG).status_code == 200
