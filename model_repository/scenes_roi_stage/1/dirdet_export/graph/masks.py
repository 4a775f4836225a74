"""Masks of boxes: over each box the probability of its class, and of no other."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dirdet_export.graph.heads import FlowHead
from dirdet_export.graph.other_poolings import Pooling
from dirdet_export.graph.pyramid import Atlas


def logits_of(head: nn.Sequential, features: Tensor, class_id: Tensor) -> Tensor:
    """Logits [R, S * S] of one class for each box.

    Args:
        head: features [R, C, s, s] to logits [R, classes or 1, S, S]; its last layer is a convolution of one pixel.
        features: [R, C, s, s].
        class_id: [R], integers from 0; all 0 for a head without classes.
    """
    seen = features
    *layers, last = list(head)
    for layer in layers:
        seen = layer(seen)
    rows = cast(nn.Conv2d, last).weight.flatten(1).index_select(0, class_id)  # [R, C]
    logits = torch.matmul(rows.unsqueeze(1), seen.flatten(2)).squeeze(1)  # [R, S * S]
    bias = cast(nn.Conv2d, last).bias
    return logits if bias is None else logits + bias.index_select(0, class_id).unsqueeze(1)


class MaskHead(nn.Module):
    """Mask head of Mask R-CNN: one pooling and one head (ICCV 2017)."""

    def __init__(self, *, pooling: Pooling, head: nn.Sequential) -> None:
        """Takes the parts of a detector.

        Args:
            pooling: of the boxes' features.
            head: as in `logits_of`.
        """
        super().__init__()
        self.pooling = pooling
        self.head = head

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor, class_id: Tensor) -> list[Tensor]:
        """The logits [B * N, S * S] of boxes [B, N, 4], pixels of the canvas, and classes [B * N]."""
        return [logits_of(self.head, self.pooling(atlas, boxes_xyxy), class_id)]


class RelayedMaskHead(MaskHead):
    """Mask head of SCNet, which adds features of the last box head (AAAI 2021, section 3.3)."""

    def __init__(
        self,
        *,
        pooling: Pooling,
        head: nn.Sequential,
        box_pooling: Pooling,
        box_layers: nn.Sequential,
        relay: nn.Sequential,
        side: int,
    ) -> None:
        """Takes the parts of a detector.

        Args:
            pooling: as of `MaskHead`.
            head: as of `MaskHead`.
            box_pooling: of the box head's features.
            box_layers: the box head's first layers, of features [R, C, s, s].
            relay: their output to [R, C * side * side].
            side: of what is relayed, before it is stretched to the size of the mask's features.
        """
        super().__init__(pooling=pooling, head=head)
        self.box_pooling = box_pooling
        self.box_layers = box_layers
        self.relay = relay
        self.side = side

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor, class_id: Tensor) -> list[Tensor]:
        """The logits [B * N, S * S] of boxes [B, N, 4], pixels of the canvas, and classes [B * N]."""
        features = self.pooling(atlas, boxes_xyxy)
        told = self.relay(self.box_layers(self.box_pooling(atlas, boxes_xyxy)))
        told = told.reshape(-1, features.shape[1], self.side, self.side)
        size = self.pooling.output_size
        told = functional.interpolate(told, size=(size, size), mode="bilinear", align_corners=True)
        return [logits_of(self.head, features + told, class_id)]


class MaskVotes(nn.Module):
    """Mask heads of Cascade Mask R-CNN, whose probabilities are averaged (TPAMI 2019, section 5)."""

    def __init__(self, *, pooling: Pooling, heads: Sequence[nn.Sequential]) -> None:
        """Takes the parts of a detector.

        Args:
            pooling: of the boxes' features, shared by all stages.
            heads: of the stages, as in `logits_of`.
        """
        super().__init__()
        self.pooling = pooling
        self.heads = nn.ModuleList(heads)

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor, class_id: Tensor) -> list[Tensor]:
        """Each stage's logits [B * N, S * S] of boxes [B, N, 4], pixels of the canvas, and classes [B * N]."""
        pooled = self.pooling(atlas, boxes_xyxy)
        return [logits_of(cast(nn.Sequential, head), pooled, class_id) for head in self.heads]


class MaskFlow(nn.Module):
    """Mask heads of HTC: each adds the previous one's features, and the last one predicts (CVPR 2019, section 3.1).

    MMDetection 2 averaged the stages' masks; MMDetection 3 uses the last stage's.
    """

    def __init__(self, *, pooling: Pooling, heads: Sequence[FlowHead], tell: nn.Sequential) -> None:
        """Takes the parts of a detector.

        Args:
            pooling: of the boxes' features, shared by all stages.
            heads: of the stages, in order.
            tell: the last stage's features to logits, as in `logits_of`.
        """
        super().__init__()
        self.pooling = pooling
        self.heads = nn.ModuleList(heads)
        self.tell = tell

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor, class_id: Tensor) -> list[Tensor]:
        """The logits [B * N, S * S] of boxes [B, N, 4], pixels of the canvas, and classes [B * N]."""
        pooled = self.pooling(atlas, boxes_xyxy)
        seen: Tensor | None = None
        for head in self.heads:
            seen = head(pooled, seen)
        return [logits_of(self.tell, cast(Tensor, seen), class_id)]


class Masks(nn.Module):
    """For each box the mask of its class."""

    def __init__(self, *, heads: nn.Module, size: int, class_agnostic: bool) -> None:
        """Takes the mask heads.

        Args:
            heads: boxes to lists of logits, whose probabilities are averaged (`MaskHead`, `MaskVotes`, `MaskFlow`).
            size: S, cells along each side of a mask.
            class_agnostic: one mask per box, else one per box and class.
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
        rows = class_id.flatten()
        votes: list[Tensor] = self.heads(atlas, boxes_xyxy, rows * 0 if self.class_agnostic else rows)
        total = votes[0].sigmoid()
        for logits in votes[1:]:
            total = total + logits.sigmoid()
        batch, count = class_id.shape
        return (total / len(votes)).reshape(batch, count, self.size, self.size)
