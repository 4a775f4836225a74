"""Compares the masks of both sides pixel by pixel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dirdet.detection.masks import spread
from dirdet.engines.tensors import Candidates

Bools = NDArray[np.bool_]

# Probabilities of both sides may differ by this much: a pixel this close to the threshold may be inside or outside.
NEAR_THRESHOLD = 0.01
# Pixels that may differ besides: rounding moves a box by hundredths of a pixel, and its mask with it. Of a mask of two
# pixels, one is half.
BORDER_PIXELS = 1


@dataclass(frozen=True, slots=True)
class MaskPixels:
    """A mask on a part of its canvas; the rest is empty.

    Attributes:
        inside: [h, w], booleans.
        doubtful: [h, w], whether the probability is within the tolerance of the threshold; false if it is unknown.
        left: column of the canvas in which the part begins.
        top: row in which it begins.
    """

    inside: Bools
    doubtful: Bools
    left: int
    top: int

    def on(self, canvas_hw: tuple[int, int]) -> tuple[Bools, Bools]:
        """The values of `inside` and `doubtful` on the top left [H, W] pixels of the canvas."""
        height, width = canvas_hw
        rows, columns = slice(self.top, self.top + len(self.inside)), slice(self.left, self.left + self.inside.shape[1])
        inside, doubtful = np.zeros((height, width), np.bool_), np.zeros((height, width), np.bool_)
        inside[rows, columns], doubtful[rows, columns] = self.inside, self.doubtful
        return inside, doubtful

    @property
    def corner_hw(self) -> tuple[int, int]:
        """Row and column after the part's last pixel."""
        return self.top + self.inside.shape[0], self.left + self.inside.shape[1]


def mask_by_mmdet(mask: Any) -> MaskPixels:  # noqa: ANN401  (a tensor)
    """A mask [H, W] from MMDetection, cut to its pixels."""
    pixels: Bools = mask.numpy()
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    if not len(rows):
        return MaskPixels(np.zeros((0, 0), np.bool_), np.zeros((0, 0), np.bool_), 0, 0)
    inside = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return MaskPixels(inside, np.zeros_like(inside), int(columns[0]), int(rows[0]))


def masks_by_engine(
    answer: Candidates, index: int, *, picture_hw: tuple[int, int], threshold: float | None
) -> list[MaskPixels] | None:
    """Masks of one canvas's detections, resampled as in the server; None from a detector without masks.

    Args:
        answer: of the engine.
        index: which canvas.
        picture_hw: size of the picture on the canvas.
        threshold: a pixel is inside if its probability is at least this.
    """
    if answer.mask is None or threshold is None:
        return None
    masks: list[MaskPixels] = []
    for position, candidate in enumerate(answer.kept[index, : answer.num_detections[index]]):
        patch = spread(answer.mask[index, position], answer.boxes_xyxy[index, candidate], picture_hw)
        doubtful = np.abs(patch.probability - threshold) <= NEAR_THRESHOLD
        masks.append(MaskPixels(patch.probability >= np.float32(threshold), doubtful, patch.left, patch.top))
    return masks


def mask_difference(one: MaskPixels, other: MaskPixels) -> float:
    """1 - IoU of two masks, where doubtful pixels count as equal; 0 of two empty ones, or if BORDER_PIXELS differ."""
    corner = (max(one.corner_hw[0], other.corner_hw[0]), max(one.corner_hw[1], other.corner_hw[1]))
    (inside, doubtful), (inside_other, doubtful_other) = one.on(corner), other.on(corner)
    differ = (inside != inside_other) & ~doubtful & ~doubtful_other
    count = int(differ.sum())
    return 0.0 if count <= BORDER_PIXELS else float(count / max(1, (inside | inside_other).sum()))
