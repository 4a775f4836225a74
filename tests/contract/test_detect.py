"""POST /detect on pictures that are as they should be."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from dirdet.api.schemas import DetectAnswer

Call = Callable[..., httpx.Response]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]

BOXES = {"red": (100, 60, 300, 200), "green": (340, 80, 600, 180), "blue": (80, 260, 560, 440)}


@pytest.fixture
def picture(rectangles: Rectangles, encode: Encode) -> bytes:
    return encode(rectangles(**BOXES), "PNG")


def detections(response: httpx.Response, index: int = 0) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    DetectAnswer.model_validate(answer, strict=False)
    return answer["images"][index]["detections"]


def detect(call: Call, picture: bytes, query: str = "", **headers: str) -> httpx.Response:
    return call("POST", f"/detect{query}", content=picture, headers={"content-type": "image/png", **headers})


def test_multipart_and_raw_give_the_same(call: Call, picture: bytes) -> None:
    form = call("POST", "/detect", files={"image": ("scene.png", picture)})
    raw = detect(call, picture)
    assert detections(form) == detections(raw)
    assert form.json()["images"][0]["name"] == "scene.png"
    assert form.json()["detector"]["name"] == "rectangles"


def test_boxes_are_in_the_pictures_own_pixels(call: Call, picture: bytes) -> None:
    answer = detect(call, picture)
    assert answer.json()["images"][0]["width"] == 640
    assert answer.json()["images"][0]["height"] == 480
    for found in detections(answer):
        np.testing.assert_allclose(found["box"], BOXES[found["label"]], atol=640 / 256)


def test_what_is_told_of_a_detection(call: Call, picture: bytes) -> None:
    found = detections(detect(call, picture))
    assert [each["label"] for each in found] == ["blue", "green", "red"]
    for each in found:
        assert each["iou"] == pytest.approx(1 / (1 / each["purity"] + 1 / each["integrity"] - 1), abs=1e-3)
        assert each["confidence"] == pytest.approx((each["iou"] * each["score"]) ** 0.5, abs=1e-3)
        assert each["category_id"] == 10 * (each["class_id"] + 1)


def test_without_weight_it_is_the_plain_detector(call: Call, picture: bytes) -> None:
    found = detections(detect(call, picture, "?iou_weight=0"))
    assert [each["label"] for each in found] == ["red", "green", "blue"]
    assert [each["confidence"] for each in found] == [each["score"] for each in found]


def test_an_empty_scene_has_no_detections(call: Call, encode: Encode) -> None:
    assert detections(detect(call, encode(Image.new("RGB", (300, 200), "grey"), "PNG"))) == []


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("?max_detections=1", ["blue"]),
        ("?min_iou=0.5", ["blue", "green"]),
        ("?score_threshold=0.75", ["green", "red"]),
        ("?classes=red", ["red"]),
        ("?classes=red,2", ["blue", "red"]),
        ("?classes=red&classes=green", ["green", "red"]),
        ("?classes=red&max_detections=1&iou_weight=1", ["red"]),
    ],
)
def test_parameters(query: str, labels: list[str], call: Call, picture: bytes) -> None:
    assert [each["label"] for each in detections(detect(call, picture, query))] == labels


def test_the_engine_suppresses_by_the_threshold_asked_for(call: Call, rectangles: Rectangles, encode: Encode) -> None:
    # Different classes never suppress each other, whatever the threshold.
    scene = encode(rectangles(red=(100, 60, 300, 200), green=(100, 200, 300, 300)), "PNG")
    assert len(detections(detect(call, scene, "?nms_iou_threshold=0"))) == 2


def test_one_box_a_place_whatever_its_class(call: Call, rectangles: Rectangles, encode: Encode) -> None:
    scene = encode(rectangles(red=(50, 50, 400, 400), green=(100, 100, 300, 300)), "PNG")  # their IoU is 0.33
    [best, other] = detections(detect(call, scene))
    assert detections(detect(call, scene, "?nms=class-agnostic&nms_iou_threshold=0.3")) == [best]
    assert len(detections(detect(call, scene, "?nms=class-agnostic&nms_iou_threshold=0.4"))) == 2
    assert len(detections(detect(call, scene, "?nms=per-class&nms_iou_threshold=0.3"))) == 2
    # NMS comes before the choice of classes: what a better box of another class covers stays away.
    query = f"?nms=class-agnostic&nms_iou_threshold=0.3&classes={other['label']}"
    assert detections(detect(call, scene, query)) == []


def test_several_pictures_in_their_order(call: Call, rectangles: Rectangles, encode: Encode) -> None:
    sizes = [(640, 480), (480, 640), (300, 300), (1000, 500)]
    files = [("image", (f"{w}.png", encode(rectangles(w, h, red=(50, 50, 200, 250)), "PNG"))) for w, h in sizes]
    response = call("POST", "/detect", files=files)
    images = response.json()["images"]
    assert [(image["name"], image["width"], image["height"]) for image in images] == [
        (f"{w}.png", w, h) for w, h in sizes
    ]
    for index, size in enumerate(sizes):
        [found] = detections(response, index)
        np.testing.assert_allclose(found["box"], (50, 50, 200, 250), atol=max(size) / 256)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_gives_the_upright_boxes(
    orientation: int, call: Call, rectangles: Rectangles, encode: Encode
) -> None:
    upright = rectangles(**BOXES)
    # What a viewer does to the stored picture, undone.
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(back[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = call("POST", "/detect", files={"image": ("a.png", encode(stored, "PNG", exif=exif.tobytes()))})
    assert detections(turned) == detections(detect(call, encode(upright, "PNG")))
    assert turned.json()["images"][0]["width"] == 640


def test_twelve_megapixels_from_a_turned_camera(call: Call, rectangles: Rectangles, encode: Encode) -> None:
    upright = rectangles(3000, 4000, red=(300, 500, 1400, 1700), blue=(1500, 2000, 2900, 3900))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = encode(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif.tobytes())
    straight = encode(upright, "JPEG", quality=95)
    turned, sent_upright = (
        call("POST", "/detect", content=data, headers={"content-type": "image/jpeg"}) for data in (stored, straight)
    )
    assert turned.json()["images"][0]["height"] == 4000
    assert len(detections(turned)) == 2
    for one, other in zip(detections(turned), detections(sent_upright), strict=True):
        np.testing.assert_allclose(one["box"], other["box"], atol=1)


def test_a_plain_detector(call_plain: Call, picture: bytes) -> None:
    found = detections(detect(call_plain, picture))
    assert [each["label"] for each in found] == ["red", "green", "blue"]
    assert all(each["iou"] is each["purity"] is each["integrity"] is None for each in found)
    assert all(each["confidence"] == each["score"] for each in found)


def test_the_types_content_decides(call: Call, rectangles: Rectangles, encode: Encode) -> None:
    jpeg = encode(rectangles(**BOXES), "JPEG", quality=95)
    assert len(detections(detect(call, jpeg))) == 3


@pytest.mark.parametrize("kind", ["raw", "form", "several"])
def test_a_jpeg_is_decoded_as_the_request_says(call: Call, rectangles: Rectangles, encode: Encode, kind: str) -> None:
    jpeg = encode(rectangles(**BOXES), "JPEG", quality=95)
    sent: dict[str, Any] = {
        "raw": {"content": jpeg, "headers": {"content-type": "image/jpeg"}},
        "form": {"files": {"image": ("scene.jpg", jpeg)}},
        "several": {"files": [("image", ("scene.jpg", jpeg)), ("image", ("scene.png", encode(rectangles(**BOXES))))]},
    }[kind]
    exact, scaled = (call("POST", f"/detect?decode={decode}", **sent) for decode in ("exact", "scaled"))
    assert [each["decoded_scale"] for each in exact.json()["images"]] == [1.0] * len(exact.json()["images"])
    assert [each["decoded_scale"] for each in scaled.json()["images"]] == [0.5, 1.0][: len(scaled.json()["images"])]
    for one, other in zip(detections(exact), detections(scaled), strict=True):
        assert one["label"] == other["label"]
        np.testing.assert_allclose(one["box"], other["box"], atol=640 / 256)


def test_a_drawing_has_the_boxes_of_the_answer(call: Call, rectangles: Rectangles, encode: Encode) -> None:
    jpeg = encode(rectangles(**BOXES), "JPEG", quality=95)
    headers = {"content-type": "image/jpeg", "accept": "image/png"}
    drawn = call("POST", "/detect?decode=scaled", content=jpeg, headers=headers)
    with Image.open(BytesIO(drawn.content)) as picture:
        assert picture.size == (640, 480)
