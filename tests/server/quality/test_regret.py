"""What NMS threw away, by hand and against an NMS that knows the truth."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.detection.ranking import ranked_nms
from dirdet.quality.overlap import overlaps
from dirdet.quality.regret import cluster_regrets

OBJECT = np.array([[0.0, 0.0, 100.0, 100.0]])
# IoU with the object: 0.6, 0.9; and a box of nothing.
BOXES = np.array([[0.0, 0.0, 100.0, 60.0], [0.0, 0.0, 100.0, 90.0], [300.0, 300.0, 310.0, 310.0]])


def regrets(kept: list[bool], *, classes: tuple[int, ...] = (1, 1, 1), threshold: float = 0.5) -> list[float]:
    rank = np.array([0.9, 0.5, 0.8])
    found = cluster_regrets(BOXES, np.array(classes), rank, np.array(kept), OBJECT, nms_iou_threshold=threshold)
    return found.tolist()


def test_the_better_box_was_removed() -> None:
    assert regrets([True, False, True]) == [pytest.approx(0.3)]


def test_the_better_box_was_kept() -> None:
    assert regrets([False, True, True]) == [0]


def test_a_box_of_another_class_was_not_removed_by_this_one() -> None:
    assert regrets([True, False, True], classes=(1, 2, 1)) == [0]


def test_a_box_that_hardly_overlaps_was_not_removed_by_this_one() -> None:
    assert regrets([True, False, True], threshold=0.7) == [0]


def test_no_box_and_no_object() -> None:
    empty = np.zeros((0, 4))
    nothing = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.bool_)
    assert cluster_regrets(empty, *nothing, OBJECT, nms_iou_threshold=0.5).tolist() == []
    one = np.array([1]), np.array([0.5]), np.array([True])
    assert cluster_regrets(BOXES[:1], *one, empty, nms_iou_threshold=0.5).tolist() == []


@given(
    boxes=st.lists(st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 40)] * 2), min_size=1, max_size=12),
    objects=st.lists(st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 40)] * 2), min_size=1, max_size=4),
    threshold=st.sampled_from([0.3, 0.5, 0.7]),
)
def test_an_nms_that_ranks_by_the_true_iou_regrets_nothing(boxes: Any, objects: Any, threshold: float) -> None:
    found, true = (np.array(each, np.float64) for each in (boxes, objects))
    found[:, 2:] += found[:, :2]
    true[:, 2:] += true[:, :2]
    rank = overlaps(found, true).iou.max(axis=1)
    classes = np.zeros(len(found), np.int64)
    kept = np.zeros(len(found), np.bool_)
    kept[ranked_nms(found, classes, rank, iou_threshold=threshold)] = True
    assert not cluster_regrets(found, classes, rank, kept, true, nms_iou_threshold=threshold).any()
