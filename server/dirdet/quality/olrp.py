"""Optimal localisation-recall-precision error (oLRP) and its parts (Oksuz et al., ECCV 2018)."""

from typing import NamedTuple

import numpy as np

from dirdet.quality.arrays import Floats, Ints

MIN_IOU = 0.5


class OLRP(NamedTuple):
    """Errors in 0..1, lower is better; nan if undefined.

    Attributes:
        error: oLRP.
        localisation: mean 1 - IoU of the true positives.
        false_positives: part of the detections that are wrong, 1 - precision.
        false_negatives: part of the objects that are missed, 1 - recall.
    """

    error: float
    localisation: float
    false_positives: float
    false_negatives: float


NOTHING = OLRP(float("nan"), float("nan"), float("nan"), float("nan"))


def class_olrp(confidence: Floats, iou: Floats, num_objects: int, *, min_iou: float = MIN_IOU) -> OLRP:
    """LRP of one class at the confidence threshold that minimises it.

    Args:
        confidence: [N], the class's detections without those on crowds.
        iou: [N], with the matched object, 0 for a false positive.
        num_objects: of the class.
        min_iou: of the matching; a true positive with exactly this IoU costs as much as a false positive.
    """
    if not num_objects:
        return NOTHING
    if not len(confidence):
        return OLRP(1.0, float("nan"), float("nan"), 1.0)
    order = np.argsort(-confidence, kind="stable")
    right = iou[order] > 0  # [N]
    true = np.cumsum(right)
    false = np.cumsum(~right)
    loose = np.cumsum(np.where(right, 1 - iou[order], 0))
    missed = num_objects - true
    errors = (loose / (1 - min_iou) + false + missed) / (true + false + missed)
    # A threshold keeps all detections of one confidence or none.
    errors[:-1][np.diff(confidence[order]) == 0] = np.inf
    best = int(np.argmin(errors))
    if errors[best] >= 1:  # No threshold is better than no detections.
        return OLRP(1.0, float("nan"), float("nan"), 1.0)
    return OLRP(
        error=float(errors[best]),
        localisation=float(loose[best] / true[best]),
        false_positives=float(false[best] / (true[best] + false[best])),
        false_negatives=float(missed[best] / num_objects),
    )


def mean_olrp(confidence: Floats, iou: Floats, class_id: Ints, objects_of_class: dict[int, int]) -> OLRP:
    """The error and its parts, each averaged over the classes for which it is defined.

    Args:
        confidence: [N], all detections.
        iou: [N], as in `class_olrp`.
        class_id: [N].
        objects_of_class: number of objects of each class, crowds left out.
    """
    each = [
        class_olrp(confidence[class_id == name], iou[class_id == name], number)
        for name, number in objects_of_class.items()
    ]
    return OLRP(*(_mean(part) for part in zip(*each, strict=True))) if each else NOTHING


def _mean(values: tuple[float, ...]) -> float:
    measured = [value for value in values if not np.isnan(value)]
    return float(np.mean(measured)) if measured else float("nan")
