"""Figures of an engine's candidates, column by column, their boxes in the picture's own pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dirdet.bundle import Manifest
from dirdet.calibration import Floats
from dirdet.canvas import Fit
from dirdet.detection import Box
from dirdet.ranking import combined_iou
from dirdet.tensors import Candidates


@dataclass(frozen=True, slots=True)
class Figures:
    """Columns of N candidates of one picture.

    Attributes:
        boxes_xyxy: [N, 4] in pixels of the upright picture, inside it.
        class_id: [N] from 0.
        score: [N] the classifier's probability.
        purity: [N] or None from a plain detector, as the next two.
        integrity: [N].
        iou: [N], Eq. 5.
        score_calibrated: [N] or None where the bundle has no such calibration, as the next two.
        iou_calibrated: [N].
        outer_xyxy: [N, 4] in pixels.
    """

    boxes_xyxy: Floats
    class_id: NDArray[np.int64]
    score: Floats
    purity: Floats | None
    integrity: Floats | None
    iou: Floats | None
    score_calibrated: Floats | None
    iou_calibrated: Floats | None
    outer_xyxy: Floats | None


def figures_of(candidates: Candidates, index: int, rows: NDArray[np.int64], *, fit: Fit, manifest: Manifest) -> Figures:
    """The figures of some candidates of one canvas of a batch.

    Args:
        candidates: an engine's answer.
        index: which canvas.
        rows: [N] which of its candidates.
        fit: where the picture lies on it.
        manifest: whose calibration counts.
    """
    boxes = fit.to_picture(candidates.boxes_xyxy[index, rows])  # [N, 4]
    score = candidates.score[index, rows].astype(np.float64)
    purity = integrity = iou = None
    if candidates.purity is not None and candidates.integrity is not None:
        purity = candidates.purity[index, rows].astype(np.float64)
        integrity = candidates.integrity[index, rows].astype(np.float64)
        iou = combined_iou(purity, integrity)
    score_calibrated = iou_calibrated = outer = None
    if (calibration := manifest.calibration) is not None:
        score_calibrated = calibration.score.apply(score)
        if calibration.iou is not None and iou is not None:
            iou_calibrated = calibration.iou.apply(iou)
        if calibration.box_margin is not None:
            outer = calibration.box_margin.grow(boxes, fit.picture_hw, integrity=integrity)  # [N, 4]
    return Figures(
        boxes_xyxy=boxes,
        class_id=candidates.class_id[index, rows],
        score=score,
        purity=purity,
        integrity=integrity,
        iou=iou,
        score_calibrated=score_calibrated,
        iou_calibrated=iou_calibrated,
        outer_xyxy=outer,
    )


def at(column: Floats | None, row: int) -> float | None:
    """One figure of a column that may be absent."""
    return None if column is None else float(column[row])


def box_at(column_xyxy: Floats, row: int) -> Box:
    """One box of a column [N, 4]."""
    x1, y1, x2, y2 = column_xyxy[row].tolist()
    return x1, y1, x2, y2
