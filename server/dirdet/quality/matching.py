"""Matches detections to objects: COCO's greedy assignment."""

from typing import NamedTuple

import numpy as np

from dirdet.quality.arrays import Bools, Floats, Ints
from dirdet.quality.overlap import overlaps


class Matches(NamedTuple):
    """The match of each of N detections of one class on one picture.

    Attributes:
        object_index: [N], the matched object; -1 without a match.
        iou: [N], IoU with that object; 0 without a match.
        ignored: [N], whether the detection lies on a crowd and counts neither as right nor as wrong.
    """

    object_index: Ints
    iou: Floats
    ignored: Bools


def match(
    boxes_xyxy: Floats, rank: Floats, objects_xyxy: Floats, crowd: Bools | None = None, *, min_iou: float = 0.5
) -> Matches:
    """Assigns to each detection, highest rank first, the free object that it overlaps most, as COCO does.

    Args:
        boxes_xyxy: [N, 4], pixels; of one class and picture.
        rank: [N]; equal ranks keep their order.
        objects_xyxy: [G, 4], pixels; of that class and picture.
        crowd: [G], which objects are crowds: a detection on one is ignored, and a crowd is never assigned.
        min_iou: least overlap of a match; for a crowd, the part of the box inside the crowd counts.
    """
    pairs = overlaps(boxes_xyxy, objects_xyxy)
    crowd = np.zeros(len(objects_xyxy), np.bool_) if crowd is None else crowd
    free = ~crowd
    found = Matches(
        np.full(len(boxes_xyxy), -1, np.int64), np.zeros(len(boxes_xyxy)), np.zeros(len(boxes_xyxy), np.bool_)
    )
    # Like pycocotools, this takes the last of several objects with equal overlap.
    for index in np.argsort(-rank, kind="stable"):
        ious = np.where(free, pairs.iou[index], -1)
        best = len(ious) - 1 - int(np.argmax(ious[::-1])) if len(ious) else -1
        if best >= 0 and ious[best] >= min_iou:
            found.object_index[index], found.iou[index] = best, ious[best]
            free[best] = False
        elif np.any(pairs.purity[index, crowd] >= min_iou):
            found.ignored[index] = True
    return found
