"""The loop of hard NMS, compiled by Numba: finds the survivor that suppresses each box of a class."""

# As in `soft_kernel`, the inner loop has no branch, for LLVM's vectoriser. The arithmetic is torchvision's, step by
# step in float32 and never reordered, so that both keep exactly the same boxes.

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats, Indices = NDArray[np.float32], NDArray[np.int32]

ZERO = np.float32(0)
NOBODY = np.int32(-1)


@njit(cache=True, error_model="numpy")
def _claim(  # pragma: no cover - compiled
    box_xyxy: tuple[np.float32, np.float32, np.float32, np.float32],
    area: np.float32,
    x1: Floats,
    y1: Floats,
    x2: Floats,
    y2: Floats,
    areas: Floats,
    owners: Indices,
    owner: np.int32,
    threshold: np.float32,
) -> None:
    """Assigns to a survivor the free boxes that it overlaps above the threshold."""
    left, top, right, bottom = box_xyxy
    for index in range(len(owners)):
        width = max(ZERO, min(right, x2[index]) - max(left, x1[index]))
        height = max(ZERO, min(bottom, y2[index]) - max(top, y1[index]))
        shared = width * height
        # Two empty boxes have a NaN as IoU, which is above no threshold.
        covered = shared / (area + areas[index] - shared) > threshold
        owners[index] = owner if covered & (owners[index] < 0) else owners[index]


@njit(cache=True, error_model="numpy")
def suppress(  # pragma: no cover - compiled
    corners_xyxy: Floats, ends: NDArray[np.int64], threshold: np.float32
) -> Indices:
    """Applies greedy NMS.

    Args:
        corners_xyxy: [4, N], pixels, class by class, and within a class highest rank first.
        ends: [classes], where each class ends.
        threshold: a box is suppressed by one that it overlaps with an IoU above this.

    Returns:
        [N], the position of the survivor that suppressed each box; for a survivor, its own position.
    """
    owners = np.full(corners_xyxy.shape[1], NOBODY)
    start = 0
    for end in ends:
        # The row is taken first, because the compiler knows that a slice of a row is contiguous.
        x1, y1 = corners_xyxy[0][start:end], corners_xyxy[1][start:end]
        x2, y2 = corners_xyxy[2][start:end], corners_xyxy[3][start:end]
        areas = (x2 - x1) * (y2 - y1)
        own = owners[start:end]
        for index in range(end - start):
            if own[index] < 0:
                owner, behind = np.int32(start + index), index + 1
                own[index] = owner
                _claim(
                    (x1[index], y1[index], x2[index], y2[index]),
                    areas[index],
                    x1[behind:],
                    y1[behind:],
                    x2[behind:],
                    y2[behind:],
                    areas[behind:],
                    own[behind:],
                    owner,
                    threshold,
                )
        start = end
    return owners
