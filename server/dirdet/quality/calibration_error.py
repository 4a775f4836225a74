"""Whether a confidence means what it says: reliability curves, D-ECE and LaECE."""

from typing import NamedTuple

import numpy as np

from dirdet.quality.arrays import Floats, Ints, require_pairs

# Equal widths over 0..1: 25 is the number that LaECE was defined with (Oksuz et al., CVPR 2023).
BINS = 25


class Reliability(NamedTuple):
    """Bins of equal width over 0..1 that are not empty, lowest first; each [B].

    Attributes:
        predicted: mean prediction.
        true: mean of what came true.
        weight: predictions in the bin.
    """

    predicted: Floats
    true: Floats
    weight: Ints


def reliability(predicted: Floats, true: Floats, *, bins: int = BINS) -> Reliability:
    """The reliability curve of predictions [N] in 0..1 against what came true [N].

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
    """Mean distance of the curve from the diagonal, each bin weighing its predictions; nan without any."""
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
    """Localisation-aware calibration error: a confidence should be precision times mean IoU (Oksuz et al., CVPR 2023).

    A bin's precision times its true positives' mean IoU is the bin's mean of IoU, with 0 for false positives.

    Args:
        confidence: [N] in 0..1, all detections.
        iou_if_correct: [N], IoU of a true positive with its object, 0 for a false one.
        class_id: [N]; the error is measured for each class with a detection, and averaged.
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
