"""PointRend's masks: coarse ones, refined at the points that are least certain (CVPR 2020)."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dirdet_export.graph.pyramid import Atlas


class PointMaskHead(nn.Module):
    """Mask head of PointRend: predicts a coarse mask, and stretches and refines it step by step (section 3)."""

    def __init__(
        self,
        *,
        coarse: nn.Sequential,
        layers: nn.ModuleList | list[nn.Sequential],
        last: nn.Sequential,
        stride: int,
        pooled: int,
        side: int,
        steps: int,
        points: int,
        again: bool,
    ) -> None:
        """Takes the parts of a detector.

        Args:
            coarse: pooled features [R, C, pooled, pooled] to the logits of coarse masks [R, classes * side * side].
            layers: of points, each from [R, ..., P] to [R, C', P].
            last: a layer to the points' logits [R, classes or 1, P].
            stride: of the pyramid's finest level, whose pixels points are sampled from.
            pooled: points along each side of the pooled square.
            side: of the coarse masks.
            steps: each doubles a mask's sides and refines its least certain points.
            points: that a step refines, at most.
            again: whether each layer's output is followed by the coarse masks' logits.
        """
        super().__init__()
        self.coarse = coarse
        self.layers = nn.ModuleList(layers)
        self.last = last
        self.stride = stride
        self.pooled = pooled
        self.side = side
        self.steps = steps
        self.points = points
        self.again = again

    @property
    def size(self) -> int:
        """S, cells along each side of a refined mask."""
        return self.side * 2**self.steps

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor, class_id: Tensor) -> list[Tensor]:
        """The logits [B * N, S * S] of boxes [B, N, 4], pixels of the canvas, and classes [B * N]."""
        cells = torch.ones_like(boxes_xyxy[:, :, :1]).expand(-1, -1, self.pooled**2).cumsum(2) - 1  # [B, N, pooled^2]
        pooled = self._sample(atlas, boxes_xyxy, _centres(cells, self.pooled))
        coarse = self.coarse(pooled.reshape(-1, pooled.shape[1], self.pooled, self.pooled))
        coarse = coarse.reshape(coarse.shape[0], -1, self.side, self.side)  # [R, classes, side, side]
        row = class_id.view(-1, 1, 1, 1)
        mask = coarse.gather(1, row.expand(-1, 1, self.side, self.side))  # [R, 1, side, side]
        for step in range(1, self.steps + 1):
            mask = functional.interpolate(mask, scale_factor=2.0, mode="bilinear", align_corners=False)
            size = self.side * 2**step
            # MMDetection leaves a step out that would refine all points of the next one too.
            if self.points < 4 * size**2 or step == self.steps:
                mask = self._refined(mask, size, atlas, boxes_xyxy, coarse, class_id)
        return [mask.flatten(1)]

    def _refined(
        self, mask: Tensor, size: int, atlas: Atlas, boxes_xyxy: Tensor, coarse: Tensor, class_id: Tensor
    ) -> Tensor:
        """A mask [R, 1, size, size] with new logits at its least certain points."""
        flat = mask.flatten(1)  # [R, size^2]
        index = flat.abs().neg().topk(min(self.points, size**2), dim=1).indices  # [R, P]
        batch, count = boxes_xyxy.shape[:2]
        places = _centres(index, size)  # [R, P, 2]
        fine = self._sample(atlas, boxes_xyxy, places.reshape(batch, count, -1, 2))  # [R, C, P]
        near = functional.grid_sample(coarse, (places * 2 - 1).unsqueeze(2), align_corners=False).squeeze(3)
        seen = torch.cat([fine, near], dim=1)
        for layer in self.layers:
            seen = layer(seen)
            if self.again:
                seen = torch.cat([seen, near], dim=1)
        last = cast(nn.Conv1d, self.last[0])
        rows = last.weight.flatten(1).index_select(0, class_id).unsqueeze(1)  # [R, 1, C']
        logits = torch.matmul(rows, seen).squeeze(1)  # [R, P]
        if last.bias is not None:
            logits = logits + last.bias.index_select(0, class_id).unsqueeze(1)
        return flat.scatter(1, index, logits).view(-1, 1, size, size)

    def _sample(self, atlas: Atlas, boxes_xyxy: Tensor, places: Tensor) -> Tensor:
        """Features [B * N, C, P] of the finest level at places [B, N, P, 2], fractions of boxes [B, N, 4]."""
        level = atlas.levels[0]
        sides = boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]
        at = (boxes_xyxy[..., :2].unsqueeze(2) + places * sides.unsqueeze(2)) / self.stride  # [B, N, P, 2]
        # The level's size as a tensor, so that a trace holds for every canvas.
        ones = torch.ones_like(level[:1, 0])
        size_wh = torch.stack([ones[0, 0].sum(), ones[0, :, 0].sum()])
        found = functional.grid_sample(level, at / size_wh * 2 - 1, align_corners=False)  # [B, C, N, P]
        return found.transpose(1, 2).flatten(0, 1)


def _centres(index: Tensor, size: int) -> Tensor:
    """Centres [..., 2] of cells of a square with `size` cells along each side, as fractions; cells go row by row."""
    cell = index.to(torch.int64)
    column, row = cell % size, torch.div(cell, size, rounding_mode="trunc")
    return (torch.stack([column, row], dim=-1).to(torch.float32) + 0.5) / size
