"""Where the labels of boxes are written, so that they cover each other no more than they must."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# x1, y1, x2, y2 in pixels.
Box = tuple[float, float, float, float]


def place_labels(
    boxes_xyxy: Sequence[Box], sizes_wh: Sequence[tuple[int, int]], *, picture_wh: tuple[int, int]
) -> list[tuple[int, int]]:
    """The upper left corner of each label, in pixels; the labels lie inside the picture if they fit into it.

    The first comes first: each takes the first of its places that covers no label before it. Above its box, below it,
    inside it at the top, inside at the bottom; each at the box's left edge, then at its right. Where every place is
    taken, the one that covers least.

    Args:
        boxes_xyxy: in pixels.
        sizes_wh: of the labels, in pixels, one a box.
        picture_wh: in pixels.
    """
    taken: NDArray[np.int64] = np.zeros((len(boxes_xyxy), 4), np.int64)  # [N, 4] x1, y1, x2, y2
    for index, (box, (width, height)) in enumerate(zip(boxes_xyxy, sizes_wh, strict=True)):
        places = _places(box, (width, height), picture_wh)
        labels = [np.array((x, y, x + width, y + height), np.int64) for x, y in places]
        # min takes the first of equals: a place that covers nothing, if there is one, in the order of preference.
        taken[index] = min(labels, key=lambda label: _covered(label, taken[:index]))
    return [(int(x), int(y)) for x, y, _, _ in taken]


def _places(box_xyxy: Box, size_wh: tuple[int, int], picture_wh: tuple[int, int]) -> list[tuple[int, int]]:
    """Corners to choose from, at least one; moved along x to lie inside the picture, left out where y does not."""
    x1, y1, x2, y2 = (round(side) for side in box_xyxy)
    width, height = size_wh
    last_x, last_y = max(0, picture_wh[0] - width), max(0, picture_wh[1] - height)
    xs = [min(max(0, x), last_x) for x in (x1, x2 - width)]
    ys = [y for y in (y1 - height, y2, y1, y2 - height) if 0 <= y <= last_y] or [min(max(0, y1), last_y)]
    return [(x, y) for y in ys for x in xs]


def _covered(label_xyxy: NDArray[np.int64], others_xyxy: NDArray[np.int64]) -> int:
    """Pixels of the label that lie on others, of shape [M, 4]; counted anew for each of them."""
    sides_wh = np.minimum(label_xyxy[2:], others_xyxy[:, 2:]) - np.maximum(label_xyxy[:2], others_xyxy[:, :2])  # [M, 2]
    return int(np.prod(np.maximum(sides_wh, 0), axis=1).sum())
