"""A client that shrinks its pictures: what the network sees and what the caller gets are the same, in fewer bytes."""

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from loopback import serving
from PIL import Image, ImageChops
from waiting import PATIENCE_S

from dirdet import AsyncClient, Client
from dirdet.bundle.bundle import CanvasSize, ResizeRule
from dirdet.client import PictureProblemError, PictureResult
from dirdet.detection.calibration import BoxMargin, Calibration, Knots, Maps, Meaning, Suggested
from dirdet.detector.detector import Detector
from dirdet.gateway.app import create_app

Rectangles = Callable[..., Image.Image]
Encode = Callable[..., bytes]
WIDTH, HEIGHT = 1203, 901


@pytest.fixture
def noisy(rectangles: Rectangles) -> Image.Image:
    """As large a file as a photograph has."""
    scene = rectangles(WIDTH, HEIGHT, red=(200, 120, 600, 400), blue=(160, 520, 1120, 880))
    grain = np.random.default_rng(0).integers(0, 40, (HEIGHT, WIDTH, 3), np.uint8)
    return ImageChops.add(scene, Image.fromarray(grain))


def detect(url: str, *pictures: Any, shrink: bool, **parameters: Any) -> list[PictureResult]:
    with Client(url, timeout_s=PATIENCE_S, shrink=shrink) as client:
        return client.detect_many(pictures, **parameters)


def is_the_same(shrunk: PictureResult, whole: PictureResult) -> None:
    """But for two decimals of a canvas's pixel."""
    assert (shrunk.width, shrunk.height) == (whole.width, whole.height)
    assert (shrunk.labels, shrunk.decoded_scale) == (whole.labels, whole.decoded_scale)
    assert len(whole) == 2
    np.testing.assert_allclose(shrunk.boxes_xyxy, whole.boxes_xyxy, atol=0.05)
    np.testing.assert_array_equal(shrunk.ious, whole.ious)


@pytest.mark.parametrize("turn", [1, 6])
@pytest.mark.parametrize("decode", ["exact", "scaled"])
def test_network_sees_the_same_pixels_of_fewer_bytes(
    decode: Literal["exact", "scaled"],
    turn: int,
    noisy: Image.Image,
    encode: Encode,
    url: str,
    between: Any,
    engine: Any,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    photograph = encode(noisy, "JPEG", quality=90, exif=exif)
    [shrunk] = detect(url, photograph, shrink=True, decode=decode)
    [whole] = detect(url, photograph, shrink=False, decode=decode)
    is_the_same(shrunk, whole)
    seen, expected = engine.batches
    np.testing.assert_array_equal(seen.canvas, expected.canvas)
    np.testing.assert_array_equal(seen.picture_hw, expected.picture_hw)
    about, small, large = between.requests
    assert "content-length" not in about
    assert int(small["content-length"]) < int(large["content-length"]) / 4
    assert (whole.sent_scale, shrunk.sent_scale) == (
        1,
        pytest.approx(256 / WIDTH if turn == 1 else 192 / HEIGHT, rel=0.01),
    )


def test_both_clients_ask_for_the_detector_once(noisy: Image.Image, url: str, between: Any) -> None:
    async def both() -> list[PictureResult]:
        async with AsyncClient(url, timeout_s=PATIENCE_S, shrink=True) as client:
            return [await client.detect(noisy), *await client.detect_many([noisy, noisy], per_request=1)]

    [expected] = detect(url, noisy, shrink=False)
    between.requests.clear()
    for ask in (lambda: detect(url, noisy, noisy, noisy, shrink=True, per_request=1), lambda: asyncio.run(both())):
        found = ask()
        assert len(found) == 3
        for each in found:
            is_the_same(each, expected)
        assert len(between.requests) == 4
        between.requests.clear()


def test_boxes_that_contain_the_object_return_to_the_picture_too(noisy: Image.Image, detector: Detector) -> None:
    meaning = Meaning(score=Maps(pooled=Knots(x=[0], y=[0.9])), boxes=100)
    suggested = Suggested(score_threshold=0.4, precision=0.8, recall=0.7, min_iou=None, wrong_removed=0, right_lost=0)
    margin = BoxMargin(margin=0.1, coverage=0.9)
    calibration = Calibration(
        detections=meaning, suggested=suggested, box_margin=margin, annotations="val.json", matched=60
    )
    calibrated = Detector(detector.manifest.model_copy(update={"calibration": calibration}), detector.engine)
    with serving(create_app(calibrated)) as address:
        [shrunk], [whole] = (detect(address.url, noisy, shrink=shrink) for shrink in (True, False))
    for here, there in zip(shrunk, whole, strict=True):
        assert here.outer_box_xyxy is not None
        assert here.outer_box_xyxy == pytest.approx(there.outer_box_xyxy, abs=0.05)


def test_what_would_not_be_seen_the_same_is_sent_as_it_is(
    noisy: Image.Image, encode: Encode, url: str, detector: Detector, mask_detector: Detector
) -> None:
    photograph, small = encode(noisy, "JPEG", quality=90), encode(noisy.resize((200, 150)), "JPEG", quality=90)
    assert detect(url, photograph, shrink=True, tiles="auto")[0].sent_scale == 1
    assert detect(url, small, shrink=True)[0].sent_scale == 1
    factor = detector.manifest.resize.model_copy(update={"factor": 0.2})
    by_factor = Detector(detector.manifest.model_copy(update={"resize": factor}), detector.engine)
    for other in (mask_detector, by_factor):
        with serving(create_app(other)) as address:
            assert detect(address.url, photograph, shrink=True)[0].sent_scale == 1


def test_gateway_tells_what_is_wrong_with_a_picture(noisy: Image.Image, encode: Encode, url: str) -> None:
    broken = encode(noisy, "JPEG", quality=90)[:1000]
    with Client(url, shrink=True) as client, pytest.raises(PictureProblemError, match="broken or truncated"):
        client.detect(broken)


def test_another_detector_is_asked_for_once_it_has_answered(
    noisy: Image.Image, url: str, between: Any, detector: Detector
) -> None:
    provenance = detector.manifest.provenance.model_copy(update={"checkpoint_sha256": "1" * 64})
    canvas = CanvasSize(height=96, width=128)
    smaller = ResizeRule(short_side=96, long_side=128, interpolation="antialiased")
    update = {"provenance": provenance, "canvases": [canvas], "resize": smaller}
    with Client(url, timeout_s=PATIENCE_S, shrink=True) as client:
        client.detect(noisy)
        between.app = create_app(Detector(detector.manifest.model_copy(update=update), detector.engine))
        found = [client.detect(noisy) for _ in range(2)]
    assert [each.sent_scale for each in found] == pytest.approx([256 / WIDTH, 128 / WIDTH])
    for each in found:
        np.testing.assert_allclose(each.boxes_xyxy, [(160, 520, 1120, 880), (200, 120, 600, 400)], atol=10)
