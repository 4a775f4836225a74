"""oLRP and its parts, worked out by hand and against every threshold in turn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.quality.olrp import class_olrp, mean_olrp


def test_perfect_detections() -> None:
    assert class_olrp(np.array([0.9, 0.3]), np.ones(2), 2) == (0, 0, 0, 0)


def test_one_by_hand() -> None:
    # At the threshold that keeps one box: ((1 - 0.8) / 0.5 + 0 + 1) / 2 = 0.7; both boxes: (0.4 + 1 + 1) / 3 = 0.8.
    found = class_olrp(np.array([0.9, 0.5]), np.array([0.8, 0.0]), 2)
    assert found.error == pytest.approx(0.7)
    assert found.localisation == pytest.approx(0.2)
    assert found.false_positives == 0
    assert found.false_negatives == 0.5


def test_nothing_detected_and_nothing_there() -> None:
    assert class_olrp(np.zeros(0), np.zeros(0), 3)[::3] == (1, 1)
    assert all(math.isnan(part) for part in class_olrp(np.array([0.5]), np.array([0.0]), 0))
    assert class_olrp(np.array([0.5]), np.array([0.0]), 1).error == 1


def test_boxes_of_one_confidence_are_kept_or_left_together() -> None:
    tied = class_olrp(np.array([0.5, 0.5]), np.array([1.0, 0.0]), 1)
    assert tied.error == pytest.approx(1 / 2)
    assert tied.false_positives == 0.5


def test_classes_weigh_the_same() -> None:
    found = mean_olrp(np.array([0.9, 0.8]), np.array([1.0, 0.75]), np.array([1, 2]), {1: 1, 2: 1, 3: 1})
    assert found.error == pytest.approx((0 + 0.5 + 1) / 3)
    assert found.localisation == pytest.approx((0 + 0.25) / 2)  # class 3 found nothing that could be loose
    assert found.false_negatives == pytest.approx(1 / 3)


@given(
    boxes=st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0.0, 0.5, 0.7, 1.0])), min_size=1, max_size=8),
    missed=st.integers(0, 3),
)
def test_it_is_the_least_over_all_thresholds(boxes: list[tuple[int, float]], missed: int) -> None:
    confidence, iou = np.array(boxes, np.float64).T
    objects = int((iou > 0).sum()) + missed
    if objects == 0:
        return
    errors = [1.0]
    for threshold in sorted({place for place, _ in boxes}):
        kept = iou[confidence >= threshold]
        true = int((kept > 0).sum())
        false = len(kept) - true
        loose = float((1 - kept[kept > 0]).sum()) / 0.5
        errors.append((loose + false + objects - true) / (true + false + objects - true))
    assert class_olrp(confidence, iou, objects).error == pytest.approx(min(errors))
