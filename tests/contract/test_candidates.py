"""candidates=true: the boxes before NMS, which ranked again by the documented rule are the detections."""

import json
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

import dirdet.api
from dirdet.api.answers import PictureAnswer, detect_answer
from dirdet.api.examples import ABOUT, ANSWERS
from dirdet.api.schemas import DetectAnswer
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.gateway.routes.page import FOLDER

from .again import ranked_again

EXAMPLE_ANSWER = Path(dirdet.api.__file__).with_name("example_answer.json")

Call = Callable[..., httpx.Response]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]

BOXES = {"red": (100, 60, 300, 200), "green": (340, 80, 600, 180), "blue": (80, 260, 560, 440)}
# From one value to the next, and combined: what a person at the sliders tries.
REQUESTS: list[dict[str, Any]] = [
    {},
    {"score_threshold": 0.3},
    {"score_threshold": 0.01, "nms_iou_threshold": 0.3},
    {"nms_iou_threshold": 0},
    {"nms": "class-agnostic", "nms_iou_threshold": 0.2, "score_threshold": 0.01},
    {"nms_iou_threshold": 1, "max_detections": 7},
    {"iou_weight": 0},
    {"iou_weight": 1, "nms_iou_threshold": 0.7},
    {"min_iou": 0.75, "classes": "mammal,vehicle,fruit"},
]


def detect(call: Call, picture: bytes, **options: Any) -> dict[str, Any]:
    response = call("POST", "/detect", params={"candidates": "true", **options}, files={"image": ("a", picture)})
    assert response.status_code == 200, response.text
    DetectAnswer.model_validate(response.json())
    return response.json()["images"][0]


def assert_same(ranked: list[dict[str, Any]], told: list[dict[str, Any]]) -> None:
    """The same boxes in the same order; detections are told with fewer digits."""
    assert [each["class_id"] for each in ranked] == [each["class_id"] for each in told]
    for one, other in zip(ranked, told, strict=True):
        assert one["box"] == pytest.approx(other["box"], abs=0.0051)
        for name in ("score", "purity", "integrity", "iou", "confidence"):
            assert one[name] == (None if other[name] is None else pytest.approx(other[name], rel=5.1e-5))


@pytest.fixture
def picture(rectangles: Rectangles, encode: Encode) -> bytes:
    return encode(rectangles(**BOXES))


def test_nobody_who_does_not_ask_pays_for_them(call: Call, picture: bytes) -> None:
    for query in ("", "?candidates=false"):
        [image] = call("POST", f"/detect{query}", files={"image": ("a.png", picture)}).json()["images"]
        assert image["candidates"] is None


def test_the_detections_are_the_same_with_and_without(call: Call, picture: bytes) -> None:
    assert detect(call, picture) == detect(call, picture, candidates="false") | {
        "candidates": detect(call, picture)["candidates"]
    }


def test_what_is_told_of_a_candidate(call: Call, picture: bytes) -> None:
    image = detect(call, picture, min_iou=0.9, classes="red", max_detections=1)
    # What is wanted of the detections does not thin out the candidates.
    assert image["detections"] == []
    assert [each["label"] for each in image["candidates"]] == ["red", "green", "blue"]
    for each in image["candidates"]:
        assert each["box"] == pytest.approx(BOXES[each["label"]], abs=640 / 256)
        assert each["iou"] == pytest.approx(1 / (1 / each["purity"] + 1 / each["integrity"] - 1), rel=1e-6)
        assert each["category_id"] == 10 * (each["class_id"] + 1)


def test_an_empty_scene_has_none(call: Call, encode: Encode) -> None:
    assert detect(call, encode(Image.new("RGB", (300, 200), "grey")))["candidates"] == []


def test_a_plain_detectors_have_scores_only(call_plain: Call, picture: bytes) -> None:
    image = detect(call_plain, picture)
    assert [each["iou"] for each in image["candidates"]] == [None] * 3
    assert_same(
        ranked_again(image["candidates"], score_threshold=0.05, nms_iou_threshold=0.5, iou_weight=0, limit=3),
        image["detections"],
    )


def test_every_picture_of_a_request_has_its_own(call: Call, rectangles: Rectangles, encode: Encode) -> None:
    scenes = [encode(rectangles(red=(50, 50, 200, 250))), b"no picture", encode(rectangles(**BOXES))]
    sent = [("image", (f"{number}.png", data)) for number, data in enumerate(scenes)]
    images = call("POST", "/detect?candidates=true", files=sent).json()["images"]
    assert [len(image.get("candidates", [])) for image in images] == [1, 0, 3]


def test_a_drawn_picture_is_as_without(call: Call, picture: bytes) -> None:
    drawn = [
        call(
            "POST", "/detect", params={"candidates": each}, files={"image": picture}, headers={"accept": "image/png"}
        ).content
        for each in ("true", "false")
    ]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("value", ["", "maybe", "2"])
def test_neither_true_nor_false_422(value: str, call: Call, picture: bytes) -> None:
    told = call("POST", f"/detect?candidates={value}", files={"image": picture}).json()
    assert [each["parameter"] for each in told["errors"]] == ["candidates"]


def test_given_twice_422(call: Call, picture: bytes) -> None:
    told = call("POST", "/detect?candidates=true&candidates=true", files={"image": picture}).json()
    assert [each["parameter"] for each in told["errors"]] == ["candidates"]


@pytest.fixture(scope="module")
def shipped() -> Detector:
    pytest.importorskip("onnxruntime", reason="detecting needs ONNX Runtime")
    return Detector.open()


def steps_of(shipped: Detector) -> dict[str, Any] | None:
    """As GET /detector tells them."""
    return None if shipped.manifest.selection is None else shipped.manifest.selection.model_dump()


@pytest.mark.parametrize("options", REQUESTS, ids=json.dumps)
@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "chelsea.png", "motorcycle_right.png"])
def test_ranked_again_they_are_the_detections(
    name: str, options: dict[str, Any], shipped: Detector, call_of: Callable[[Detector], Call]
) -> None:
    photograph = Path(str(files("skimage"))) / "data" / name
    # By default the shipped detector tells only what it is sure of, which on photographs is nothing.
    options = {"score_threshold": 0.05} | options
    image = detect(call_of(shipped), photograph.read_bytes(), **options)
    assert 0 < len(image["candidates"]) <= shipped.manifest.max_candidates
    limit = {"limit": shipped.manifest.max_detections}
    settings: dict[str, Any] = shipped.manifest.defaults.model_dump(exclude={"decode"}) | limit | options
    if "classes" in settings:
        settings["classes"] = set(settings["classes"].split(","))
    again = ranked_again(image["candidates"], selection=steps_of(shipped), **settings)
    assert_same(again, image["detections"])


def test_ranked_for_another_request_they_are_its_detections(
    shipped: Detector, call_of: Callable[[Detector], Call]
) -> None:
    call = call_of(shipped)
    data = (Path(str(files("skimage"))) / "data" / "motorcycle_right.png").read_bytes()
    candidates = detect(call, data, score_threshold=0.05)["candidates"]
    other: dict[str, Any] = {"score_threshold": 0.2, "iou_weight": 0.8, "nms_iou_threshold": 0.6, "min_iou": 0.7}
    ranked = ranked_again(candidates, limit=shipped.manifest.max_detections, selection=steps_of(shipped), **other)
    assert_same(ranked, detect(call, data, **other)["detections"])


def test_the_documented_examples_are_answers() -> None:
    for example in ANSWERS.values():
        DetectAnswer.model_validate(example["value"])
    image = ANSWERS["candidates"]["value"]["images"][0]
    assert_same(
        ranked_again(
            image["candidates"],
            score_threshold=0.6,
            nms_iou_threshold=0.5,
            iou_weight=0.5,
            limit=100,
            selection=ABOUT["selection"],
        ),
        image["detections"],
    )


def test_the_example_is_what_the_shipped_detector_answers(shipped: Detector) -> None:
    settings = shipped.settle(DetectOptions(score_threshold=0.6, candidates=True))
    with Image.open(FOLDER / "example.jpg") as picture:
        [found] = shipped.detect_placed([shipped.place(picture)], settings)
        answer = detect_answer(shipped.manifest, [PictureAnswer("chelsea.jpg", *picture.size, found)])
    if "WRITE_OPENAPI" in os.environ:
        EXAMPLE_ANSWER.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
    told = json.loads(EXAMPLE_ANSWER.read_text(encoding="utf-8"))
    assert told["detector"] == answer["detector"], "`make openapi` writes the example anew"
    for name in ("detections", "candidates"):
        for one, other in zip(told["images"][0][name], answer["images"][0][name], strict=True):
            assert one["box"] == pytest.approx(other["box"], abs=0.5)
            assert [one["label"], one["iou"], one["score"]] == [
                other["label"], pytest.approx(other["iou"], abs=0.01), pytest.approx(other["score"], abs=0.01)
            ]  # fmt: skip


def test_the_examples_stand_in_the_document(call: Call) -> None:
    operation = call("GET", "/openapi.json").json()["paths"]["/detect"]["post"]
    assert operation["responses"]["200"]["content"]["application/json"]["examples"] == ANSWERS
    [parameter] = [each for each in operation["parameters"] if each["name"] == "candidates"]
    assert parameter["schema"]["default"] is False
