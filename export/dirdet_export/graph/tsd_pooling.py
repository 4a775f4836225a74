"""Pooling of TSD: every bin of a box has its own offset (CVPR 2020, section 3.2)."""

import torch
from torch import Tensor, nn

from dirdet_export.graph.pyramid import Atlas, PyramidPooling, rois_of

# Samples along each side of a bin, as in `dirdet_training.mm.bin_pooling`.
SAMPLES = 2


class MovedBins(nn.Module):
    """Computes the same as `pool_moved_bins`, with one RoIAlign over the atlas and one box per bin."""

    bins_xy: Tensor

    def __init__(self, pyramid: PyramidPooling) -> None:
        """Takes the levels and the output's size from the pooling of unmoved boxes."""
        super().__init__()
        self.pyramid = pyramid
        side = torch.arange(pyramid.output_size, dtype=torch.float32)
        rows, columns = torch.meshgrid(side, side, indexing="ij")
        # A buffer: a traced constant would not move with the module to another device.
        self.register_buffer("bins_xy", torch.stack([columns, rows], dim=-1).flatten(0, 1), persistent=False)  # [S, 2]

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor, moves_xy: Tensor) -> Tensor:
        """Features of moved bins; the level is that of the unmoved box.

        Samples beyond a level's edge have the border's value.

        Args:
            atlas: of the same pictures.
            boxes_xyxy: [B, N, 4], pixels of the canvas.
            moves_xy: [B, N, S, 2] of S = output_size squared bins, row by row, or [B, N, 1, 2] of whole boxes, in
                pixels of the canvas.

        Returns:
            [B * N, C, output_size, output_size], picture by picture.
        """
        size = self.pyramid.output_size
        place = self.pyramid.place(atlas, boxes_xyxy)
        scale = place.scale.unsqueeze(-1).unsqueeze(-1)  # [B, N, 1, 1]
        sides = ((boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]) / size).unsqueeze(2)  # [B, N, 1, 2]
        corners = boxes_xyxy[..., :2].unsqueeze(2) + sides * self.bins_xy + moves_xy  # [B, N, S, 2]
        last = place.last_xy.unsqueeze(2)  # [B, N, 1, 2]
        # Positions of the bin's two samples along each side, in pixels of the level.
        low, high = (
            torch.minimum(((corners + sides * ((step + 0.5) / SAMPLES)) * scale - 0.5).clamp(min=0), last)
            for step in range(SAMPLES)
        )
        # The box with exactly these samples; RoIAlign subtracts half a pixel again.
        beyond = (high - low) * 0.5
        origin = place.origin_xy.unsqueeze(2) + 0.5  # [B, N, 1, 2]
        bins = torch.cat([low - beyond + origin, high + beyond + origin], dim=-1)  # [B, N, S, 4]
        pooled = torch.ops.torchvision.roi_align(
            atlas.features, rois_of(bins.flatten(1, 2)), 1.0, 1, 1, SAMPLES, True
        )  # [B * N * S, C, 1, 1]
        by_box = pooled.reshape(-1, size * size, pooled.shape[1])  # [B * N, S, C]
        return by_box.transpose(1, 2).reshape(-1, pooled.shape[1], size, size)
