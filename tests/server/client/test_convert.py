"""Results converted, without the tools: what is written, and what is refused."""

import csv
import io
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from dirdet.client import ImageResult
from dirdet.convert import (
    to_coco_dataset,
    to_coco_results,
    to_csv,
    to_fiftyone,
    to_label_studio,
    to_supervision,
)
from dirdet.detector.detector import Detector
from dirdet.errors import MissingExtraError, NotFoundError, ResultsError

FAILED = ImageResult("missing.jpg", 0, 0, error=NotFoundError("there is no such file: missing.jpg"))


@pytest.fixture
def result(mask_detector: Detector, rectangles: Callable[..., Image.Image]) -> ImageResult:
    [found] = mask_detector.detect([rectangles(red=(100, 60, 300, 200), blue=(80, 260, 560, 440))])
    return ImageResult("a.jpg", 640, 480, tuple(found), detector="rectangles")


@pytest.fixture
def without_masks(result: ImageResult) -> ImageResult:
    return replace(result, name="b.jpg", detections=tuple(replace(each, mask=None) for each in result))


def test_coco_results(result: ImageResult, without_masks: ImageResult) -> None:
    found: list[dict[str, Any]] = to_coco_results([result, without_masks])
    assert [each["image_id"] for each in found] == [1, 1, 2, 2]
    assert found[0]["category_id"] == 30
    assert found[0]["score"] == found[0]["confidence"] == result.confidences[0]
    x1, y1, x2, y2 = result.boxes_xyxy[0]
    assert found[0]["bbox"] == [x1, y1, x2 - x1, y2 - y1]
    assert found[0]["area"] == coco_mask.area(found[0]["segmentation"])
    assert "segmentation" not in found[2]
    assert found[2]["area"] == pytest.approx((x2 - x1) * (y2 - y1))
    named = to_coco_results([result], image_ids={"a.jpg": 139}, score="score")
    assert (named[0]["image_id"], named[0]["score"]) == (139, result.scores[0])
    assert to_coco_results([]) == []


def test_dirdet_quality_reads_the_results(result: ImageResult) -> None:
    from dirdet.quality.detections_file import ENTRIES

    entries = ENTRIES.validate_python(to_coco_results([result], score="score"))
    assert [each.iou for each in entries] == list(result.ious)
    assert [each.confidence for each in entries] == list(result.confidences)


def test_coco_data_set(result: ImageResult, without_masks: ImageResult) -> None:
    told = to_coco_dataset([result, without_masks])
    assert [each["file_name"] for each in told["images"]] == ["a.jpg", "b.jpg"]
    assert [each["id"] for each in told["annotations"]] == [1, 2, 3, 4]
    assert told["categories"] == [{"id": 10, "name": "red"}, {"id": 30, "name": "blue"}]
    with pytest.raises(ResultsError, match=r"category_id 30 \(blue\)"):
        to_coco_dataset([result], categories={10: "red"})


def test_what_coco_cannot_tell_apart_is_refused(result: ImageResult) -> None:
    with pytest.raises(ResultsError, match=r"no id for 'a\.jpg'"):
        to_coco_results([result], image_ids={})
    with pytest.raises(ResultsError, match="two results"):
        to_coco_results([result, result], image_ids={"a.jpg": 1})


def test_label_studio(result: ImageResult) -> None:
    task = to_label_studio(result, data_key="picture", from_name="boxes")
    assert task["data"] == {"picture": "a.jpg"}
    [prediction] = task["predictions"]
    region = prediction["result"][0]
    assert (region["from_name"], region["to_name"]) == ("boxes", "image")
    assert region["value"]["rectanglelabels"] == ["blue"]
    assert region["value"]["x"] == pytest.approx(100 * 80 / 640, abs=0.5)
    assert region["meta"]["text"] == [f"iou {result.ious[0]:.2f}"]
    assert "score" not in to_label_studio(replace(result, detections=()))["predictions"][0]


def test_csv(result: ImageResult) -> None:
    file = io.StringIO(newline="")
    to_csv([result, FAILED], file)
    file.seek(0)
    rows = list(csv.DictReader(file))
    assert [each["label"] for each in rows] == ["blue", "red", ""]
    assert float(rows[0]["x2"]) == pytest.approx(result.boxes_xyxy[0, 2], abs=0.01)
    assert float(rows[0]["iou"]) == pytest.approx(result.ious[0], rel=1e-4)
    assert rows[0]["iou_calibrated"] == ""
    assert rows[2]["error"] == "there is no such file: missing.jpg"


def test_a_picture_that_failed_is_never_one_without_objects() -> None:
    refused = pytest.raises(ResultsError, match=r"missing\.jpg has no detections to convert, leave it out")
    with refused:
        to_coco_results([FAILED])
    with refused:
        to_coco_dataset([FAILED])
    with refused:
        to_label_studio(FAILED)


def test_a_figure_that_the_detector_does_not_tell(result: ImageResult) -> None:
    with pytest.raises(ResultsError, match="'score_calibrated'"):
        to_coco_results([result], score="score_calibrated")


@pytest.mark.parametrize(("convert", "package"), [(to_supervision, "supervision"), (to_fiftyone, "fiftyone")])
def test_a_tool_that_is_missing_is_named(
    convert: Callable[[ImageResult], Any], package: str, result: ImageResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=f"pip install {package}"):
        convert(result)
