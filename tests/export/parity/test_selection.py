"""The server's steps of NMS keep and report what the detector's own keep and report."""

from dataclasses import asdict, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from dirdet.detection import selection
from dirdet.detection.selection import Selection, select
from dirdet_training.nms import Calibrated, Knots, Representative, Voting
from dirdet_training.nms import Selection as Eager

MAPS = Calibrated(Knots((0.0, 0.5, 1.0), (0.1, 0.3, 0.9)), Knots((0.2, 0.9), (0.0, 0.8)))
STEPS = [
    Eager(cluster_by=by, representative=standing, voting=voting, report_by=report, calibration=MAPS)
    for by, standing, voting, report in product(
        ("confidence", "score"),
        (None, Representative(), Representative(0.5, 0.2)),
        (None, Voting(), Voting(iou_power=4, spread=0.01, iou_threshold=0.3)),
        ("confidence", "score", "calibrated"),
    )
]


def served(eager: Eager) -> Selection:
    steps = asdict(eager)
    return Selection.model_validate({name: steps[name] for name in Selection.model_fields})


def crowd(seed: int, size: int) -> tuple[np.ndarray[Any, Any], ...]:
    """Boxes around a few places, some of them equal, of two classes; with equal figures among them."""
    generator = np.random.default_rng(seed)
    places = generator.uniform(0, 100, (5, 2))[generator.integers(0, 5, size)]
    corners = np.hstack([places, places + 40]) + generator.normal(0, 4, (size, 4))
    if size > 3:
        corners[2] = corners[0]
    score, iou = generator.uniform(0.05, 1, (2, size)).round(2)
    return corners.astype(np.float32).astype(np.float64), generator.integers(0, 2, size), score, iou


@pytest.mark.parametrize("size", [0, 1, 60])
@pytest.mark.parametrize("steps", STEPS, ids=lambda steps: f"{steps.cluster_by}-{steps.report_by}")
def test_each_step_as_the_detector_takes_it(steps: Eager, size: int) -> None:
    for seed in range(3):
        boxes, classes, score, iou = crowd(seed, size)
        weighted = replace(steps, iou_weight=0.3)
        expected = weighted(
            torch.tensor(boxes), torch.tensor(score), torch.tensor(iou), torch.tensor(classes), iou_threshold=0.5
        )
        found = select(
            served(steps), boxes_xyxy=boxes, class_id=classes, score=score, iou=iou,
            iou_weight=0.3, nms_iou_threshold=0.5, limit=100,
        )  # fmt: skip
        assert found.rows.tolist() == expected.indices.tolist()
        np.testing.assert_allclose(found.reported, expected.confidences.numpy(), rtol=1e-6)
        np.testing.assert_allclose(found.boxes_xyxy, expected.boxes_xyxy.numpy(), atol=1e-4)


@pytest.mark.parametrize("pairs", [1, 60, 500])
def test_boxes_are_taken_in_blocks_without_a_difference(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(5):
        boxes, classes, score, iou = crowd(seed, 60)
        options: dict[str, Any] = {"boxes_xyxy": boxes, "class_id": classes, "score": score, "iou": iou}
        options |= {"iou_weight": 0.5, "nms_iou_threshold": 0.5, "limit": 100}
        for steps in map(served, STEPS):
            whole = select(steps, **options)
            with monkeypatch.context() as patched:
                patched.setattr(selection, "MOST_PAIRS", pairs)
                found = select(steps, **options)
            assert found.rows.tolist() == whole.rows.tolist()
            assert found.boxes_xyxy.tolist() == whole.boxes_xyxy.tolist()


@pytest.mark.parametrize("size", [1, 5])
def test_boxes_without_an_area_stay(size: int) -> None:
    boxes, figures = np.full((size, 4), 5.0), np.full(size, 0.5)
    options: dict[str, Any] = {"boxes_xyxy": boxes, "class_id": np.zeros(size, np.int64), "score": figures}
    for steps in map(served, STEPS):
        found = select(steps, **options, iou=figures, iou_weight=0.5, nms_iou_threshold=0.5, limit=100)
        assert found.boxes_xyxy.tolist() == boxes.tolist()


def test_no_more_than_the_limit() -> None:
    boxes, classes, score, iou = crowd(0, 60)
    options: dict[str, Any] = {"boxes_xyxy": boxes, "class_id": classes, "score": score, "iou": iou}
    options |= {"iou_weight": 0.5, "nms_iou_threshold": 0.5}
    every, first = (select(served(STEPS[0]), **options, limit=limit) for limit in (100, 2))
    assert first.rows.tolist() == every.rows[:2].tolist()


def test_a_report_by_a_product_needs_its_maps() -> None:
    with pytest.raises(ValueError, match="'calibrated' needs a calibration"):
        Selection(cluster_by="score", representative=None, voting=None, report_by="calibrated")
