"""Counts what is wrong among the boxes of one large picture: second boxes on an object, and parts of objects."""

from dataclasses import dataclass

import numpy as np

from dirdet.detection.ranking import Floats, iou_with
from dirdet.detector.tile_joining import Bools, Ints

# The IoU from which a box fits an object.
FITS = 0.5
# A box of which this share lies in an object, without fitting any, is a part of the object.
PART = 0.8


@dataclass(frozen=True)
class Boxes:
    """Boxes of one picture: [N, 4], [N] and [N]."""

    boxes_xyxy: Floats
    rank: Floats
    category_id: Floats


@dataclass(frozen=True)
class Counts:
    """Numbers of boxes of one picture, or of several together, and of objects."""

    right: int = 0
    duplicates: int = 0
    halves: int = 0
    boxes: int = 0
    objects: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(one + another for one, another in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def f1(self) -> float:
        return 2 * self.right / max(self.boxes + self.objects, 1)


@dataclass(frozen=True)
class Judged:
    """Boxes of one picture, each [N]; what a box is depends on those of higher rank, and so not on a cut."""

    rank: Floats
    right: Bools
    duplicate: Bools
    half: Bools
    objects: int

    def above(self, cut: float) -> Counts:
        """Counts of the boxes that rank above a cut."""
        shown = self.rank > cut
        right, duplicates, halves = (int((kind & shown).sum()) for kind in (self.right, self.duplicate, self.half))
        return Counts(right, duplicates, halves, int(shown.sum()), self.objects)


def judged_boxes(found: Boxes, objects_xyxy: Floats, category_id: Ints) -> Judged:
    """What each box shows; the objects' boxes are [G, 4], their categories [G]."""
    right, duplicate, half = np.zeros((3, len(found.rank)), np.bool_)
    for category in np.unique(category_id):
        objects = objects_xyxy[category_id == category]
        wanted = np.flatnonzero(found.category_id == category)
        free = np.ones(len(objects), np.bool_)
        for row in wanted[np.argsort(-found.rank[wanted], kind="stable")]:
            box = found.boxes_xyxy[row]
            ious = iou_with(box, objects)
            best = int(np.where(free, ious, -1).argmax())
            if free[best] and ious[best] >= FITS:
                free[best] = False
                right[row] = True
            elif ious.max() >= FITS:
                duplicate[row] = True
            else:
                half[row] = purity_in(box, objects).max() >= PART
    return Judged(found.rank, right, duplicate, half, len(objects_xyxy))


def purity_in(box_xyxy: Floats, objects_xyxy: Floats) -> Floats:
    """[N] shares of a box that lie in the objects."""
    return overlaps(box_xyxy, objects_xyxy) / max(float((box_xyxy[2:] - box_xyxy[:2]).prod()), 1e-9)


def overlaps(box_xyxy: Floats, objects_xyxy: Floats) -> Floats:
    """[N] areas that a box shares with the objects."""
    sides = np.minimum(box_xyxy[2:], objects_xyxy[:, 2:]) - np.maximum(box_xyxy[:2], objects_xyxy[:, :2])
    return np.clip(sides, 0, None).prod(axis=1)
