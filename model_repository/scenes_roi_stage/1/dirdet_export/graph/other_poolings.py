"""Poolings that do more than the pyramid's: of HTC's semantic branch, of GRoIE, and of detectors without a neck."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from dirdet_export.graph.pyramid import Atlas, PyramidPooling


class FusedPooling(nn.Module):
    """Pools boxes from the pyramid and from the semantic map, and adds the results (CVPR 2019, section 3.2)."""

    def __init__(self, *, pyramid: PyramidPooling, semantic: PyramidPooling) -> None:
        """Takes both poolings.

        Args:
            pyramid: of the box or mask features.
            semantic: of the semantic features, one level; its output is averaged down to the size of the pyramid's, and
                must be a multiple of it.
        """
        super().__init__()
        self.pyramid = pyramid
        self.semantic = semantic
        self.output_size = pyramid.output_size
        self.shrink = semantic.output_size // pyramid.output_size

    def atlas(self, maps: list[Tensor]) -> Atlas:
        """The pyramid's levels and then the semantic map, laid out for pooling; [B, C, H_l, W_l] each."""
        return self.pyramid.atlas(maps[:-1])._replace(semantic=self.semantic.atlas(maps[-1:]))

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor) -> Tensor:
        """Features [B * N, C, output_size, output_size] of boxes [B, N, 4] inside the canvas."""
        semantic = self.semantic(cast(Atlas, atlas.semantic), boxes_xyxy)
        if self.shrink > 1:
            semantic = functional.avg_pool2d(semantic, self.shrink)
        return self.pyramid(atlas, boxes_xyxy) + semantic


class SharedPooling(nn.Module):
    """Pooling of detectors without a neck: what is pooled goes through the last stage of the backbone."""

    def __init__(self, *, pyramid: PyramidPooling, layers: nn.Sequential, output_size: int) -> None:
        """Takes the parts of a detector.

        Args:
            pyramid: of the features, with one level or more.
            layers: pooled features [R, C, s, s] to features [R, C', output_size, output_size].
            output_size: side of the result.
        """
        super().__init__()
        self.pyramid = pyramid
        self.layers = layers
        self.output_size = output_size

    def atlas(self, maps: list[Tensor]) -> Atlas:
        """The pyramid's levels [B, C, H_l, W_l], laid out for pooling."""
        return self.pyramid.atlas(maps)

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor) -> Tensor:
        """Features [B * N, C', output_size, output_size] of boxes [B, N, 4] inside the canvas."""
        return self.layers(self.pyramid(atlas, boxes_xyxy))


class SummedPooling(nn.Module):
    """Pools every box from every level, and adds the results (GRoIE, ICPR 2020, section III)."""

    def __init__(self, *, pyramid: PyramidPooling, before: nn.Sequential, after: nn.Sequential) -> None:
        """Takes the parts of a detector.

        Args:
            pyramid: its levels, and the size of its output.
            before: each level's pooled features [R, C, s, s] to what is added up.
            after: the sum [R, C, s, s] to the result.
        """
        super().__init__()
        self.pyramid = pyramid
        self.before = before
        self.after = after
        self.output_size = pyramid.output_size

    def atlas(self, maps: list[Tensor]) -> Atlas:
        """The pyramid's levels [B, C, H_l, W_l], laid out for pooling."""
        return self.pyramid.atlas(maps)

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor) -> Tensor:
        """Features [B * N, C, output_size, output_size] of boxes [B, N, 4], pixels of the canvas."""
        parts = [self.before(features) for features in self.pyramid.from_each_level(atlas, boxes_xyxy)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return self.after(total)


Pooling = PyramidPooling | FusedPooling | SharedPooling | SummedPooling
