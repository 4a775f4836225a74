"""Upsampling with predicted kernels (CARAFE, ICCV 2019)."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Reassembly(nn.Module):
    """Computes the same as mmcv's CARAFEPack: each pixel becomes several, weighted sums of its neighbours."""

    def __init__(self, *, compressor: nn.Module, encoder: nn.Module, side: int, groups: int, factor: int) -> None:
        """Takes the layers of a detector.

        Args:
            compressor: features [B, C, H, W] to fewer channels.
            encoder: those to the logits of kernels, [B, groups * side^2 * factor^2, H, W].
            side: of a kernel, pixels; odd.
            groups: of channels, each with kernels of its own.
            factor: of both sides.
        """
        super().__init__()
        self.compressor = compressor
        self.encoder = encoder
        self.side = side
        self.groups = groups
        self.factor = factor

    def forward(self, features: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C, factor * H, factor * W]."""
        batch, channels, height, width = features.shape
        logits = self.encoder(self.compressor(features))
        kernels = logits.reshape(batch, self.groups, self.side**2, self.factor**2, height, width).softmax(2)
        framed = functional.pad(features, (self.side // 2,) * 4)

        def weighted(number: int) -> Tensor:
            row, column = divmod(number, self.side)
            moved = framed[:, :, row : row + height, column : column + width]
            grouped = moved.reshape(batch, self.groups, channels // self.groups, 1, height, width)
            return grouped * kernels[:, :, number].unsqueeze(2)  # [B, groups, C / groups, factor^2, H, W]

        total = weighted(0)
        for number in range(1, self.side**2):
            total = total + weighted(number)
        flat = total.reshape(batch, channels * self.factor**2, height, width)
        return torch.pixel_shuffle(flat, self.factor)
