"""A calibration seen on a split that it was not fitted on: calibrated columns, coverage and width of outer boxes."""

from dataclasses import replace

import numpy as np

from dirdet.calibration import Calibration
from dirdet.errors import ResultsError
from dirdet.quality.ground_truth import GroundTruth, rows_by
from dirdet.quality.judging import MIN_IOU, judge
from dirdet.quality.results import Results


def with_calibration(results: Results, calibration: Calibration) -> Results:
    """The same boxes with score_calibrated and, where there is an iou, iou_calibrated among their predictions."""
    told = dict(results.predictions)
    told["score_calibrated"] = calibration.score.apply(told["score"])
    if calibration.iou is not None and "iou" in told:
        told["iou_calibrated"] = calibration.iou.apply(told["iou"])
    return replace(results, predictions=told)


def margin_figures(results: Results, truth: GroundTruth, calibration: Calibration) -> dict[str, float]:
    """How many outer boxes contain their object, and how much larger they are than the boxes; empty without a margin.

    Over detections whose best IoU with an object is at least 0.5, as the margin was fitted.

    Raises:
        ResultsError: the margin needs an integrity, and the results tell none.
    """
    if calibration.box_margin is None:
        return {}
    judged = judge(results, truth)
    well = results.kept & ~judged.ignored & (judged.iou >= MIN_IOU)
    if not well.any():
        return {"outer_box_coverage": float("nan"), "outer_box_growth": float("nan")}
    boxes = results.boxes_xyxy[well]
    objects = truth.visible_xyxy(judged.object_row[well])
    integrity = results.predictions.get("integrity")
    if integrity is None and calibration.box_margin.missing:
        raise ResultsError("the calibration's margin grows with what a box misses: it needs results with integrity")
    outer = np.empty_like(boxes)
    for picture_id, rows in rows_by(results.picture_id[well]).items():
        picture = truth.pictures[picture_id]
        outer[rows] = calibration.box_margin.grow(
            boxes[rows],
            (picture.height, picture.width),
            integrity=None if integrity is None else integrity[well][rows],
        )
    contained = (outer[:, :2] <= objects[:, :2]).all(axis=1) & (outer[:, 2:] >= objects[:, 2:]).all(axis=1)
    growth = np.prod(outer[:, 2:] - outer[:, :2], axis=1) / np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return {
        "outer_box_wanted": calibration.box_margin.coverage,
        "outer_box_coverage": float(contained.mean()),
        "outer_box_growth": float(growth.mean()),
    }
