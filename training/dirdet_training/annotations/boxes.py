"""Finds boxes with errors: pure functions over arrays."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# A box that reaches less than this many pixels out of the picture was rounded: YOLO's files have six decimals, and
# pictures may be 10,000 px wide.
ROUNDING_PX = 0.01


def not_finite(boxes_xywh: Floats) -> Bools:
    """Marks boxes [N, 4] that hold a NaN or an infinity: [N]."""
    return _any(~np.isfinite(boxes_xywh))


def without_area(boxes_xywh: Floats) -> Bools:
    """Marks boxes [N, 4] whose width or height is zero or less: [N]."""
    return _any(boxes_xywh[:, 2:] <= 0)


def thin(boxes_xywh: Floats) -> Bools:
    """Marks boxes [N, 4] that have an area but are less than a pixel wide or high: [N]."""
    return _any(boxes_xywh[:, 2:] < 1) & ~without_area(boxes_xywh)


def outside(boxes_xywh: Floats, sizes_wh: Floats) -> Bools:
    """Marks boxes [N, 4] that do not overlap their pictures of sizes [N, 2]: [N]."""
    return _any(_inside_wh(boxes_xywh, sizes_wh) <= 0)


def reaching_out(boxes_xywh: Floats, sizes_wh: Floats) -> Bools:
    """Marks boxes [N, 4] that lie partly inside and partly outside their pictures of sizes [N, 2]: [N]."""
    x1y1, x2y2 = boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]
    reach = _any(x1y1 < -ROUNDING_PX) | _any(x2y2 > sizes_wh + ROUNDING_PX)
    return reach & ~outside(boxes_xywh, sizes_wh)


def _any(masks: Bools) -> Bools:
    """Marks rows of [N, K] that hold a true value: [N]."""
    return np.asarray(masks.any(axis=1), np.bool_)


def _inside_wh(boxes_xywh: Floats, sizes_wh: Floats) -> Floats:
    """Computes width and height of the part of each box inside its picture, negative if there is none: [N, 2]."""
    x2y2 = boxes_xywh[:, :2] + boxes_xywh[:, 2:]
    return np.minimum(x2y2, sizes_wh) - np.maximum(boxes_xywh[:, :2], 0)
