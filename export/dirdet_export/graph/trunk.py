"""The trunk: canvas to feature pyramid, objectness and box deltas."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dirdet_export.graph.padding import padded_hw


class SemanticWithContext(nn.Module):
    """SCNet's semantic branch with the context of the whole picture, which the RoI stage would add to every box.

    RoIAlign of a constant is the constant where boxes lie inside the canvas.
    """

    def __init__(self, *, semantic: nn.Module, context: nn.Module) -> None:
        """Takes both branches; each returns its features second, the context's are [B, C, 1, 1]."""
        super().__init__()
        self.semantic = semantic
        self.context = context

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits of stuff, and features [B, C, H_l, W_l]."""
        logits, features = self.semantic(levels)
        return logits, features + self.context(levels)[1]


class Trunk(nn.Module):
    """Normalisation, backbone, neck and RPN head."""

    mean: Tensor
    std: Tensor
    fill: Tensor

    def __init__(
        self,
        *,
        backbone: nn.Module,
        neck: nn.Module,
        rpn_head: nn.Module,
        mean: list[float],
        std: list[float],
        swap_channels: bool,
        padding_value: float,
        roi_levels: int,
        semantic_head: nn.Module | None = None,
        fill: Sequence[float] | None = None,
        multiple: int = 1,
        at_least_hw: Sequence[int] = (0, 0),
    ) -> None:
        """Takes the modules of a detector.

        Args:
            backbone: [B, 3, H, W] to a tuple of features.
            neck: the backbone's features to a tuple of pyramid levels.
            rpn_head: levels to (objectness, deltas), one of each per level.
            mean: of the network's three channels, in 0..255.
            std: of the network's three channels.
            swap_channels: whether the network's input is BGR.
            padding_value: value of pixels outside the picture, after normalisation.
            roi_levels: pyramid levels, finest first, that the RoI stage pools from.
            semantic_head: of HTC and SCNet: all levels to (logits of stuff, features); the RoI stage pools the latter.
            fill: of the network's three channels, value of a Pad step's pixels after normalisation; None without one.
            multiple: of the Pad step (`graph.padding`).
            at_least_hw: of the Pad step.
        """
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.rpn_head = rpn_head
        self.swap_channels = swap_channels
        self.padding_value = padding_value
        self.roi_levels = roi_levels
        self.semantic_head = semantic_head
        self.pads = fill is not None
        self.multiple = multiple
        self.at_least_hw = tuple(at_least_hw)
        self.register_buffer("fill", torch.tensor(fill or [0.0] * 3).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def normalise(self, canvas: Tensor, picture_hw: Tensor) -> Tensor:
        """Canvas uint8 [B, H, W, 3] RGB to network input [B, 3, H, W]; padding is set after normalisation."""
        # To floating point first: for uint8 TensorRT supports only this cast and would leave the rest to CUDA.
        pixels = canvas.to(self.mean.dtype).permute(0, 3, 1, 2)  # [B, 3, H, W]
        if self.swap_channels:
            pixels = pixels.flip(1)
        rows = torch.ones_like(pixels[:, :1, :, :1]).cumsum(2)  # [B, 1, H, 1], from 1
        columns = torch.ones_like(pixels[:, :1, :1, :]).cumsum(3)  # [B, 1, 1, W], from 1

        def inside(hw: Tensor) -> Tensor:
            limits = hw.to(pixels.dtype).view(-1, 2, 1, 1)  # [B, 2, 1, 1]
            return (rows <= limits[:, :1]) & (columns <= limits[:, 1:])  # [B, 1, H, W]

        seen = torch.where(inside(picture_hw), (pixels - self.mean) / self.std, self.padding_value)
        if not self.pads:
            return seen
        frame = inside(padded_hw(picture_hw, self.multiple, self.at_least_hw)) & ~inside(picture_hw)
        return torch.where(frame, self.fill, seen)

    def forward(self, canvas: Tensor, picture_hw: Tensor) -> tuple[Tensor, ...]:
        """Pyramid levels, objectness and deltas of canvases.

        Args:
            canvas: uint8 [B, H, W, 3], RGB, H and W multiples of 32.
            picture_hw: [B, 2], integers, size of the picture on each canvas.

        Returns:
            The levels for the RoI stage [B, C, H_l, W_l]; with a semantic head its features [B, C, H_l, W_l];
            objectness logits [B, A, H_l, W_l] of every level; deltas [B, 4 * A, H_l, W_l] of every level. In this
            order, finest level first.
        """
        return self.maps(self.normalise(canvas, picture_hw))

    def maps(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Outputs as of `forward` from network input [B, 3, H, W]."""
        levels = self.neck(self.backbone(pixels))
        objectness, deltas = self.rpn_head(levels)
        semantic = () if self.semantic_head is None else (self.semantic_head(levels)[1],)
        return (*levels[: self.roi_levels], *semantic, *objectness, *deltas)
