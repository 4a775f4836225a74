"""Measures a calibration on another split than it was fitted on: calibrated columns, outer boxes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dirdet.detection.calibration import Calibration
from dirdet.errors import ResultsError
from dirdet.quality.calibration_error import expected_error, reliability
from dirdet.quality.calibration_fit import class_ids_of
from dirdet.quality.detections_file import Results
from dirdet.quality.ground_truth import GroundTruth, rows_by
from dirdet.quality.true_iou import MIN_IOU, judge


def with_calibration(results: Results, calibration: Calibration, *, category_ids: Sequence[int]) -> Results:
    """Adds score_calibrated and, if there is an iou, iou_calibrated to the predictions.

    Boxes that NMS removed have what a candidate's figures mean, or a detection's if candidates were not calibrated.

    Args:
        results: of the calibrated detector.
        calibration: its own.
        category_ids: of its classes, in their order.
    """
    told = dict(results.predictions)
    class_id = class_ids_of(results, category_ids)
    parts = ((results.kept, calibration.detections), (~results.kept, calibration.candidates or calibration.detections))
    for name in ("score", "iou"):
        mapped = np.zeros(len(class_id))
        for rows, meaning in parts:
            maps = meaning.score if name == "score" else meaning.iou
            if maps is None or name not in told:
                break
            mapped[rows] = maps.apply(told[name][rows], class_id[rows])
        else:
            told[f"{name}_calibrated"] = mapped
    return replace(results, predictions=told)


def candidate_errors(
    results: Results, truth: GroundTruth, calibration: Calibration, *, category_ids: Sequence[int]
) -> dict[str, float]:
    """Expected errors of score and iou over all candidates, background included, before and after calibration.

    Empty if the results have no candidates, or none were calibrated.
    """
    if results.kept.all() or calibration.candidates is None:
        return {}
    judged = judge(results, truth)
    class_id = class_ids_of(results, category_ids)
    rows = ~judged.on_crowd
    true = {"score": (judged.class_iou >= MIN_IOU).astype(np.float64), "iou": judged.iou}
    maps = {"score": calibration.candidates.score, "iou": calibration.candidates.iou}
    figures: dict[str, float] = {}
    for name, meant in true.items():
        own = maps[name]
        if own is None or name not in results.predictions:
            continue
        predicted = results.predictions[name]
        figures[f"candidates_error/{name}"] = expected_error(reliability(predicted[rows], meant[rows]))
        mapped = own.apply(predicted, class_id)
        figures[f"candidates_error/{name}_calibrated"] = expected_error(reliability(mapped[rows], meant[rows]))
    return figures


def margin_figures(results: Results, truth: GroundTruth, calibration: Calibration) -> dict[str, float]:
    """How many outer boxes contain their object, and how much larger they are than the boxes; empty without a margin.

    Measured over detections whose best IoU with an object is at least 0.5, the condition under which the margin was
    fitted.

    Raises:
        ResultsError: the margin needs an integrity, and the results have none.
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
        raise ResultsError("the calibration's margin depends on integrity; expected results with integrity")
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
