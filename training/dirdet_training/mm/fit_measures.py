"""Measures how well a predicted iou agrees with the true IoU, over all judged boxes, each counted once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from torch import Tensor

from dirdet.quality.correlation import kendall_within_objects, pearson
from dirdet_training.nms.ranks import Candidates

Rows = NDArray[np.float64]
Ints = NDArray[np.int64]
FITTING = 0.5


@dataclass(frozen=True)
class Distinct:
    """The distinct boxes of one picture, or of several; U in all.

    Attributes:
        rows: [U, 3], true IoU with the best object of any class, best score, predicted iou (NaN where there is none).
        objects: [U], that object's number, distinct over all pictures; -1 without an object.
    """

    rows: Rows
    objects: Ints


def distinct_boxes(candidates: Candidates) -> Distinct:
    """Finds the distinct boxes of a picture: candidates of several classes may share a box, which is counted once."""
    boxes = candidates.boxes_xyxy.double().cpu().numpy()  # [N, 4]
    _, first, places = np.unique(boxes, axis=0, return_index=True, return_inverse=True)
    rows = np.full((len(first), 3), np.nan)
    true, objects = candidates.best_objects()
    rows[:, 0] = _array(true)[first]
    rows[:, 1] = -np.inf
    np.maximum.at(rows[:, 1], places.ravel(), _array(candidates.scores))
    if candidates.ious is not None:
        rows[:, 2] = _array(candidates.ious)[first]
    return Distinct(rows, objects.cpu().numpy()[first])


def joined(pictures: Sequence[Distinct]) -> Distinct:
    """Joins the boxes of several pictures."""
    objects: list[Ints] = []
    count = 0
    for picture in pictures:
        objects.append(np.where(picture.objects < 0, -1, picture.objects + count))
        count += int(picture.objects.max(initial=-1)) + 1
    return Distinct(np.concatenate([picture.rows for picture in pictures]), np.concatenate(objects))


def _array(values: Tensor) -> Rows:
    return values.double().cpu().numpy()


def fit_figures(boxes: Distinct) -> dict[str, float]:
    """Computes the figures of score and iou over the distinct boxes of all pictures; NaN where one is undefined.

    Returns:
        For each prediction: `pearson`, `kendall` (within one object), `mean`, `lowest` (the first percentile), and
        `regret`: the best IoU among an object's boxes minus that of the box with the highest prediction, mean over
        objects. Names with `_fitting` are the same over boxes with a true IoU of at least 0.5, and `auroc_fitting` is
        how well the prediction separates those from the others. Also `true/mean`, and the numbers of `boxes` and of
        `fitting` boxes.
    """
    true = boxes.rows[:, 0]
    fitting = true >= FITTING
    figures = {"boxes": float(len(true)), "fitting": float(fitting.sum()), "true/mean": _mean(true)}
    for name, said in (("score", boxes.rows[:, 1]), ("iou", boxes.rows[:, 2])):
        if np.isnan(said).all():
            continue
        for suffix, chosen, on_object in (("", slice(None), boxes.objects >= 0), ("_fitting", fitting, fitting)):
            figures[f"{name}/pearson{suffix}"] = pearson(said[chosen], true[chosen])
            of_objects = said[on_object], true[on_object], boxes.objects[on_object]
            figures[f"{name}/kendall{suffix}"] = kendall_within_objects(*of_objects)
            figures[f"{name}/regret{suffix}"] = _regret(*of_objects)
        figures[f"{name}/auroc_fitting"] = _auroc(said, fitting)
        figures[f"{name}/mean"] = _mean(said)
        figures[f"{name}/lowest"] = float(np.quantile(said, 0.01))
    return figures


def _regret(said: Rows, true: Rows, objects: Ints) -> float:
    """Mean over objects of the best true IoU minus that of the box with the highest prediction, of ties the mean."""
    if not len(objects):
        return float("nan")
    order = np.argsort(objects, kind="stable")
    starts = np.flatnonzero(np.diff(objects[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    said, true = said[order], true[order]
    highest = said == np.repeat(np.maximum.reduceat(said, starts), sizes)
    chosen = np.add.reduceat(true * highest, starts) / np.add.reduceat(highest.astype(np.float64), starts)
    return float(np.mean(np.maximum.reduceat(true, starts) - chosen))


def _auroc(said: Rows, fitting: NDArray[np.bool_]) -> float:
    """Returns the probability that a fitting box is rated above another box; ties count half (Mann and Whitney's U)."""
    pairs = int(fitting.sum()) * int((~fitting).sum())
    return float(mannwhitneyu(said[fitting], said[~fitting]).statistic / pairs) if pairs else float("nan")


def _mean(values: Rows) -> float:
    return float(values.mean()) if len(values) else float("nan")
