"""Measures whether a confidence orders boxes as their true IoU does: Pearson, Spearman, Kendall within one object."""

import numpy as np

from dirdet.quality.arrays import Floats, Ints, require_pairs
from dirdet.quality.optional_libraries import library


def pearson(predicted: Floats, true: Floats) -> float:
    """Pearson's correlation of predicted and true values (Figure 4).

    Args:
        predicted: [N].
        true: [N].

    Returns:
        In [-1, 1]; nan for fewer than two pairs or if one side is constant.

    Raises:
        ValueError: the lengths differ.
    """
    require_pairs(predicted, true, "predicted and true")
    if not _varies(predicted, true):
        return float("nan")
    return float(np.corrcoef(predicted, true)[0, 1])


def spearman(predicted: Floats, true: Floats) -> float:
    """Spearman's correlation: Pearson's correlation of the ranks; equal values share a rank.

    Args:
        predicted: [N].
        true: [N].

    Returns:
        In [-1, 1]; nan as `pearson`.
    """
    require_pairs(predicted, true, "predicted and true")
    if not _varies(predicted, true):
        return float("nan")
    return float(library("scipy.stats").spearmanr(predicted, true).statistic)


def kendall_within_objects(predicted: Floats, true: Floats, object_index: Ints) -> float:
    """Kendall's tau-b among the boxes of one object, averaged over objects.

    It measures the order that NMS relies on: of several boxes of one object, does the more confident box fit better?

    Args:
        predicted: [N].
        true: [N].
        object_index: [N], the object of each box.

    Returns:
        In [-1, 1]; nan if no object has two boxes that differ in both.
    """
    require_pairs(predicted, true, "predicted and true")
    require_pairs(predicted, object_index, "predicted and object_index")
    kendalltau = library("scipy.stats").kendalltau
    order = np.argsort(object_index, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(object_index[order])) + 1)
    taus = [
        float(kendalltau(predicted[group], true[group]).statistic)
        for group in groups
        if _varies(predicted[group], true[group])
    ]
    return float(np.mean(taus)) if taus else float("nan")


def _varies(predicted: Floats, true: Floats) -> bool:
    return len(predicted) >= 2 and bool(np.ptp(predicted) > 0) and bool(np.ptp(true) > 0)
