"""RoIAlign over all levels of a feature pyramid at once, on one map with the levels side by side."""

from typing import NamedTuple

import torch
import torchvision  # noqa: F401  # pyright: ignore[reportUnusedImport]  (registers roi_align)
from torch import Tensor, nn
from torch.nn import functional


class Atlas(NamedTuple):
    """All levels in one map.

    Attributes:
        features: [B, C, H_0 + 2, sum(W_l + 2)], finest level first, each padded with its repeated border.
        lefts: column of each level's first pixel; its first row is 1.
        levels: the levels themselves, [B, C, H_l, W_l] each.
        semantic: HTC's semantic map, in the same layout.
    """

    features: Tensor
    lefts: list[int | Tensor]
    levels: list[Tensor]
    semantic: "Atlas | None" = None


class Place(NamedTuple):
    """Position of each box's level in the atlas.

    Attributes:
        scale: [B, N], pixels of the level per pixel of the canvas.
        origin_xy: [B, N, 2], the level's first pixel.
        last_xy: [B, N, 2], the level's last pixel, relative to its first.
    """

    scale: Tensor
    origin_xy: Tensor
    last_xy: Tensor


class PyramidPooling(nn.Module):
    """Computes the same as MMDetection's SingleRoIExtractor, with one RoIAlign and no index list per level.

    Source of the level rule: Feature Pyramid Networks (CVPR 2017), Eq. 1.
    """

    def __init__(
        self,
        *,
        strides: list[int],
        finest_scale: float,
        output_size: int,
        sampling_ratio: int,
        aligned: bool = True,
        inside: bool = True,
    ) -> None:
        """Takes the extractor's settings.

        Args:
            strides: pixels of the canvas per pixel of each level, finest first.
            finest_scale: boxes up to twice this size (square root of the area, pixels) are pooled from the finest
                level.
            output_size: side of the pooled square.
            sampling_ratio: samples along each side of a bin; 0 adapts the number to the box.
            aligned: RoIAlign shifts boxes by half a pixel; without it, each is at least one pixel of its level wide.
            inside: all boxes lie inside the canvas.
        """
        super().__init__()
        self.strides = strides
        self.finest_scale = finest_scale
        self.output_size = output_size
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned
        self.inside = inside

    def atlas(self, levels: list[Tensor]) -> Atlas:
        """Lays levels [B, C, H_l, W_l] side by side.

        Aligned samples extend at most half a pixel beyond a level, where RoIAlign repeats the border; the padding does
        the same.
        """
        height = levels[0].shape[2]
        framed = [functional.pad(level, (1, 1, 1, 1 + height - level.shape[2]), mode="replicate") for level in levels]
        lefts: list[int | Tensor] = [1]
        for level in levels[:-1]:
            lefts.append(lefts[-1] + level.shape[3] + 2)
        return Atlas(torch.cat(framed, dim=3), lefts, levels)

    def level_of(self, boxes_xyxy: Tensor) -> Tensor:
        """Level of each box [B, N, 4]: integers [B, N], 0 the finest."""
        sides = boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]  # [B, N, 2]
        scale = (sides[..., 0] * sides[..., 1]).sqrt() / self.finest_scale + 1e-6  # [B, N]
        # floor(log2(scale)) by comparisons: a logarithm may round to the wrong side of an integer.
        level = torch.zeros_like(scale, dtype=torch.int64)
        for step in range(1, len(self.strides)):
            level = level + (scale >= 2**step).to(torch.int64)
        return level

    def place(self, atlas: Atlas, boxes_xyxy: Tensor) -> Place:
        """The place of the level of each box [B, N, 4]."""
        level = self.level_of(boxes_xyxy)  # [B, N]
        scale = torch.zeros_like(boxes_xyxy[..., 0])  # [B, N]
        left, width, height = torch.zeros_like(scale), torch.zeros_like(scale), torch.zeros_like(scale)
        for number, stride in enumerate(self.strides):
            chosen = (level == number).to(scale.dtype)
            scale = scale + chosen * (1 / stride)
            left = left + chosen * atlas.lefts[number]
            width = width + chosen * atlas.levels[number].shape[3]
            height = height + chosen * atlas.levels[number].shape[2]
        origin = torch.stack([left, torch.ones_like(left)], dim=-1)  # [B, N, 2]
        return Place(scale, origin, torch.stack([width, height], dim=-1) - 1)

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor) -> Tensor:
        """Features of boxes.

        Args:
            atlas: of the same pictures.
            boxes_xyxy: [B, N, 4], pixels of the canvas.

        Returns:
            [B * N, C, output_size, output_size], picture by picture.
        """
        if not (self.aligned and self.inside):
            return self.enlarged(atlas, boxes_xyxy, 1.0)
        place = self.place(atlas, boxes_xyxy)
        origin = torch.cat([place.origin_xy, place.origin_xy], dim=-1)  # [B, N, 4]
        return self._align(atlas.features, rois_of(boxes_xyxy * place.scale.unsqueeze(-1) + origin), 1.0)

    def enlarged(self, atlas: Atlas, boxes_xyxy: Tensor, factor: float) -> Tensor:
        """Features of boxes that are enlarged around their centres; the level is that of the original box.

        Enlarged boxes may extend beyond the canvas, where RoIAlign reads zeros but the atlas has the next level.
        Therefore every box is pooled from every level, and one result is selected: shapes do not depend on the boxes,
        and the cost is small compared with the convolutions that follow.

        Args:
            atlas: of the same pictures.
            boxes_xyxy: [B, N, 4], pixels of the canvas.
            factor: of both sides.

        Returns:
            [B * N, C, output_size, output_size], picture by picture.
        """
        centres = (boxes_xyxy[..., :2] + boxes_xyxy[..., 2:]) * 0.5  # [B, N, 2]
        half = (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]) * (0.5 * factor)
        each = self.from_each_level(atlas, torch.cat([centres - half, centres + half], dim=-1))
        level = self.level_of(boxes_xyxy).reshape(-1, 1, 1, 1)  # [B * N, 1, 1, 1]
        pooled = each[0]
        for number in range(1, len(each)):
            pooled = torch.where(level == number, each[number], pooled)
        return pooled

    def from_each_level(self, atlas: Atlas, boxes_xyxy: Tensor) -> list[Tensor]:
        """Each level's features [B * N, C, output_size, output_size] of boxes [B, N, 4], pixels of the canvas."""
        rois = rois_of(boxes_xyxy)  # [B * N, 5]
        return [self._align(level, rois, 1 / stride) for level, stride in zip(atlas.levels, self.strides, strict=True)]

    def _align(self, features: Tensor, rois: Tensor, scale: float) -> Tensor:
        size = self.output_size
        # The operator directly: torchvision.ops.roi_align checks shapes in Python, which a trace cannot record.
        return torch.ops.torchvision.roi_align(features, rois, scale, size, size, self.sampling_ratio, self.aligned)


def rois_of(boxes_xyxy: Tensor) -> Tensor:
    """Boxes [B, N, 4] with their picture's index in front: [B * N, 5]."""
    # A cumulative sum, not arange: a traced arange would stay on the device of the trace.
    picture = torch.ones_like(boxes_xyxy[..., :1]).cumsum(0) - 1  # [B, N, 1]
    return torch.cat([picture, boxes_xyxy], dim=-1).flatten(0, 1)
