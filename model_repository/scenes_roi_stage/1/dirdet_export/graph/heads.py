"""The layers of heads in plain torch, rebuilt from a description and weights."""

from typing import cast

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """A residual block."""

    def __init__(self, *, body: nn.Sequential, skip: nn.Sequential, relu: bool = True) -> None:
        """Takes both branches.

        Args:
            body: [R, C, s, s] to [R, C', s, s].
            skip: the same for the shortcut; empty for the identity.
            relu: whether a ReLU follows the sum.
        """
        super().__init__()
        self.body = body
        self.skip = skip
        self.relu = relu

    def forward(self, features: Tensor) -> Tensor:
        """[R, C, s, s] to [R, C', s, s]."""
        total = self.body(features) + self.skip(features)
        return torch.relu(total) if self.relu else total


class UnitLength(nn.Module):
    """Scales features to one length before a layer whose weights have length one (MMDetection's NormedLinear)."""

    def __init__(self, *, temperature: float, power: float, eps: float) -> None:
        """Takes the settings: features are multiplied by temperature / (length ** power + eps)."""
        super().__init__()
        self.temperature = temperature
        self.power = power
        self.eps = eps

    def forward(self, features: Tensor) -> Tensor:
        """[R, C, ...] to [R, C, ...]; the length is that along C."""
        length = features.square().sum(1, keepdim=True).sqrt()  # [R, 1, ...]
        return features / (length.pow(self.power) + self.eps) * self.temperature


class SharedHead(nn.Module):
    """A box head with first layers shared by both tasks."""

    def __init__(self, *, shared: nn.Sequential, classes: nn.Sequential, boxes: nn.Sequential) -> None:
        """Takes the layers.

        Args:
            shared: of features [R, C, s, s]; empty without shared layers.
            classes: to logits [R, classes + 1], the last is the background's.
            boxes: to deltas [R, 4] or, class-specific, [R, 4 * classes].
        """
        super().__init__()
        self.shared = shared
        self.classes = classes
        self.boxes = boxes

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and deltas of features [R, C, s, s]."""
        seen = self.shared(features)
        return self.classes(seen), self.boxes(seen)


class ApartHead(nn.Module):
    """A box head with separate features for each task."""

    def __init__(self, *, classes: nn.Sequential, boxes: nn.Sequential) -> None:
        """Takes the layers, with outputs as in `SharedHead`."""
        super().__init__()
        self.classes = classes
        self.boxes = boxes

    def forward(self, class_features: Tensor, box_features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and deltas of each task's features [R, C, s, s]."""
        return self.classes(class_features), self.boxes(box_features)


class MovingHead(ApartHead):
    """Box head of TSD, which also predicts where each task pools its features (CVPR 2020, Eq. 2 to 5)."""

    def __init__(
        self,
        *,
        classes: nn.Sequential,
        boxes: nn.Sequential,
        look: nn.Sequential,
        shift: nn.Sequential,
        deform: nn.Sequential,
        offset_scale: float,
    ) -> None:
        """Takes the layers.

        Args:
            classes: as in `ApartHead`.
            boxes: as in `ApartHead`.
            look: proposals' features [R, C, s, s] to the input of `shift` and `deform`.
            shift: to moves of whole boxes [R, 2].
            deform: to moves of bins [R, 2 * s * s].
            offset_scale: sides of the proposal per predicted unit of a move.
        """
        super().__init__(classes=classes, boxes=boxes)
        self.look = look
        self.shift = shift
        self.deform = deform
        self.offset_scale = offset_scale

    def moves(self, features: Tensor, boxes_xyxy: Tensor) -> tuple[Tensor, Tensor]:
        """The shift of each box [R, 2] and the moves of its bins [R, s * s, 2], x and y in pixels of the canvas.

        Args:
            features: [R, C, s, s], pooled on the proposals.
            boxes_xyxy: [R, 4], the proposals, pixels of the canvas.
        """
        seen = self.look(features)
        sides_wh = self.offset_scale * (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2])  # [R, 2]
        bins = self.deform(seen).reshape(boxes_xyxy.shape[0], -1, 2)  # [R, s * s, 2]
        return self.shift(seen) * sides_wh, bins * sides_wh.unsqueeze(1)


class PurityHead(nn.Module):
    """DIR head: two branches of fully-connected layers (section 3.4, Figure 3)."""

    def __init__(self, *, purity: nn.Sequential, integrity: nn.Sequential) -> None:
        """Takes the branches; each maps features [R, C * s * s] to logits [R, 1]."""
        super().__init__()
        self.purity = purity
        self.integrity = integrity

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of purity and of integrity, [R] each, of features [R, C, s, s]."""
        flat = torch.flatten(features, 1)
        return self.purity(flat).squeeze(1), self.integrity(flat).squeeze(1)


class FlowHead(nn.Module):
    """Mask head of one HTC stage; it adds the features of the previous stage (CVPR 2019, section 3.1)."""

    def __init__(self, *, entry: nn.Sequential | None, layers: nn.Sequential) -> None:
        """Takes the layers.

        Args:
            entry: of the previous stage's features; None in the first stage.
            layers: [R, C, s, s] to [R, C', s, s].
        """
        super().__init__()
        self.entry = entry
        self.layers = layers

    def forward(self, features: Tensor, before: Tensor | None) -> Tensor:
        """This stage's features [R, C', s, s] from pooled features [R, C, s, s] and the previous stage's, if any."""
        if before is not None:
            features = features + cast(nn.Sequential, self.entry)(before)
        return self.layers(features)
