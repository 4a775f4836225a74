"""How well integrity tells which share of an object a box shows that a seam cuts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dirdet.detection.ranking import Floats
from dirdet.detector.tile_joining import Ints, on_seams
from dirdet.detector.tiled import TiledPicture
from dirdet.quality.optional_libraries import library
from dirdet_bench.tiles.counting import overlaps, purity_in

# Of a box: the object in which so much of it lies is the one that it shows.
SHOWS = 0.5
# Of an object: a box with less is a part of it.
PART = 0.75
# Of a box: weaker ones are mostly nothing.
LEAST_SCORE = 0.3


@dataclass(frozen=True)
class Fits:
    """Integrity of N boxes, predicted and true, each [N] in 0..1."""

    predicted: Floats
    true: Floats


@dataclass(frozen=True)
class SeamFigures:
    """Of the boxes that a seam cuts: the mean error of integrity, and the AUROC of telling parts from wholes by it."""

    boxes: int
    error: float
    auroc: float


def cut_fits(tiled: TiledPicture, objects_xyxy: Floats, category_id: Ints) -> Fits:
    """Of the boxes that a seam cuts, those that show an object of their class.

    Args:
        tiled: a picture with the detections of all its tiles.
        objects_xyxy: [G, 4] in pixels of the picture.
        category_id: [G].
    """
    predicted: list[float] = []
    true: list[float] = []
    found, seen = tiled.seen()
    score = np.array([each.score for each in found], np.float64)  # [N]
    for row in np.flatnonzero(on_seams(seen).any(axis=1) & (score > LEAST_SCORE)):
        box, objects = seen.boxes_xyxy[row], objects_xyxy[category_id == found[row].category_id]
        if not len(objects):
            continue
        purity = purity_in(box, objects)
        best = int(purity.argmax())
        if purity[best] >= SHOWS:
            predicted.append(float(seen.integrity[row]))
            true.append(float(overlaps(box, objects)[best] / (objects[best, 2:] - objects[best, :2]).prod()))
    return Fits(np.array(predicted), np.array(true))


def seam_figures(fits: Sequence[Fits]) -> SeamFigures:
    """Over the boxes of several pictures; NaN where there is nothing to tell apart."""
    predicted, true = (np.concatenate([getattr(each, name) for each in fits]) for name in ("predicted", "true"))
    whole = true >= PART
    error = float(np.abs(predicted - true).mean()) if len(true) else float("nan")
    apart = whole.any() and not whole.all()
    auroc = float(library("sklearn.metrics").roc_auc_score(whole, predicted)) if apart else float("nan")
    return SeamFigures(len(true), error, auroc)
