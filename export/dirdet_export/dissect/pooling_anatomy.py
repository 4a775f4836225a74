"""Converts the extractors of a RoI head, which pool the features of boxes."""

# First: the plug-in provides the mmcv operators that MMDetection imports.
from dirdet_export.dissect.supported import HTC, has_semantic, require, require_type

# isort: split
from typing import Any

import torch
from mmcv.cnn.bricks import GeneralizedAttention
from mmcv.ops import RoIAlign
from mmdet.models import GenericRoIExtractor, SingleRoIExtractor
from mmdet.models.roi_heads.mask_heads import FusedSemanticHead, SCNetSemanticHead
from mmdet.models.roi_heads.shared_heads import ResLayer
from torch import nn

from dirdet_export.dissect.layers import plain_layers
from dirdet_export.graph.other_poolings import FusedPooling, Pooling, SharedPooling, SummedPooling
from dirdet_export.graph.position_attention import PositionAttention
from dirdet_export.graph.pyramid import PyramidPooling


def read_fused(roi_head: Any, extractor: Any) -> Pooling:  # noqa: ANN401
    """The pooling of a box or mask extractor; for HTC and SCNet combined with the semantic branch's."""
    if roi_head.with_shared_head:
        return _read_shared(read_single(extractor), roi_head.shared_head)
    if not has_semantic(roi_head):
        return read_pooling(extractor)
    pooling = read_single(extractor)
    require_type(roi_head.semantic_head, FusedSemanticHead, SCNetSemanticHead, name="roi_head.semantic_head")
    if isinstance(roi_head, HTC):
        require(sorted(roi_head.semantic_fusion), ["bbox", "mask"], name="roi_head.semantic_fusion")
    semantic = read_single(roi_head.semantic_roi_extractor)
    require(len(semantic.strides), 1, name="number of levels of roi_head.semantic_roi_extractor")
    rest = semantic.output_size % pooling.output_size
    require(rest, 0, name="what is left of the semantic features' size divided by that of the others")
    return FusedPooling(pyramid=pooling, semantic=semantic)


def read_pooling(extractor: Any) -> Pooling:  # noqa: ANN401
    """The pooling of a SingleRoIExtractor or a GenericRoIExtractor."""
    return _read_summed(extractor) if type(extractor) is GenericRoIExtractor else read_single(extractor)


def read_single(extractor: Any) -> PyramidPooling:  # noqa: ANN401
    """The pooling of a SingleRoIExtractor."""
    require_type(extractor, SingleRoIExtractor, GenericRoIExtractor, name="roi_head.bbox_roi_extractor")
    require_type(extractor, SingleRoIExtractor, name="roi_head.bbox_roi_extractor beside this kind of head")
    return _read_levels(extractor, finest_scale=float(extractor.finest_scale))


def _read_levels(extractor: Any, *, finest_scale: float) -> PyramidPooling:  # noqa: ANN401
    layer = extractor.roi_layers[0]
    require_type(layer, RoIAlign, name="roi_layer")
    require(layer.pool_mode, "avg", name="roi_layer.pool_mode")
    height, width = layer.output_size
    require(height, width, name="height of roi_layer.output_size")
    return PyramidPooling(
        strides=[int(stride) for stride in extractor.featmap_strides],
        finest_scale=finest_scale,
        output_size=int(height),
        sampling_ratio=int(layer.sampling_ratio),
        aligned=bool(layer.aligned),
    )


def _read_summed(extractor: Any) -> SummedPooling:  # noqa: ANN401
    """The pooling of GRoIE, which has no finest scale: every box is pooled from all levels."""
    require(extractor.aggregation, "sum", name="aggregation of GenericRoIExtractor")
    require(len(extractor.featmap_strides) > 1, True, name="several levels of GenericRoIExtractor")
    pyramid = _read_levels(extractor, finest_scale=1.0)
    before = plain_layers([extractor.pre_module] if extractor.with_pre else [], name="GenericRoIExtractor.pre_cfg")
    after = [_read_attention(extractor.post_module, pyramid.output_size)] if extractor.with_post else []
    return SummedPooling(pyramid=pyramid, before=before, after=nn.Sequential(*after))


def _read_attention(part: Any, side: int) -> PositionAttention:  # noqa: ANN401
    """The attention over the features of a box."""
    require_type(part, GeneralizedAttention, name="GenericRoIExtractor.post_cfg")
    content = [False, True, False, False]
    require(part.attention_type, content, name="attention_type of GenericRoIExtractor.post_cfg")
    require((part.spatial_range, part.q_stride), (-1, 1), name="spatial_range, q_stride of post_cfg")
    stride = int(part.kv_stride)
    attention = PositionAttention(channels=part.in_channels, heads=part.num_heads, side=side, stride=stride)
    attention.query, attention.value, attention.told = part.query_conv, part.value_conv, part.proj_conv
    attention.gamma = part.gamma
    length = -(-side // stride)
    with torch.no_grad():
        embedded: Any = part.get_position_embedding(
            side, side, length, length, 1, stride, "cpu", torch.float32, part.position_embedding_dim
        )
        for position, layer, buffer in (
            (embedded[0], part.appr_geom_fc_x, attention.position_x),
            (embedded[1], part.appr_geom_fc_y, attention.position_y),
        ):
            told = layer(position).view(side, length, part.num_heads, -1) / 2**0.5
            buffer.copy_(told.permute(2, 0, 1, 3))
    return attention


def _read_shared(pooling: PyramidPooling, shared_head: Any) -> SharedPooling:  # noqa: ANN401
    """The pooling of a detector whose backbone ends in the RoI head (C4)."""
    require_type(shared_head, ResLayer, name="roi_head.shared_head")
    layers = plain_layers([getattr(shared_head, f"layer{shared_head.stage + 1}")], name="roi_head.shared_head")
    first = next(part for part in layers.parameters())
    with torch.no_grad():
        side = int(layers(first.new_zeros(1, first.shape[1], pooling.output_size, pooling.output_size)).shape[-1])
    return SharedPooling(pyramid=pooling, layers=layers, output_size=side)
