"""Positions of box labels with as little overlap as possible."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# x1, y1, x2, y2 in pixels.
Box = tuple[float, float, float, float]


def place_labels(
    boxes_xyxy: Sequence[Box], sizes_wh: Sequence[tuple[int, int]], *, picture_wh: tuple[int, int]
) -> list[tuple[int, int]]:
    """The upper left corner of each label, in pixels; the labels lie inside the picture if they fit into it.

    Labels are placed in order; each takes the first of its positions that covers no earlier label. The positions are
    above the box, below it, inside at the top, inside at the bottom; each at the box's left edge, then at its right. If
    every position covers a label, the one that covers the fewest pixels is taken.

    Args:
        boxes_xyxy: in pixels.
        sizes_wh: of the labels, in pixels, one per box.
        picture_wh: in pixels.
    """
    taken: NDArray[np.int64] = np.zeros((len(boxes_xyxy), 4), np.int64)  # [N, 4] x1, y1, x2, y2
    for index, (box, (width, height)) in enumerate(zip(boxes_xyxy, sizes_wh, strict=True)):
        places = _places(box, (width, height), picture_wh)
        labels = [np.array((x, y, x + width, y + height), np.int64) for x, y in places]
        # min returns the first of equals: the preferred position that covers nothing, if there is one.
        taken[index] = min(labels, key=lambda label: _covered(label, taken[:index]))
    return [(int(x), int(y)) for x, y, _, _ in taken]


def _places(box_xyxy: Box, size_wh: tuple[int, int], picture_wh: tuple[int, int]) -> list[tuple[int, int]]:
    """Positions of a label, at least one; x is moved into the picture, and positions with y outside it are left out."""
    x1, y1, x2, y2 = (round(side) for side in box_xyxy)
    width, height = size_wh
    last_x, last_y = max(0, picture_wh[0] - width), max(0, picture_wh[1] - height)
    xs = [min(max(0, x), last_x) for x in (x1, x2 - width)]
    ys = [y for y in (y1 - height, y2, y1, y2 - height) if 0 <= y <= last_y] or [min(max(0, y1), last_y)]
    return [(x, y) for y in ys for x in xs]


def _covered(label_xyxy: NDArray[np.int64], others_xyxy: NDArray[np.int64]) -> int:
    """Pixels of the label that other labels [M, 4] cover; pixels below several labels count several times."""
    sides_wh = np.minimum(label_xyxy[2:], others_xyxy[:, 2:]) - np.maximum(label_xyxy[:2], others_xyxy[:, :2])  # [M, 2]
    return int(np.prod(np.maximum(sides_wh, 0), axis=1).sum())
