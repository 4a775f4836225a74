"""Proposals from objectness and deltas: the RPN's part of the RoI stage."""

import torch
from torch import Tensor, nn

from dirdet_export.graph.boxes import BoxDecoder, anchors_at
from dirdet_export.graph.ragged import longest, pick, top
from dirdet_export.graph.suppress import ABSENT, suppress


class Proposals(nn.Module):
    """The best anchors of each level, decoded, and of these the best after NMS within each level."""

    iou_threshold: Tensor

    def __init__(
        self,
        *,
        base_anchors: list[Tensor],
        strides_wh: list[tuple[int, int]],
        decoder: BoxDecoder,
        per_level: int | None,
        keep: int,
        iou_threshold: float,
        min_side: float | None,
    ) -> None:
        """Keeps the RPN's settings.

        Args:
            base_anchors: [A, 4] of each level, pixels.
            strides_wh: pixels between the anchors of each level.
            decoder: of the RPN's deltas.
            per_level: anchors of a level that go on (MMDetection's nms_pre); None for all.
            keep: K, proposals of a picture.
            iou_threshold: of the NMS.
            min_side: boxes whose width or height is not above this are dropped, pixels; None for none.
        """
        super().__init__()
        self.strides_wh = strides_wh
        self.decoder = decoder
        self.per_level = per_level
        self.keep = keep
        self.min_side = min_side
        for number, anchors in enumerate(base_anchors):
            self.register_buffer(f"base_anchors_{number}", anchors.detach().clone(), persistent=False)
        self.register_buffer("iou_threshold", torch.tensor(iou_threshold), persistent=False)

    def _level(self, number: int, objectness: Tensor, deltas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores [B, k], anchors [B, k, 4] and deltas [B, k, 4] of a level's best anchors."""
        batch, _, _, grid_width = objectness.shape
        # The probability, not the logit: where it saturates, the order among equals is MMDetection's.
        flat = objectness.permute(0, 2, 3, 1).reshape(batch, -1).sigmoid()  # [B, H * W * A]
        scores, index = top(flat, self.per_level)
        table = deltas.permute(0, 2, 3, 1).reshape(batch, -1, 4)  # [B, H * W * A, 4]
        base = self.get_buffer(f"base_anchors_{number}")
        anchors = anchors_at(index, base, grid_width=grid_width, stride_wh=self.strides_wh[number])
        return scores, anchors, pick(table, index)

    def forward(self, objectness: list[Tensor], deltas: list[Tensor], picture_hw: Tensor) -> tuple[Tensor, Tensor]:
        """Proposals of each picture, best first.

        Args:
            objectness: logits [B, A, H_l, W_l] of every level.
            deltas: [B, 4 * A, H_l, W_l] of every level.
            picture_hw: [B, 2], integers, the part of each canvas that is picture.

        Returns:
            Boxes [B, N, 4] in pixels of the canvas and which of them are real [B, N]; N is at most K and as small as
            the fullest picture allows, but at least 1. The others are zero boxes.
        """
        levels = [self._level(number, *maps) for number, maps in enumerate(zip(objectness, deltas, strict=True))]
        scores = torch.cat([level[0] for level in levels], dim=1)  # [B, S]
        group = torch.cat([torch.full_like(level[0], n, dtype=torch.int64) for n, level in enumerate(levels)], dim=1)
        boxes = self.decoder(
            torch.cat([level[1] for level in levels], dim=1),
            torch.cat([level[2] for level in levels], dim=1),
            picture_hw,
        )  # [B, S, 4]
        valid = torch.ones_like(scores, dtype=torch.bool)
        if self.min_side is not None:
            valid = ((boxes[..., 2:] - boxes[..., :2]) > self.min_side).all(-1)  # [B, S]
        survives = suppress(boxes, scores, group, valid, self.iou_threshold, groups=len(levels), limit=self.keep)
        best, index = top(torch.where(survives, scores, ABSENT), self.keep)
        real = best > ABSENT / 2  # [B, N]
        used = longest(real)
        real = real[:, :used]
        return pick(boxes, index[:, :used]) * real.unsqueeze(-1), real
