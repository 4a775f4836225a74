"""The RPN head of Guided Anchoring, a part of the trunk."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dirdet_export.graph.deformable import DeformableConv

# The logit of places without an anchor: its probability is exactly 0, also in float16.
NOWHERE = -1e4


class GuidedHead(nn.Module):
    """Predicts where there are anchors, their shapes, objectness and deltas (CVPR 2019, sections 3.2 to 3.4)."""

    def __init__(
        self,
        *,
        entry: nn.Module,
        location: nn.Module,
        shape: nn.Module,
        adaption: DeformableConv,
        classes: nn.Module,
        boxes: nn.Module,
        location_threshold: float,
    ) -> None:
        """Takes the layers.

        Args:
            entry: a level [B, C, H, W] to the input of the other layers.
            location: to logits [B, 1, H, W].
            shape: to the anchors' shapes [B, 2, H, W].
            adaption: its offsets are computed from the shapes.
            classes: adapted features to objectness [B, 1, H, W].
            boxes: adapted features to deltas [B, 4, H, W].
            location_threshold: a place has an anchor if its location's probability is at least this.
        """
        super().__init__()
        self.entry = entry
        self.location = location
        self.shape = shape
        self.adaption = adaption
        self.classes = classes
        self.boxes = boxes
        self.location_threshold = location_threshold

    def forward(self, levels: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Levels [B, C, H_l, W_l] to objectness [B, 1, H_l, W_l], and deltas and shapes [B, 6, H_l, W_l]."""
        told = [self._level(level) for level in levels]
        return [objectness for objectness, _ in told], [values for _, values in told]

    def _level(self, level: Tensor) -> tuple[Tensor, Tensor]:
        seen = torch.relu(self.entry(level))
        shape = self.shape(seen)
        adapted = torch.relu(self.adaption.moved(seen, shape))
        anchored = self.location(seen).sigmoid() >= self.location_threshold
        objectness = torch.where(anchored, self.classes(adapted), NOWHERE)
        return objectness, torch.cat([self.boxes(adapted), shape], dim=1)
