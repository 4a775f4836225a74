"""Converts masks over boxes, as the network predicts them, to masks of the picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dirdet.detection.rle import Bools, Rle, encode

Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Patch:
    """A mask on a part of its picture; the rest of the picture is empty.

    Attributes:
        probability: [h, w] in 0..1, of each pixel's centre.
        left: column of the picture in which the part begins.
        top: row in which it begins.
    """

    probability: Singles
    left: int
    top: int


def spread(probability: Singles, box_xyxy: ArrayLike, picture_hw: tuple[int, int]) -> Patch:
    """Spreads a mask over its box: bilinear between the centres of its cells, zero outside.

    Computes the same as MMDetection's `_do_paste_mask`, in float32 as there.

    Args:
        probability: [S, S] in 0..1, rows from the box's top.
        box_xyxy: [4], pixels of the picture.
        picture_hw: its height and width, pixels.
    """
    x1, y1, x2, y2 = np.asarray(box_xyxy, np.float32)
    height, width = picture_hw
    left, top = max(int(np.floor(x1)) - 1, 0), max(int(np.floor(y1)) - 1, 0)
    right, bottom = min(int(np.ceil(x2)) + 1, width), min(int(np.ceil(y2)) + 1, height)
    across = _weights(left, right, x1, x2, probability.shape[1])  # [w, S]
    down = _weights(top, bottom, y1, y2, probability.shape[0])  # [h, S]
    # Column-major, as run lengths run along columns.
    spread_out = np.asarray((across @ (probability.T @ down.T)).T, np.float32)  # [h, w]
    return Patch(spread_out, left, top)


def paste(probability: Singles, box_xyxy: ArrayLike, picture_hw: tuple[int, int], *, threshold: float) -> Rle:
    """The pixels of a picture that belong to an object.

    Args:
        probability: [S, S] in 0..1, rows from the box's top.
        box_xyxy: [4], pixels of the picture.
        picture_hw: its height and width, pixels.
        threshold: a pixel belongs to the object if its probability is at least this.
    """
    patch = spread(probability, box_xyxy, picture_hw)
    inside: Bools = patch.probability >= np.float32(threshold)
    return encode(inside, left=patch.left, top=patch.top, picture_hw=picture_hw)


def _weights(begin: int, end: int, low: np.float32, high: np.float32, cells: int) -> Singles:
    """Weight of each of a box's cells for each pixel from `begin` to `end` along one axis: [w, cells]."""
    centres = np.arange(begin, end, dtype=np.float32) + np.float32(0.5)  # [w]
    with np.errstate(all="ignore"):  # for boxes of zero or almost zero width
        place = (centres - low) / (high - low) * 2 - 1  # -1..1 across the box
        # For a box of zero width MMDetection uses the box's centre for the adjacent pixels.
        place[np.isinf(place)] = 0
        cell = ((place + 1) * cells - 1) / 2  # [w], 0 at the first cell's centre
        distance = np.abs(cell[:, None] - np.arange(cells, dtype=np.float32))
    return np.nan_to_num(np.clip(1 - distance, 0, None))
