"""Attention by relative position within the features of a box, as in GRoIE's extractor."""

import torch
from torch import Tensor, nn


class PositionAttention(nn.Module):
    """Computes the same as mmcv's GeneralizedAttention of type 0100 (ICCV 2019, section 3.2) on squares of one size."""

    position_x: Tensor
    position_y: Tensor

    def __init__(self, *, channels: int, heads: int, side: int, stride: int) -> None:
        """Makes the layers, whose weights are loaded later.

        Args:
            channels: C, of the features.
            heads: of the attention; each has C // heads channels.
            side: s, of the square.
            stride: every `stride`-th row and column has a value that the others attend to.
        """
        super().__init__()
        self.channels = channels
        self.heads = heads
        self.side = side
        self.stride = stride
        width = channels // heads
        inner, values = width * heads, -(-side // stride)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, inner, 1, bias=False)
        self.told = nn.Conv2d(inner, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))
        # Of a column that attends and one with a value: [heads, side, values, width]; `position_y` for rows.
        self.register_buffer("position_x", torch.zeros(heads, side, values, width))
        self.register_buffer("position_y", torch.zeros(heads, side, values, width))

    def forward(self, features: Tensor) -> Tensor:
        """[R, C, s, s] to the same."""
        heads, side, stride = self.heads, self.side, self.stride
        asked = self.query(features).reshape(-1, heads, self.channels // heads, side, side)
        asked = asked.permute(0, 1, 3, 4, 2)  # [R, heads, s, s, width]: rows, columns
        # mmcv's energy of rows is that of the mirrored square, and detectors were trained with it.
        mirrored = asked.transpose(2, 3)
        by_row = torch.matmul(mirrored, self.position_y.transpose(2, 3))  # [R, heads, s, s, values]
        by_column = torch.matmul(mirrored, self.position_x.transpose(2, 3)).transpose(2, 3)
        energy = by_row.unsqueeze(-1) + by_column.unsqueeze(-2)  # [R, heads, s, s, values, values]
        share = energy.flatten(4).flatten(2, 3).softmax(-1)  # [R, heads, s * s, values * values]
        given = self.value(features[:, :, ::stride, ::stride])
        given = given.reshape(-1, heads, self.channels // heads, share.shape[3]).transpose(2, 3)
        seen = torch.matmul(share, given).transpose(2, 3)  # [R, heads, width, s * s]
        return features + self.gamma * self.told(seen.reshape(-1, self.told.in_channels, side, side))
