"""True overlaps, and COCO's assignment of detections to objects, held against pycocotools."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.detection.ranking import combined_iou
from dirdet.quality.matching import match
from dirdet.quality.optional_libraries import library
from dirdet.quality.overlap import overlaps

SIDES = st.integers(1, 30)
BOXES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), SIDES, SIDES), max_size=6)


def corners(boxes_xywh: list[tuple[int, int, int, int]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    boxes = np.array(boxes_xywh, np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def test_overlap_by_hand() -> None:
    # A box of 20 x 10 covers the left half of an object of 20 x 10 with its right half.
    found = overlaps(corners([(0, 0, 20, 10)]), corners([(10, 0, 20, 10)]))
    assert found.purity.item() == found.integrity.item() == 0.5
    assert found.iou.item() == pytest.approx(1 / 3)


def test_no_box_no_object_no_area() -> None:
    assert overlaps(corners([]), corners([(0, 0, 1, 1)])).iou.shape == (0, 1)
    assert overlaps(corners([(0, 0, 1, 1)]), corners([])).iou.shape == (1, 0)
    assert [part.item() for part in overlaps(corners([(3, 3, 0, 0)]), corners([(3, 3, 0, 0)]))] == [0, 0, 0]


@given(boxes=BOXES, objects=BOXES)
def test_iou_is_what_equation_5_makes_of_the_other_two(boxes: Any, objects: Any) -> None:
    found = overlaps(corners(boxes), corners(objects))
    np.testing.assert_allclose(found.iou, combined_iou(found.purity, found.integrity), atol=1e-12)


def test_the_surer_box_takes_the_object() -> None:
    boxes = corners([(0, 0, 10, 10), (0, 0, 10, 9), (50, 50, 5, 5)])
    found = match(boxes, np.array([0.5, 0.9, 0.7]), corners([(0, 0, 10, 10)]))
    assert found.object_index.tolist() == [-1, 0, -1]
    np.testing.assert_allclose(found.iou, [0, 0.9, 0])


def test_a_box_on_a_crowd_is_neither_right_nor_wrong() -> None:
    found = match(
        corners([(10, 10, 5, 5), (90, 90, 5, 5)]), np.array([0.9, 0.8]), corners([(0, 0, 50, 50)]), np.array([True])
    )
    assert found.object_index.tolist() == [-1, -1]
    assert found.ignored.tolist() == [True, False]


def test_without_objects_nothing_is_found() -> None:
    assert match(corners([(0, 0, 1, 1)]), np.array([0.5]), corners([])).object_index.tolist() == [-1]
    assert match(corners([]), np.zeros(0), corners([(0, 0, 1, 1)])).object_index.tolist() == []


@given(boxes=BOXES, objects=BOXES, seed=st.integers(0, 99))
def test_pycocotools_matches_the_same(boxes: Any, objects: Any, seed: int) -> None:
    generator = np.random.default_rng(seed)
    rank = generator.choice([0.2, 0.4, 0.6, 0.8], len(boxes))  # some are equal
    crowd = generator.random(len(objects)) < 0.3
    expected = by_pycocotools(boxes, rank.tolist(), objects, crowd.tolist())
    found = match(corners(boxes), rank, corners(objects), crowd)
    assert [int(each) for each in found.object_index] == [-1 if ignored else index for index, ignored in expected]
    assert found.ignored.tolist() == [ignored for _, ignored in expected]


def by_pycocotools(boxes: Any, rank: list[float], objects: Any, crowd: list[bool]) -> list[tuple[int, bool]]:
    """For each box the index of the object it found, -1 for none, and whether it is ignored."""
    if not boxes:
        return []
    with contextlib.redirect_stdout(io.StringIO()):
        truth: Any = library("pycocotools.coco").COCO()
        truth.dataset = {
            "images": [{"id": 1, "width": 100, "height": 100}],
            "categories": [{"id": 1, "name": "thing"}],
            "annotations": [
                {"id": 10 + index, "image_id": 1, "category_id": 1, "bbox": list(box), "area": box[2] * box[3],
                 "iscrowd": int(crowd[index])}
                for index, box in enumerate(objects)
            ],
        }  # fmt: skip
        truth.createIndex()
        entries = [
            {"image_id": 1, "category_id": 1, "bbox": list(box), "score": rank[index]}
            for index, box in enumerate(boxes)
        ]
        evaluation: Any = library("pycocotools.cocoeval").COCOeval(truth, truth.loadRes(entries), "bbox")
        evaluation.evaluate()
    [image] = [each for each in evaluation.evalImgs if each is not None and each["aRng"] == [0, 1e10]] or [None]
    if image is None:
        return [(-1, False)] * len(boxes)
    found = [(-1, False)] * len(boxes)
    for column, detection_id in enumerate(image["dtIds"]):
        matched = int(image["dtMatches"][0, column])
        found[detection_id - 1] = (matched - 10 if matched else -1, bool(image["dtIgnore"][0, column]))
    return found
