"""The trunk: canvas to feature pyramid, objectness and box deltas."""

import torch
from torch import Tensor, nn


class Trunk(nn.Module):
    """Normalisation, backbone, neck and RPN head."""

    mean: Tensor
    std: Tensor

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
    ) -> None:
        """Joins a detector's own modules.

        Args:
            backbone: [B, 3, H, W] to a tuple of features.
            neck: those to a tuple of pyramid levels.
            rpn_head: levels to (objectness, deltas), one each a level.
            mean: of the network's three channels, in 0..255.
            std: of the same.
            swap_channels: the network wants blue first.
            padding_value: of what is not picture, after normalisation.
            roi_levels: pyramid levels, finest first, that the RoI stage pools from.
            semantic_head: HTC's: all levels to (logits of stuff, features), of which the RoI stage pools the second.
        """
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.rpn_head = rpn_head
        self.swap_channels = swap_channels
        self.padding_value = padding_value
        self.roi_levels = roi_levels
        self.semantic_head = semantic_head
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def normalise(self, canvas: Tensor, picture_hw: Tensor) -> Tensor:
        """Canvas uint8 [B, H, W, 3] RGB to network input [B, 3, H, W]; padding gets its value after normalisation."""
        pixels = canvas.permute(0, 3, 1, 2).to(self.mean.dtype)  # [B, 3, H, W]
        if self.swap_channels:
            pixels = pixels.flip(1)
        rows = torch.ones_like(pixels[:, :1, :, :1]).cumsum(2)  # [B, 1, H, 1], from 1
        columns = torch.ones_like(pixels[:, :1, :1, :]).cumsum(3)  # [B, 1, 1, W], from 1
        limits = picture_hw.to(pixels.dtype).view(-1, 2, 1, 1)  # [B, 2, 1, 1]
        inside = (rows <= limits[:, :1]) & (columns <= limits[:, 1:])  # [B, 1, H, W]
        return torch.where(inside, (pixels - self.mean) / self.std, self.padding_value)

    def forward(self, canvas: Tensor, picture_hw: Tensor) -> tuple[Tensor, ...]:
        """Pyramid levels, objectness and deltas of canvases.

        Args:
            canvas: uint8 [B, H, W, 3], RGB, H and W multiples of 32.
            picture_hw: [B, 2], integers, the part of each canvas that is picture.

        Returns:
            First the levels for the RoI stage [B, C, H_l, W_l], after them with a semantic head its features
            [B, C, H_l, W_l], then objectness logits [B, A, H_l, W_l] of every level, then deltas [B, 4 * A, H_l, W_l]
            of every level; finest first.
        """
        levels = self.neck(self.backbone(self.normalise(canvas, picture_hw)))
        objectness, deltas = self.rpn_head(levels)
        semantic = () if self.semantic_head is None else (self.semantic_head(levels)[1],)
        return (*levels[: self.roi_levels], *semantic, *objectness, *deltas)
