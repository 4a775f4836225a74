"""Measures what is gained by keeping only the most confident boxes: risk-coverage and AUROC."""

from typing import NamedTuple

import numpy as np

from dirdet.quality.arrays import Floats, require_pairs
from dirdet.quality.optional_libraries import library

GOOD_IOU = 0.75


class RiskCoverage(NamedTuple):
    """Risk of the most confident boxes, one point for each number of them; each [N].

    Attributes:
        coverage: part of all boxes that is kept, rising to 1.
        risk: mean of 1 - IoU over the kept boxes.
    """

    coverage: Floats
    risk: Floats

    @property
    def area(self) -> float:
        """Mean risk over all coverages; nan without a box."""
        return float(np.mean(self.risk)) if len(self.risk) else float("nan")


def risk_coverage(confidence: Floats, iou: Floats) -> RiskCoverage:
    """The curve for boxes [N] kept by falling confidence; the risk is 1 - true IoU.

    Boxes of equal confidence have no order: each counts with their mean risk, so the curve does not depend on the order
    of the list.
    """
    require_pairs(confidence, iou, "confidence and iou")
    values, group = np.unique(-confidence, return_inverse=True)
    number = np.bincount(group, minlength=len(values))
    mean_risk = np.bincount(group, weights=1 - iou, minlength=len(values)) / np.maximum(number, 1)
    kept = np.arange(1, len(iou) + 1)
    return RiskCoverage(kept / max(len(iou), 1), np.cumsum(np.repeat(mean_risk, number)) / kept)


def auroc(confidence: Floats, iou: Floats, *, good_iou: float = GOOD_IOU) -> float:
    """Probability that a box with IoU above `good_iou` has a higher confidence than another; nan without both kinds.

    Args:
        confidence: [N].
        iou: [N], true.
        good_iou: a good box has a higher IoU than this.
    """
    require_pairs(confidence, iou, "confidence and iou")
    good = iou > good_iou
    if good.all() or not good.any():
        return float("nan")
    return float(library("sklearn.metrics").roc_auc_score(good, confidence))
