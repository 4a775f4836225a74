"""Proposals from objectness and deltas: the RPN's part of the RoI stage."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dirdet_export.graph.boxes import BoxDecoder, anchors_at
from dirdet_export.graph.padded_nms import ABSENT, ONE_BY_ONE, Steps
from dirdet_export.graph.padded_rows import pick, top


class Proposals(nn.Module):
    """Decodes the best anchors of each level, and selects the best after an NMS within each level."""

    iou_threshold: Tensor
    # Predicted values of an anchor.
    width: int = 4

    def __init__(
        self,
        *,
        base_anchors: Sequence[Tensor | list[list[float]]],
        strides_wh: Sequence[Sequence[int]],
        decoder: BoxDecoder,
        per_level: int | None,
        keep: int,
        iou_threshold: float,
        min_side: float | None,
    ) -> None:
        """Takes the RPN's settings.

        Args:
            base_anchors: [A, 4] of each level, pixels.
            strides_wh: pixels between the anchors of each level.
            decoder: of the RPN's deltas.
            per_level: best anchors per level that are decoded (MMDetection's nms_pre); None for all.
            keep: K, largest number of proposals per picture.
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
            told = torch.as_tensor(anchors, dtype=torch.float32)
            self.register_buffer(f"base_anchors_{number}", told.detach().clone(), persistent=False)
        self.register_buffer("iou_threshold", torch.tensor(iou_threshold), persistent=False)

    @property
    def base_anchors(self) -> list[Tensor]:
        """[A, 4] of each level, pixels."""
        return [self.get_buffer(f"base_anchors_{number}") for number in range(len(self.strides_wh))]

    def _level(self, number: int, objectness: Tensor, deltas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores [B, k], anchors [B, k, 4] and predicted values [B, k, width] of a level's best anchors."""
        batch, _, _, grid_width = objectness.shape
        # The probability, not the logit: if it saturates, the order of equal values is MMDetection's.
        flat = objectness.permute(0, 2, 3, 1).reshape(batch, -1).sigmoid()  # [B, H * W * A]
        scores, index = top(flat, self.per_level)
        table = deltas.permute(0, 2, 3, 1).reshape(batch, -1, self.width)  # [B, H * W * A, width]
        anchors = anchors_at(index, self.base_anchors[number], grid_width=grid_width, stride_wh=self.strides_wh[number])
        return scores, anchors, pick(table, index)

    def decoded(self, anchors_xyxy: Tensor, values: Tensor, picture_hw: Tensor) -> Tensor:
        """Boxes [B, S, 4] of anchors [B, S, 4], pixels of the canvas, and their predicted values [B, S, width]."""
        return self.decoder(anchors_xyxy, values, picture_hw)

    def anchored(self, scores: Tensor) -> Tensor:
        """Whether there is an anchor for each score: [B, S], boolean."""
        return torch.ones_like(scores, dtype=torch.bool)

    def forward(
        self, objectness: list[Tensor], deltas: list[Tensor], picture_hw: Tensor, steps: Steps = ONE_BY_ONE
    ) -> tuple[Tensor, Tensor]:
        """Proposals of each picture, best first.

        Args:
            objectness: logits [B, A, H_l, W_l] of every level.
            deltas: [B, width * A, H_l, W_l] of every level.
            picture_hw: [B, 2], integers, size of the picture on each canvas.
            steps: how boxes are suppressed.

        Returns:
            Boxes [B, N, 4] in pixels of the canvas, and booleans [B, N] that are false for padding (zero boxes). N is
            at least 1 and at most K.
        """
        levels = [self._level(number, *maps) for number, maps in enumerate(zip(objectness, deltas, strict=True))]
        scores = torch.cat([level[0] for level in levels], dim=1)  # [B, S]
        group = torch.cat([torch.full_like(level[0], n, dtype=torch.int64) for n, level in enumerate(levels)], dim=1)
        boxes = self.decoded(
            torch.cat([level[1] for level in levels], dim=1),
            torch.cat([level[2] for level in levels], dim=1),
            picture_hw,
        )  # [B, S, 4]
        valid = self.anchored(scores)
        if self.min_side is not None:
            valid = valid & ((boxes[..., 2:] - boxes[..., :2]) > self.min_side).all(-1)  # [B, S]
        survives = steps.suppress(
            boxes,
            scores,
            group,
            valid,
            self.iou_threshold,
            groups=len(levels),
            limit=self.keep,
            runs=[level[0].shape[1] for level in levels],
        )
        best, index = top(torch.where(survives, scores, ABSENT), self.keep)
        real = best > ABSENT / 2  # [B, N]
        used = steps.used(real)
        real = real[:, :used]
        return pick(boxes, index[:, :used]) * real.unsqueeze(-1), real
