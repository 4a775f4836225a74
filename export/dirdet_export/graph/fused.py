"""HTC's pooling: features of the pyramid with those of the semantic branch added."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from dirdet_export.graph.pyramid import Atlas, PyramidPooling


class FusedPooling(nn.Module):
    """Pools boxes from the pyramid and from the semantic map, and adds the two (CVPR 2019, section 3.2)."""

    def __init__(self, *, pyramid: PyramidPooling, semantic: PyramidPooling) -> None:
        """Joins the two.

        Args:
            pyramid: of the box or mask features.
            semantic: of the semantic ones, one level; its output is averaged down to the other's size, of which it
                must be a multiple.
        """
        super().__init__()
        self.pyramid = pyramid
        self.semantic = semantic
        self.output_size = pyramid.output_size
        self.shrink = semantic.output_size // pyramid.output_size

    def atlas(self, maps: list[Tensor]) -> Atlas:
        """Of the pyramid's levels and, after them, the semantic map; [B, C, H_l, W_l] each."""
        return self.pyramid.atlas(maps[:-1])._replace(semantic=self.semantic.atlas(maps[-1:]))

    def forward(self, atlas: Atlas, boxes_xyxy: Tensor) -> Tensor:
        """Features [B * N, C, output_size, output_size] of boxes [B, N, 4] inside the canvas."""
        semantic = self.semantic(cast(Atlas, atlas.semantic), boxes_xyxy)
        if self.shrink > 1:
            semantic = functional.avg_pool2d(semantic, self.shrink)
        return self.pyramid(atlas, boxes_xyxy) + semantic


Pooling = PyramidPooling | FusedPooling
