"""Measures whether a confidence equals the frequency of success: reliability curves, D-ECE and LaECE."""

from typing import NamedTuple

import numpy as np

from dirdet.quality.arrays import Floats, Ints, require_pairs

# Bins of equal width over 0..1; LaECE is defined with 25 (Oksuz et al., CVPR 2023).
BINS = 25


class Reliability(NamedTuple):
    """The non-empty bins of equal width over 0..1, lowest first; each [B].

    Attributes:
        predicted: mean prediction.
        true: mean of the true values.
        weight: number of predictions in the bin.
    """

    predicted: Floats
    true: Floats
    weight: Ints


def reliability(predicted: Floats, true: Floats, *, bins: int = BINS) -> Reliability:
    """The reliability curve of predictions [N] in 0..1 against true values [N].

    Raises:
        ValueError: lengths differ, or a prediction lies outside 0..1.
    """
    require_pairs(predicted, true, "predicted and true")
    if len(predicted) and not (predicted.min() >= 0 and predicted.max() <= 1):
        raise ValueError(f"predictions must lie in 0..1, found {predicted.min()} to {predicted.max()}")
    place = np.minimum((predicted * bins).astype(np.int64), bins - 1)  # [N]
    count = np.bincount(place, minlength=bins)
    filled = count > 0
    sums = (np.bincount(place, weights=values, minlength=bins)[filled] for values in (predicted, true))
    mean_predicted, mean_true = (total / count[filled] for total in sums)
    return Reliability(mean_predicted, mean_true, count[filled])


def expected_error(curve: Reliability) -> float:
    """Mean distance of the curve from the diagonal, each bin weighted by its predictions; nan without any."""
    if not len(curve.weight):
        return float("nan")
    return float(np.average(np.abs(curve.predicted - curve.true), weights=curve.weight))


def d_ece(confidence: Floats, correct: Floats, *, bins: int = BINS) -> float:
    """Detection calibration error (Kueppers et al., CVPR workshops 2020), over the confidence alone.

    Args:
        confidence: [N] in 0..1, all detections.
        correct: [N], 1 for a true positive and 0 for a false one.
        bins: how many.
    """
    return expected_error(reliability(confidence, correct, bins=bins))


def la_ece(confidence: Floats, iou_if_correct: Floats, class_id: Ints, *, bins: int = BINS) -> float:
    """Localisation-aware calibration error: confidence against precision times mean IoU (Oksuz et al., CVPR 2023).

    In a bin, precision times the mean IoU of the true positives equals the mean IoU with 0 for false positives.

    Args:
        confidence: [N] in 0..1, all detections.
        iou_if_correct: [N], IoU of a true positive with its object, 0 for a false one.
        class_id: [N]; the error is averaged over the classes with a detection.
        bins: how many.
    """
    require_pairs(confidence, class_id, "confidence and class_id")
    errors = [
        expected_error(reliability(confidence[class_id == each], iou_if_correct[class_id == each], bins=bins))
        for each in np.unique(class_id)
    ]
    return float(np.mean(errors)) if errors else float("nan")


def mean_absolute_error(predicted: Floats, true: Floats) -> float:
    """Mean distance of predictions [N] from true values [N]; nan without any."""
    require_pairs(predicted, true, "predicted and true")
    return float(np.mean(np.abs(predicted - true))) if len(predicted) else float("nan")
