"""The true overlap of boxes and objects: purity, integrity and IoU of every pair."""

from typing import NamedTuple

import numpy as np

from dirdet.quality.arrays import Floats


class Overlap(NamedTuple):
    """Overlap of N boxes with G objects, each [N, G] in 0..1; 0 if the divisor is 0.

    Attributes:
        purity: overlap / area of the box (Eq. 3).
        integrity: overlap / area of the object (Eq. 4).
        iou: overlap / union.
    """

    purity: Floats
    integrity: Floats
    iou: Floats


def overlaps(boxes_xyxy: Floats, objects_xyxy: Floats) -> Overlap:
    """Overlap of boxes [N, 4] with objects [G, 4], both in the same unit."""
    top_left = np.maximum(boxes_xyxy[:, None, :2], objects_xyxy[None, :, :2])  # [N, G, 2]
    bottom_right = np.minimum(boxes_xyxy[:, None, 2:], objects_xyxy[None, :, 2:])
    shared = np.prod(np.clip(bottom_right - top_left, 0, None), axis=2)  # [N, G]
    of_boxes = np.broadcast_to(_areas(boxes_xyxy)[:, None], shared.shape)
    of_objects = np.broadcast_to(_areas(objects_xyxy)[None], shared.shape)
    return Overlap(
        purity=_ratio(shared, of_boxes),
        integrity=_ratio(shared, of_objects),
        iou=_ratio(shared, of_boxes + of_objects - shared),
    )


def _areas(boxes_xyxy: Floats) -> Floats:
    return np.prod(np.clip(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0, None), axis=1)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
