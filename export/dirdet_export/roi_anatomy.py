"""Takes a RoI head apart: pooling, box heads, masks."""

# First: the plug-in gives mmcv the operators that MMDetection imports.
from dirdet_training.mm.tsd_head import TSDBBoxHead

# isort: split
from typing import Any

from mmcv.ops import RoIAlign
from mmdet.models import SingleRoIExtractor
from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead, DoubleConvFCBBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead, FusedSemanticHead, HTCMaskHead
from torch import nn

from dirdet_export.graph.box_heads import Cascade, MovedHeads, OneHead, Stage, TwoHeads
from dirdet_export.graph.candidates import Candidates
from dirdet_export.graph.fused import FusedPooling, Pooling
from dirdet_export.graph.masks import MaskFlow, MaskHead, Masks
from dirdet_export.graph.pyramid import PyramidPooling
from dirdet_export.supported import (
    CASCADE,
    DOUBLE_HEAD,
    HTC,
    TSD,
    has_semantic,
    last_of,
    read_decoder,
    require,
    require_type,
)


def read_pooling(extractor: Any) -> PyramidPooling:  # noqa: ANN401
    """A SingleRoIExtractor's pooling."""
    require_type(extractor, SingleRoIExtractor, name="roi_head.bbox_roi_extractor")
    layer = extractor.roi_layers[0]
    require_type(layer, RoIAlign, name="roi_layer")
    require(layer.aligned, True, name="roi_layer.aligned")
    require(layer.pool_mode, "avg", name="roi_layer.pool_mode")
    height, width = layer.output_size
    require(height, width, name="height of roi_layer.output_size")
    return PyramidPooling(
        strides=[int(stride) for stride in extractor.featmap_strides],
        finest_scale=float(extractor.finest_scale),
        output_size=int(height),
        sampling_ratio=int(layer.sampling_ratio),
    )


def read_fused(roi_head: Any, extractor: Any) -> Pooling:  # noqa: ANN401
    """A box or mask extractor's pooling, in HTC with the semantic branch's."""
    pooling = read_pooling(extractor)
    if not has_semantic(roi_head):
        return pooling
    require_type(roi_head.semantic_head, FusedSemanticHead, name="roi_head.semantic_head")
    require(sorted(roi_head.semantic_fusion), ["bbox", "mask"], name="roi_head.semantic_fusion")
    semantic = read_pooling(roi_head.semantic_roi_extractor)
    require(len(semantic.strides), 1, name="number of levels of roi_head.semantic_roi_extractor")
    rest = semantic.output_size % pooling.output_size
    require(rest, 0, name="what is left of the semantic features' size divided by that of the others")
    return FusedPooling(pyramid=pooling, semantic=semantic)


def _require_head(box_head: Any, expected: type) -> None:  # noqa: ANN401
    if not isinstance(box_head, expected):
        require_type(box_head, expected, name="roi_head.bbox_head")
    require(bool(box_head.loss_cls.use_sigmoid), False, name="roi_head.bbox_head.loss_cls.use_sigmoid")
    require(bool(box_head.custom_cls_channels), False, name="custom class channels of roi_head.bbox_head")


def _read_one_head(pooling: Pooling, box_head: Any) -> OneHead:  # noqa: ANN401
    _require_head(box_head, ConvFCBBoxHead)
    return OneHead(pooling=pooling, head=box_head)


def _read_two_heads(roi_head: Any) -> TwoHeads:  # noqa: ANN401
    _require_head(roi_head.bbox_head, DoubleConvFCBBoxHead)
    pooling = read_pooling(roi_head.bbox_roi_extractor)
    return TwoHeads(pooling=pooling, head=roi_head.bbox_head, enlarge=float(roi_head.reg_roi_scale_factor))


def _read_moved_heads(roi_head: Any) -> MovedHeads:  # noqa: ANN401
    _require_head(roi_head.tsd_head, TSDBBoxHead)
    return MovedHeads(pooling=read_pooling(roi_head.bbox_roi_extractor), head=roi_head.tsd_head, **roi_head.moves)


def _read_cascade(roi_head: Any) -> Cascade:  # noqa: ANN401
    stages: list[Stage] = []
    for extractor, box_head in zip(roi_head.bbox_roi_extractor, roi_head.bbox_head, strict=True):
        stages.append(
            Stage(
                look=_read_one_head(read_fused(roi_head, extractor), box_head),
                decoder=read_decoder(box_head.bbox_coder, name="roi_head.bbox_head.bbox_coder"),
                class_agnostic=bool(box_head.reg_class_agnostic),
            )
        )
        levels = last_of(roi_head.bbox_roi_extractor).num_inputs
        require(extractor.num_inputs, levels, name="levels of every stage's bbox_roi_extractor")
    return Cascade(stages)


def _read_box_heads(roi_head: Any) -> nn.Module:  # noqa: ANN401
    if isinstance(roi_head, CASCADE):
        return _read_cascade(roi_head)
    if isinstance(roi_head, DOUBLE_HEAD):
        return _read_two_heads(roi_head)
    if isinstance(roi_head, TSD):
        return _read_moved_heads(roi_head)
    return _read_one_head(read_pooling(roi_head.bbox_roi_extractor), roi_head.bbox_head)


def _detecting_head(roi_head: Any) -> Any:  # noqa: ANN401
    """The box head whose boxes and classes are detected."""
    return roi_head.tsd_head if isinstance(roi_head, TSD) else last_of(roi_head.bbox_head)


def read_masks(roi_head: Any) -> Masks | None:  # noqa: ANN401
    """What tells a detector's masks; None where there are none."""
    if not roi_head.with_mask:
        return None
    last, extractor = last_of(roi_head.mask_head), last_of(roi_head.mask_roi_extractor)
    require_type(extractor, SingleRoIExtractor, name="roi_head.mask_roi_extractor")
    strides = list(last_of(roi_head.bbox_roi_extractor).featmap_strides)
    require(list(extractor.featmap_strides), strides, name="roi_head.mask_roi_extractor.featmap_strides")
    pooling = read_fused(roi_head, extractor)
    heads: nn.Module
    if isinstance(roi_head, HTC):
        require(roi_head.mask_info_flow, True, name="roi_head.mask_info_flow")
        for head in roi_head.mask_head:
            require_type(head, HTCMaskHead, name="roi_head.mask_head")
        heads = MaskFlow(pooling=pooling, heads=list(roi_head.mask_head))
    else:
        require_type(last, FCNMaskHead, name="roi_head.mask_head")
        heads = MaskHead(pooling=pooling, head=last)
    require(last.upsample_method, "deconv", name="roi_head.mask_head.upsample_cfg.type")
    size = pooling.output_size * int(last.scale_factor)
    return Masks(heads=heads, size=size, class_agnostic=bool(last.class_agnostic))


def read_candidates(roi_head: Any, *, keep: int) -> Candidates:  # noqa: ANN401
    """Box heads with their pooling and decoder; `keep` is M."""
    head = _detecting_head(roi_head)
    return Candidates(
        pooling=read_fused(roi_head, last_of(roi_head.bbox_roi_extractor)),
        box_heads=_read_box_heads(roi_head),
        decoder=read_decoder(head.bbox_coder, name="roi_head.bbox_head.bbox_coder"),
        classes=head.num_classes,
        class_agnostic=bool(head.reg_class_agnostic),
        keep=keep,
    )
