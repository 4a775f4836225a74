"""Chooses the thresholds that a calibrated detector suggests, on the split that it is calibrated on."""

import numpy as np

from dirdet.detection.calibration import Suggested
from dirdet.quality.arrays import Bools, Floats

# Of the detections above the suggested score threshold at least this part is right, where any threshold has that.
MIN_PRECISION = 2 / 3
# The suggested min_iou drops at most this part of the right detections.
MAX_RIGHT_LOST = 0.01


def suggest(score: Floats, iou: Floats | None, correct_iou: Floats, *, objects: int) -> Suggested:
    """The score threshold, and the greatest min_iou that drops at most 1% of the right detections.

    The score threshold has the best F1 among those above which two of three detections are right, or among all if there
    is none such.

    Args:
        score: [N], of all detections on the split, at least one.
        iou: [N]; None from a detector that predicts none.
        correct_iou: [N], 0 of a wrong detection (`dirdet.quality.true_iou`).
        objects: number of objects on the split.
    """
    right = correct_iou > 0
    threshold = _score_threshold(score, right, objects)
    above = score > threshold
    found = int((right & above).sum())
    min_iou = None if iou is None else _least_iou(iou, right)
    below = np.zeros(len(right), np.bool_) if iou is None or min_iou is None else iou < min_iou
    return Suggested(
        score_threshold=threshold,
        precision=found / max(1, int(above.sum())),
        recall=found / max(1, objects),
        min_iou=min_iou,
        wrong_removed=_part(below, ~right),
        right_lost=_part(below, right),
    )


def _score_threshold(score: Floats, right: Bools, objects: int) -> float:
    """The chosen threshold, in hundredths; of equally good ones the lowest."""
    order, of_right = np.sort(score), np.sort(score[right])
    thresholds = np.arange(100) / 100  # [100]
    detections = len(order) - np.searchsorted(order, thresholds, side="right")
    found = len(of_right) - np.searchsorted(of_right, thresholds, side="right")
    f1 = 2 * found / np.maximum(1, detections + objects)
    precise = (found >= MIN_PRECISION * detections) & (found > 0)
    return float(thresholds[np.argmax(np.where(precise, f1, -1) if precise.any() else f1)])


def _least_iou(iou: Floats, right: Bools) -> float:
    """The greatest threshold, in hundredths, that at most `MAX_RIGHT_LOST` of the right detections lie below."""
    of_right = np.sort(iou[right])
    if not len(of_right):
        return 0.0
    thresholds = np.arange(101) / 100  # [101]
    lost = np.searchsorted(of_right, thresholds, side="left") / len(of_right)
    return float(thresholds[np.flatnonzero(lost <= MAX_RIGHT_LOST)[-1]])


def _part(below: Bools, of: Bools) -> float:
    return float(below[of].mean()) if of.any() else 0.0
