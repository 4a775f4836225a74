"""Masks of both sides, pixel by pixel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dirdet.masks import spread
from dirdet.tensors import Candidates

Bools = NDArray[np.bool_]

# Probabilities of both sides may differ by as much: so near to the threshold a pixel may fall either way.
NEAR_THRESHOLD = 0.01


@dataclass(frozen=True, slots=True)
class MaskPixels:
    """A mask on a part of its canvas; it is empty elsewhere.

    Attributes:
        inside: [h, w].
        doubtful: [h, w] whose probability lies at the threshold; what is not known is not doubtful.
        left: column of the canvas in which the part begins.
        top: row in which it begins.
    """

    inside: Bools
    doubtful: Bools
    left: int
    top: int

    def on(self, canvas_hw: tuple[int, int]) -> tuple[Bools, Bools]:
        """What is inside and what is doubtful, on the canvas's first pixels [H, W]."""
        height, width = canvas_hw
        rows, columns = slice(self.top, self.top + len(self.inside)), slice(self.left, self.left + self.inside.shape[1])
        inside, doubtful = np.zeros((height, width), np.bool_), np.zeros((height, width), np.bool_)
        inside[rows, columns], doubtful[rows, columns] = self.inside, self.doubtful
        return inside, doubtful

    @property
    def corner_hw(self) -> tuple[int, int]:
        """Row and column after the part's last ones."""
        return self.top + self.inside.shape[0], self.left + self.inside.shape[1]


def mask_by_mmdet(mask: Any) -> MaskPixels:  # noqa: ANN401  (a tensor)
    """A mask [H, W] that MMDetection pasted; only what holds pixels is kept."""
    pixels: Bools = mask.numpy()
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    if not len(rows):
        return MaskPixels(np.zeros((0, 0), np.bool_), np.zeros((0, 0), np.bool_), 0, 0)
    inside = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return MaskPixels(inside, np.zeros_like(inside), int(columns[0]), int(rows[0]))


def masks_by_engine(
    answer: Candidates, index: int, *, picture_hw: tuple[int, int], threshold: float | None
) -> list[MaskPixels] | None:
    """Masks of one canvas's detections, as the server spreads them; None from a detector without.

    Args:
        answer: of the engine.
        index: which canvas.
        picture_hw: the part of it that is picture.
        threshold: a pixel is inside where its probability reaches it.
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
    """1 - IoU of two masks, where doubtful pixels agree with either; 0 of two empty ones."""
    corner = (max(one.corner_hw[0], other.corner_hw[0]), max(one.corner_hw[1], other.corner_hw[1]))
    (inside, doubtful), (inside_other, doubtful_other) = one.on(corner), other.on(corner)
    differ = (inside != inside_other) & ~doubtful & ~doubtful_other
    return float(differ.sum() / max(1, (inside | inside_other).sum()))
