"""Implements mmcv's operator of Soft-NMS, which torchvision has no counterpart of, compiled by Numba."""

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]

# mmcv's numbers of the methods; 0 is hard NMS.
LINEAR, GAUSSIAN = 1, 2
ZERO, ONE = np.float32(0), np.float32(1)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    *,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Fills the first rows of dets [N, 5], boxes and decayed scores in the order of picking.

    Args:
        boxes: [N, 4], pixels.
        scores: [N].
        dets: [N, 5], filled in place.
        iou_threshold: of the linear and the hard decay.
        sigma: of the Gaussian decay.
        min_score: a box whose score falls below it is removed.
        method: mmcv's number of the decay.
        offset: added to widths and heights.

    Returns:
        The indices [K] of the rows.
    """
    corners = boxes.detach().numpy().astype(np.float32)
    sides = corners[:, 2:] - corners[:, :2] + np.float32(offset)
    order = np.arange(len(corners))
    rows = np.column_stack([corners, scores.detach().numpy(), sides.prod(1)]).astype(np.float32)  # [N, 6]
    settings = [np.float32(value) for value in (iou_threshold, sigma, min_score, offset)]
    count = _pick(rows, order, method, *settings)
    dets[:count] = torch.from_numpy(rows[:count, :5])
    return torch.from_numpy(order[:count])


@njit(cache=True, error_model="numpy")
def _pick(  # pragma: no cover - compiled
    rows: Floats,
    order: NDArray[np.int64],
    method: int,
    iou_threshold: np.float32,
    sigma: np.float32,
    min_score: np.float32,
    offset: np.float32,
) -> int:
    """Moves the best row to the front, lowers the other scores, and repeats; removed rows are replaced by the last.

    This is mmcv's loop, whose order of equal scores is the one after these moves.

    Args:
        rows: [N, 6], corners, score and area; changed in place.
        order: [N], the row's first index; changed in place.
        method: as in `softnms`, as are the other settings.
        iou_threshold: as above.
        sigma: as above.
        min_score: as above.
        offset: as above.

    Returns:
        K, how many rows are left.
    """
    count = len(rows)
    place = 0
    while place < count:
        best = place + np.argmax(rows[place:count, 4])
        for column in range(6):
            rows[place, column], rows[best, column] = rows[best, column], rows[place, column]
        order[place], order[best] = order[best], order[place]
        other = place + 1
        while other < count:
            width = min(rows[place, 2], rows[other, 2]) - max(rows[place, 0], rows[other, 0]) + offset
            height = min(rows[place, 3], rows[other, 3]) - max(rows[place, 1], rows[other, 1]) + offset
            shared = max(ZERO, width) * max(ZERO, height)
            iou = shared / (rows[place, 5] + rows[other, 5] - shared)
            weight = ONE
            if method == GAUSSIAN:
                weight = np.exp(-(iou * iou) / sigma)
            elif iou >= iou_threshold:
                weight = ONE - iou if method == LINEAR else ZERO
            rows[other, 4] *= weight
            if rows[other, 4] < min_score:
                count -= 1
                rows[other] = rows[count]
                order[other] = order[count]
            else:
                other += 1
        place += 1
    return count
