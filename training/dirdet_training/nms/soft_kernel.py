"""The loop of Soft-NMS, compiled by Numba: some hundred picks, each of which lowers every box of the class."""

# The loops are written for LLVM's vectoriser, which gives the speed: no branches, over contiguous arrays that stay in
# place. It vectorises a maximum of integers, but not of floats. Floats that are not negative have the order of the
# integers with the same bits. A negative float is a negative integer, which is below every remaining key.

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats, Bits, Places = NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]

# The compiler may reorder arithmetic, and may assume that no value is infinite or NaN.
FAST = {"nnan", "ninf", "nsz", "reassoc", "contract"}
ZERO, ONE, TINY = np.float32(0), np.float32(1), np.float32(1e-30)
GONE = np.float32(-1)
# Removed boxes are packed away after this many picks, or an eighth of the boxes; packing costs as much as a few picks.
PACKED_AFTER, PACKED_PART = 32, 8


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _decay(  # pragma: no cover - compiled
    picked: int,
    x1: Floats,
    y1: Floats,
    x2: Floats,
    y2: Floats,
    areas: Floats,
    keys: Floats,
    gaussian: bool,
    by: np.float32,
) -> None:
    """Lowers the keys of all boxes by their IoU with a picked box, in place; two empty boxes have an IoU of 0."""
    left, top, right, bottom, area = x1[picked], y1[picked], x2[picked], y2[picked], areas[picked]
    for index in range(len(keys)):
        width = max(ZERO, min(right, x2[index]) - max(left, x1[index]))
        height = max(ZERO, min(bottom, y2[index]) - max(top, y1[index]))
        shared = width * height
        iou = shared / max(area + areas[index] - shared, TINY)
        if gaussian:
            keys[index] -= iou * iou * by
        else:
            keys[index] *= ONE - iou if iou >= by else ONE


@njit(cache=True)
def _highest(bits: Bits) -> np.int32:  # pragma: no cover - compiled
    """Returns the greatest of the integers."""
    best = bits[0]
    for index in range(len(bits)):
        best = max(best, bits[index])
    return best


@njit(cache=True)
def _first(bits: Bits, wanted: np.int32) -> int:  # pragma: no cover - compiled
    """Returns the first position of an integer that occurs."""
    index = 0
    while bits[index] != wanted:
        index += 1
    return index


@njit(cache=True)
def _pack(  # pragma: no cover - compiled
    bits: Bits, lowest: np.int32, x1: Floats, y1: Floats, x2: Floats, y2: Floats, areas: Floats, places: Places
) -> int:
    """Moves the boxes that can still be picked to the front of all arrays, in their order, and returns their number."""
    count = 0
    for index in range(len(bits)):
        if bits[index] >= lowest:
            bits[count], places[count], areas[count] = bits[index], places[index], areas[index]
            x1[count], y1[count], x2[count], y2[count] = x1[index], y1[index], x2[index], y2[index]
            count += 1
    return count


@njit(cache=True)
def pick(  # pragma: no cover - compiled
    corners_xyxy: Floats,
    keys: Floats,
    ends: NDArray[np.int64],
    gaussian: bool,
    setting: np.float32,
    min_key: np.float32,
) -> Floats:
    """Picks the highest key of each class, lowers the other keys by their IoU with that box, and repeats.

    Args:
        corners_xyxy: [4, N], pixels, class by class; overwritten.
        keys: [N], scores or, with `gaussian`, logarithms of scores relative to that of the lowest allowed score;
            overwritten.
        ends: [classes], where each class ends.
        gaussian: whether the decay is Gaussian.
        setting: the linear decay's IoU threshold, or the Gaussian's 1 / sigma.
        min_key: the lowest key that is picked, not negative.

    Returns:
        [N], the key with which each box was picked; -1 if it was never picked.
    """
    picked = np.full(len(keys), GONE)
    lowest = np.full(1, min_key).view(np.int32)[0]
    start = 0
    for end in ends:
        # The row is taken first, because the compiler knows that a slice of a row is contiguous.
        x1, y1 = corners_xyxy[0][start:end], corners_xyxy[1][start:end]
        x2, y2 = corners_xyxy[2][start:end], corners_xyxy[3][start:end]
        areas = np.maximum(x2 - x1, ZERO) * np.maximum(y2 - y1, ZERO)
        left, places = keys[start:end], np.arange(start, end)
        while len(left):
            bits = left.view(np.int32)
            for _ in range(max(PACKED_AFTER, len(left) // PACKED_PART)):
                best = _highest(bits)
                if best < lowest:
                    break
                index = _first(bits, best)
                picked[places[index]] = left[index]
                left[index] = GONE
                _decay(index, x1, y1, x2, y2, areas, left, gaussian, setting)
            count = _pack(bits, lowest, x1, y1, x2, y2, areas, places)
            left, places, areas = left[:count], places[:count], areas[:count]
            x1, y1, x2, y2 = x1[:count], y1[:count], x2[:count], y2[:count]
        start = end
    return picked
