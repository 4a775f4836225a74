"""Masks of what can be seen: their boxes, and when too little is left of an object."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

LEAST_VISIBLE: Final = 0.25
_FEWEST_PX: Final = 60
_SHORTEST_SIDE_PX: Final = 6


def box_xywh(mask: Mask) -> tuple[int, int, int, int]:
    """The tightest box around a mask [H, W] with at least one pixel: left, top, width, height in pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top


def shows_enough(mask: Mask, whole_px: int) -> bool:
    """Whether an object can still be told: a quarter of its pixels and a box that is no sliver.

    Args:
        mask: what is seen of it, [H, W].
        whole_px: how many pixels would be seen without occlusion and truncation.
    """
    if np.count_nonzero(mask) < max(LEAST_VISIBLE * whole_px, _FEWEST_PX):
        return False
    return min(box_xywh(mask)[2:]) >= _SHORTEST_SIDE_PX
