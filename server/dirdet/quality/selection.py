"""What keeping only the surest boxes gains: risk-coverage and AUROC."""

from typing import NamedTuple

import numpy as np

from dirdet.quality.arrays import Floats, require_pairs
from dirdet.quality.extra import library

GOOD_IOU = 0.75


class RiskCoverage(NamedTuple):
    """Risk of the surest boxes, one point for each number of them; each [N].

    Attributes:
        coverage: part of all boxes that is kept, rising to 1.
        risk: mean of 1 - IoU over those kept.
    """

    coverage: Floats
    risk: Floats

    @property
    def area(self) -> float:
        """Mean risk over all coverages; nan without a box."""
        return float(np.mean(self.risk)) if len(self.risk) else float("nan")


def risk_coverage(confidence: Floats, iou: Floats) -> RiskCoverage:
    """The curve for boxes [N] kept by falling confidence, where risk is 1 - true IoU.

    Boxes of equal confidence come in no order: each counts with their mean risk, so the curve does not depend on
    how they were listed.
    """
    require_pairs(confidence, iou, "confidence and iou")
    values, group = np.unique(-confidence, return_inverse=True)
    number = np.bincount(group, minlength=len(values))
    mean_risk = np.bincount(group, weights=1 - iou, minlength=len(values)) / np.maximum(number, 1)
    kept = np.arange(1, len(iou) + 1)
    return RiskCoverage(kept / max(len(iou), 1), np.cumsum(np.repeat(mean_risk, number)) / kept)


def auroc(confidence: Floats, iou: Floats, *, good_iou: float = GOOD_IOU) -> float:
    """Probability that a box of IoU above `good_iou` is surer than one that is not; nan where all are of one kind.

    Args:
        confidence: [N].
        iou: [N], true.
        good_iou: what a good box exceeds.
    """
    require_pairs(confidence, iou, "confidence and iou")
    good = iou > good_iou
    if good.all() or not good.any():
        return float("nan")
    return float(library("sklearn.metrics").roc_auc_score(good, confidence))
