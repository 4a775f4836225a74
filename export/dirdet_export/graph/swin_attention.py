"""Swin Transformer's attention in shifted windows, for pictures of any size."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class WindowAttention(nn.Module):
    """Computes the same as MMDetection's ShiftWindowMSA (ICCV 2021, section 3.2)."""

    def __init__(self, *, attention: nn.Module, side: int, shift: int) -> None:
        """Takes the parts of a detector.

        Args:
            attention: windows [N, side * side, C] and, with a shift, masks [n, side * side, side * side] of the n
                windows of one picture to [N, side * side, C].
            side: of a window.
            shift: rows and columns by which the windows are shifted.
        """
        super().__init__()
        self.attention = attention
        self.side = side
        self.shift = shift

    def forward(self, query: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Features [B, H * W, C] to the same."""
        height, width = hw_shape
        batch, _, channels = query.shape
        maps = query.view(batch, height, width, channels)
        below, right = ((self.side - each % self.side) % self.side for each in hw_shape)
        maps = functional.pad(maps, (0, 0, 0, right, 0, below))  # [B, H', W', C]
        masks = None
        if self.shift:
            masks = self._masks(maps)
            maps = torch.roll(maps, (-self.shift, -self.shift), (1, 2))
        windows = self._split(maps).flatten(0, 2).flatten(1, 2)  # [N, side * side, C]
        seen = self.attention(windows, masks)
        rows, columns = maps.shape[1] // self.side, maps.shape[2] // self.side
        seen = seen.view(batch, rows, columns, self.side, self.side, channels).transpose(2, 3)
        maps = seen.reshape(batch, rows * self.side, columns * self.side, channels)
        if self.shift:
            maps = torch.roll(maps, (self.shift, self.shift), (1, 2))
        return maps[:, :height, :width].reshape(batch, height * width, channels)

    def _split(self, maps: Tensor) -> Tensor:
        """Windows [B, rows, columns, side, side, C] of maps [B, H', W', C]."""
        batch, height, width, channels = maps.shape
        cut = maps.view(batch, height // self.side, self.side, width // self.side, self.side, channels)
        return cut.transpose(2, 3)

    def _masks(self, maps: Tensor) -> Tensor:
        """Masks [n, side * side, side * side] of one picture: -100 between pixels that the shift brought together."""
        like = maps[:1, :, :, :1]  # [1, H', W', 1]
        region = 3 * self._bands(torch.ones_like(like[:, :, :1]), 1) + self._bands(torch.ones_like(like[:, :1]), 2)
        flat = self._split(region).flatten(0, 2).flatten(1)  # [n, side * side]
        return (flat.unsqueeze(1) != flat.unsqueeze(2)).to(maps.dtype) * -100.0

    def _bands(self, ones: Tensor, axis: int) -> Tensor:
        """Of a line of ones, 2 for the last `shift`, 1 for others in the last window, and 0 before."""
        from_end = ones.flip(axis).cumsum(axis).flip(axis)  # 1 for the last
        return (from_end <= self.side).to(ones.dtype) + (from_end <= self.shift).to(ones.dtype)
