"""Masks of boxes: the probability of each box's own class over the box."""

from collections.abc import Sequence

from torch import Tensor, nn

from dirdet_export.graph.fused import Pooling
from dirdet_export.graph.pyramid import Atlas
from dirdet_export.graph.ragged import pick


class MaskHead(nn.Module):
    """Mask R-CNN's: one look, one head (ICCV 2017)."""

    def __init__(self, *, pooling: Pooling, head: nn.Module) -> None:
        """Keeps a detector's own head.

        Args:
            pooling: of the boxes' features.
            head: features [R, C, s, s] to logits [R, classes or 1, S, S].
        """
        super().__init__()
        self.pooling = pooling
        self.head = head

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor) -> Tensor:
        """Logits [B * N, classes or 1, S, S] of boxes [B, N, 4], pixels of the canvas."""
        return self.head(self.pooling(atlas, boxes_xyxy))


class MaskFlow(nn.Module):
    """HTC's: each stage's head adds what the one before saw, and the last one tells (CVPR 2019, section 3.1).

    MMDetection 2 averaged the stages; MMDetection 3 takes the last one's masks.
    """

    def __init__(self, *, pooling: Pooling, heads: Sequence[nn.Module]) -> None:
        """Keeps a detector's own heads.

        Args:
            pooling: of the boxes' features, one for all stages.
            heads: of each stage: features [R, C, s, s] and those of the stage before, or None, to logits
                [R, classes or 1, S, S] and its own features.
        """
        super().__init__()
        self.pooling = pooling
        self.heads = nn.ModuleList(heads)

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor) -> Tensor:
        """Logits [B * N, classes or 1, S, S] of boxes [B, N, 4], pixels of the canvas."""
        *earlier, last = self.heads
        pooled = self.pooling(atlas, boxes_xyxy)
        seen: Tensor | None = None
        for head in earlier:
            seen = head(pooled, seen, return_logits=False)
        return last(pooled, seen, return_feat=False)


class Masks(nn.Module):
    """Of each box the mask of its own class."""

    def __init__(self, *, heads: nn.Module, size: int, class_agnostic: bool) -> None:
        """Keeps what tells the masks.

        Args:
            heads: boxes to logits (`MaskHead`, `MaskFlow`).
            size: S, cells along each side of a mask.
            class_agnostic: one mask for each box, else one for each box and class.
        """
        super().__init__()
        self.heads = heads
        self.size = size
        self.class_agnostic = class_agnostic

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor, class_id: Tensor) -> Tensor:
        """Probabilities over boxes.

        Args:
            atlas: the pyramid.
            boxes_xyxy: [B, N, 4], pixels of the canvas.
            class_id: [B, N], integers from 0.

        Returns:
            [B, N, S, S] in 0..1, rows from a box's top.
        """
        logits = self.heads(atlas, boxes_xyxy).flatten(2)  # [B * N, classes or 1, S * S]
        if not self.class_agnostic:
            logits = pick(logits, class_id.reshape(-1, 1))  # [B * N, 1, S * S]
        batch, count = class_id.shape
        return logits.sigmoid().reshape(batch, count, self.size, self.size)
