"""Boxes from anchors and regression deltas, as in MMDetection's coder and anchor generator."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

# MMDetection's usual bound on the ratio of a box's sides to those of its base (its `wh_ratio_clip`).
LEAST_RATIO = 16 / 1000


class BoxDecoder(nn.Module):
    """Applies deltas (dx, dy, dw, dh) to base boxes, as DeltaXYWHBBoxCoder and LegacyDeltaXYWHBBoxCoder decode."""

    means: Tensor
    stds: Tensor
    # Values of a box.
    width: int = 4

    def __init__(
        self,
        *,
        means: list[float],
        stds: list[float],
        clip: bool = True,
        added: int = 0,
        least_ratio: float = LEAST_RATIO,
    ) -> None:
        """Takes the normalisation of the deltas in training.

        Args:
            means: four means of (dx, dy, dw, dh).
            stds: four standard deviations.
            clip: clip boxes to the picture.
            added: pixels; 1 where a box of MMDetection 1 includes its last pixel.
            least_ratio: smallest ratio of a box's side to that of its base; the largest is its inverse.
        """
        super().__init__()
        self.clip = clip
        self.added = added
        self.least_ratio = least_ratio
        # Buffers, not numbers: they move with the module to another device; a traced constant does not.
        self.register_buffer("means", torch.tensor(means, dtype=torch.float32), persistent=False)
        self.register_buffer("stds", torch.tensor(stds, dtype=torch.float32), persistent=False)

    def forward(self, boxes_xyxy: Tensor, deltas: Tensor, picture_hw: Tensor) -> Tensor:
        """Boxes [B, N, 4] in pixels of the canvas; inside the picture if `clip`.

        Args:
            boxes_xyxy: [B, N, 4], pixels of the canvas.
            deltas: [B, N, 4], normalised.
            picture_hw: [B, 2], integers, size of the picture on each canvas.
        """
        scaled = deltas * self.stds + self.means  # [B, N, 4]
        centres = (boxes_xyxy[..., :2] + boxes_xyxy[..., 2:]) * 0.5  # [B, N, 2]
        sides = boxes_xyxy[..., 2:] - boxes_xyxy[..., :2] + self.added  # [B, N, 2]
        centres = centres + sides * scaled[..., :2]
        limit = -math.log(self.least_ratio)
        sides = sides * scaled[..., 2:].clamp(min=-limit, max=limit).exp()
        boxes = torch.cat([centres - sides * 0.5, centres + sides * 0.5], dim=-1)  # [B, N, 4]
        if not self.clip:
            return boxes
        last_wh = picture_hw.flip(1).to(boxes.dtype) - self.added  # [B, 2]
        last = torch.cat([last_wh, last_wh], dim=1).unsqueeze(1)  # [B, 1, 4]
        return torch.minimum(boxes.clamp(min=0), last)

    def ranked(self, scores: Tensor, deltas: Tensor) -> Tensor:  # noqa: ARG002 - as of other decoders
        """What ranks candidates: the scores [B, P, classes] themselves."""
        return scores


def anchors_at(index: Tensor, base_anchors: Tensor, *, grid_width: int | Tensor, stride_wh: Sequence[int]) -> Tensor:
    """Anchors by their index in a level's grid; the anchor varies fastest, then the column, then the row.

    Only the chosen anchors are computed, so that the exported graph has no table for a fixed canvas.

    Args:
        index: [...] in 0..rows*columns*A-1.
        base_anchors: [A, 4], pixels, around the grid's first point.
        grid_width: columns of the grid.
        stride_wh: pixels between columns and between rows.

    Returns:
        [..., 4], pixels of the canvas.
    """
    cell = torch.div(index, base_anchors.shape[0], rounding_mode="trunc")
    column = cell % grid_width
    row = torch.div(cell, grid_width, rounding_mode="trunc")
    x = (column * stride_wh[0]).to(base_anchors.dtype)
    y = (row * stride_wh[1]).to(base_anchors.dtype)
    return base_anchors[index % base_anchors.shape[0]] + torch.stack([x, y, x, y], dim=-1)
