"""The mask of a detection, by the API and drawn."""

import importlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dirdet.api.schemas import DetectAnswer, DetectorInfo
from dirdet.detector.detector import Detector

pycocotools: Any = importlib.import_module("pycocotools.mask")
Call = Callable[..., httpx.Response]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]
BOXES = {"red": (100, 60, 300, 200), "green": (340, 80, 600, 180), "blue": (80, 260, 560, 440)}


@pytest.fixture
def call_masks(mask_detector: Detector, call_of: Callable[[Detector], Call]) -> Call:
    return call_of(mask_detector)


@pytest.fixture
def picture(rectangles: Rectangles, encode: Encode) -> bytes:
    return encode(rectangles(**BOXES), "PNG")


def detections(call: Call, picture: bytes, query: str = "") -> list[dict[str, Any]]:
    response = call("POST", f"/detect{query}", files={"image": ("a.png", picture)})
    assert response.status_code == 200, response.text
    DetectAnswer.model_validate(response.json())
    return response.json()["images"][0]["detections"]


def pixels(mask: dict[str, Any]) -> NDArray[np.uint8]:
    """As a client reads it."""
    return pycocotools.decode({"size": mask["size"], "counts": mask["counts"].encode()})


def assert_upper_half(found: dict[str, Any], hw: tuple[int, int]) -> None:
    """Of its own box, in the picture's pixels."""
    mask = pixels(found["mask"])
    assert mask.shape == hw
    x1, y1, x2, y2 = (round(side) for side in found["box"])
    expected = np.zeros(hw, np.uint8)
    expected[y1 : (y1 + y2) // 2, x1:x2] = 1
    overlap, union = (mask & expected).sum(), (mask | expected).sum()
    assert overlap / union > 0.95


def test_masks_are_in_the_pictures_own_pixels(call_masks: Call, picture: bytes) -> None:
    found = detections(call_masks, picture)
    assert len(found) == 3
    for each in found:
        assert each["mask"]["size"] == [480, 640]
        assert_upper_half(each, (480, 640))


@pytest.mark.parametrize("query", ["?iou_weight=0", "?max_detections=1", "?classes=red", "?min_iou=0.5"])
def test_each_detection_keeps_its_own_mask(query: str, call_masks: Call, picture: bytes) -> None:
    everything = {each["label"]: each["mask"] for each in detections(call_masks, picture)}
    chosen = detections(call_masks, picture, query)
    assert chosen
    assert all(each["mask"] == everything[each["label"]] for each in chosen)


def test_a_turned_picture_gives_upright_masks(call_masks: Call, rectangles: Rectangles, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = rectangles(**BOXES).transpose(Image.Transpose.ROTATE_90)
    turned = detections(call_masks, encode(stored, "PNG", exif=exif.tobytes()))
    assert turned == detections(call_masks, encode(rectangles(**BOXES), "PNG"))


def test_boxes_at_the_pictures_border(call_masks: Call, rectangles: Rectangles, encode: Encode) -> None:
    scene = encode(rectangles(red=(0, 0, 640, 100), blue=(500, 300, 640, 480)))
    found = detections(call_masks, scene)
    assert len(found) == 2
    for each in found:
        assert_upper_half(each, (480, 640))


def test_nothing_found_is_no_mask(call_masks: Call, encode: Encode) -> None:
    assert detections(call_masks, encode(Image.new("RGB", (300, 200), "grey"))) == []


def test_mixed_sizes_in_one_request(call_masks: Call, rectangles: Rectangles, encode: Encode) -> None:
    sizes = [(640, 480), (480, 640), (301, 299), (1000, 500)]
    files = [("image", (f"{w}.png", encode(rectangles(w, h, red=(50, 50, 200, 250))))) for w, h in sizes]
    images = call_masks("POST", "/detect", files=files).json()["images"]
    for (width, height), image in zip(sizes, images, strict=True):
        [found] = image["detections"]
        assert_upper_half(found, (height, width))


def test_without_masks_the_field_is_null_and_the_rest_is_the_same(call: Call, call_masks: Call, picture: bytes) -> None:
    without, with_masks = detections(call, picture), detections(call_masks, picture)
    assert without == [each | {"mask": None} for each in with_masks]


def test_the_detector_says_whether_it_has_masks(call: Call, call_masks: Call) -> None:
    assert call("GET", "/detector").json()["mask_threshold"] is None
    about = call_masks("GET", "/detector").json()
    DetectorInfo.model_validate(about)
    assert about["mask_threshold"] == 0.5


def test_the_field_is_always_there_for_clients(call: Call) -> None:
    schemas = call("GET", "/openapi.json").json()["components"]["schemas"]
    assert "mask" in schemas["DetectionOut"]["required"]
    assert {"type": "null"} in schemas["DetectionOut"]["properties"]["mask"]["anyOf"]
    assert sorted(schemas["Mask"]["required"]) == ["counts", "size"]


def test_masks_are_drawn_lightly(call: Call, call_masks: Call, rectangles: Rectangles, encode: Encode) -> None:
    files = {"image": ("a.png", encode(rectangles(red=(100, 60, 300, 200))))}
    without, veiled = (
        np.asarray(Image.open(BytesIO(each("POST", "/detect", files=files, headers={"accept": "image/png"}).content)))
        for each in (call, call_masks)
    )
    changed = (without != veiled).any(axis=2)
    assert changed[80:125, 110:290].all()
    assert not changed[135:].any()
    # The rectangle's own red can still be seen.
    assert (veiled[80:125, 110:290, 0] > veiled[80:125, 110:290, 2] + 60).all()
