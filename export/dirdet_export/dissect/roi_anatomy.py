"""Converts the parts of a RoI head: pooling, box heads, masks."""

# First: the plug-in provides the mmcv operators that MMDetection imports.
from dirdet_training.head import DIRHead
from dirdet_training.mm.tsd_head import TSDBBoxHead

# isort: split
from collections.abc import Iterable
from typing import Any

import torch
from mmcv.ops import RoIAlign
from mmdet.models import SingleRoIExtractor
from mmdet.models.losses import CrossEntropyCustomLoss, SeesawLoss
from mmdet.models.roi_heads.bbox_heads import BBoxHead, ConvFCBBoxHead, DoubleConvFCBBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead, FusedSemanticHead, HTCMaskHead
from mmdet.models.roi_heads.shared_heads import ResLayer
from torch import nn

from dirdet_export.dissect.layers import plain_layers
from dirdet_export.dissect.supported import (
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
from dirdet_export.graph.box_heads import Cascade, MovedHeads, OneHead, Stage, TwoHeads
from dirdet_export.graph.candidates import Candidates, SeesawCandidates, SigmoidCandidates
from dirdet_export.graph.description import describe
from dirdet_export.graph.heads import ApartHead, FlowHead, MovingHead, PurityHead, SharedHead
from dirdet_export.graph.masks import MaskFlow, MaskHead, Masks, MaskVotes
from dirdet_export.graph.other_poolings import FusedPooling, Pooling, SharedPooling
from dirdet_export.graph.pyramid import PyramidPooling


def read_pooling(extractor: Any) -> PyramidPooling:  # noqa: ANN401
    """The pooling of a SingleRoIExtractor."""
    require_type(extractor, SingleRoIExtractor, name="roi_head.bbox_roi_extractor")
    layer = extractor.roi_layers[0]
    require_type(layer, RoIAlign, name="roi_layer")
    require(layer.pool_mode, "avg", name="roi_layer.pool_mode")
    height, width = layer.output_size
    require(height, width, name="height of roi_layer.output_size")
    return PyramidPooling(
        strides=[int(stride) for stride in extractor.featmap_strides],
        finest_scale=float(extractor.finest_scale),
        output_size=int(height),
        sampling_ratio=int(layer.sampling_ratio),
        aligned=bool(layer.aligned),
    )


def read_fused(roi_head: Any, extractor: Any) -> Pooling:  # noqa: ANN401
    """The pooling of a box or mask extractor; for HTC combined with the semantic branch's."""
    pooling = read_pooling(extractor)
    if roi_head.with_shared_head:
        return _read_shared(pooling, roi_head.shared_head)
    if not has_semantic(roi_head):
        return pooling
    require_type(roi_head.semantic_head, FusedSemanticHead, name="roi_head.semantic_head")
    require(sorted(roi_head.semantic_fusion), ["bbox", "mask"], name="roi_head.semantic_fusion")
    semantic = read_pooling(roi_head.semantic_roi_extractor)
    require(len(semantic.strides), 1, name="number of levels of roi_head.semantic_roi_extractor")
    rest = semantic.output_size % pooling.output_size
    require(rest, 0, name="what is left of the semantic features' size divided by that of the others")
    return FusedPooling(pyramid=pooling, semantic=semantic)


def _read_shared(pooling: PyramidPooling, shared_head: Any) -> SharedPooling:  # noqa: ANN401
    """The pooling of a detector whose backbone ends in the RoI head (C4)."""
    require_type(shared_head, ResLayer, name="roi_head.shared_head")
    layers = plain_layers([getattr(shared_head, f"layer{shared_head.stage + 1}")], name="roi_head.shared_head")
    first = next(part for part in layers.parameters())
    with torch.no_grad():
        side = int(layers(first.new_zeros(1, first.shape[1], pooling.output_size, pooling.output_size)).shape[-1])
    return SharedPooling(pyramid=pooling, layers=layers, output_size=side)


def _require_head(box_head: Any, expected: type[nn.Module]) -> None:  # noqa: ANN401
    if getattr(type(box_head), "forward", None) is not expected.forward:
        require_type(box_head, expected, name="roi_head.bbox_head")
    require(bool(box_head.with_cls and box_head.with_reg), True, name="classes and boxes of roi_head.bbox_head")
    candidates_of(box_head)


def candidates_of(box_head: Any) -> type[Candidates]:  # noqa: ANN401
    """The candidates of a box head's kind of classifier.

    Raises:
        UnsupportedError: the graph cannot compute the classifier's probabilities.
    """
    loss = box_head.loss_cls
    name = "roi_head.bbox_head.loss_cls"
    if type(loss) is SeesawLoss:
        return SeesawCandidates
    if type(loss) is CrossEntropyCustomLoss:
        return SigmoidCandidates if loss.use_sigmoid else Candidates
    require(bool(loss.use_sigmoid), False, name=f"{name}.use_sigmoid")
    require(bool(box_head.custom_cls_channels), False, name=f"custom class channels of {name}")
    return Candidates


def _box_layers(parts: Iterable[Any]) -> nn.Sequential:
    return plain_layers(parts, name="roi_head.bbox_head")


def _connected(layers: Iterable[nn.Module], last: Any = None) -> list[Any]:  # noqa: ANN401
    """Fully-connected layers, each followed by a ReLU, and a last one without."""
    parts = [part for layer in layers for part in (layer, nn.ReLU())]
    return parts if last is None else [*parts, last]


def _read_one_head(pooling: Pooling, box_head: Any) -> OneHead:  # noqa: ANN401
    """One box head.

    The convolutions of ConvFCBBoxHead precede its fully-connected layers, in the shared part and in each branch.
    """
    if type(box_head) is BBoxHead:
        _require_head(box_head, BBoxHead)
        flat = [*([box_head.avg_pool] if box_head.with_avg_pool else []), nn.Flatten()]
        parts = (_box_layers(each) for each in (flat, [box_head.fc_cls], [box_head.fc_reg]))
        return OneHead(
            pooling=pooling, head=SharedHead(**dict(zip(("shared", "classes", "boxes"), parts, strict=True)))
        )
    _require_head(box_head, ConvFCBBoxHead)
    flat = [*([box_head.avg_pool] if box_head.with_avg_pool else []), nn.Flatten()]
    early = bool(box_head.num_shared_fcs)
    late = [] if early else flat
    head = SharedHead(
        shared=_box_layers([*box_head.shared_convs, *(flat if early else []), *_connected(box_head.shared_fcs)]),
        classes=_box_layers([*box_head.cls_convs, *late, *_connected(box_head.cls_fcs, box_head.fc_cls)]),
        boxes=_box_layers([*box_head.reg_convs, *late, *_connected(box_head.reg_fcs, box_head.fc_reg)]),
    )
    return OneHead(pooling=pooling, head=head)


def _read_two_heads(roi_head: Any) -> TwoHeads:  # noqa: ANN401
    head = roi_head.bbox_head
    _require_head(head, DoubleConvFCBBoxHead)
    seen = [head.res_block, *head.conv_branch, head.avg_pool, nn.Flatten()]
    apart = ApartHead(
        classes=_box_layers([nn.Flatten(), *_connected(head.fc_branch, head.fc_cls)]),
        boxes=_box_layers([*seen, head.fc_reg]),
    )
    pooling = read_pooling(roi_head.bbox_roi_extractor)
    return TwoHeads(pooling=pooling, head=apart, enlarge=float(roi_head.reg_roi_scale_factor))


def _read_moved_heads(roi_head: Any) -> MovedHeads:  # noqa: ANN401
    head = roi_head.tsd_head
    _require_head(head, TSDBBoxHead)
    moving = MovingHead(
        classes=_box_layers([nn.Flatten(), head.cls_tower, head.fc_cls]),
        boxes=_box_layers([nn.Flatten(), head.reg_tower, head.fc_reg]),
        look=_box_layers([nn.Flatten(), head.offset_shared]),
        shift=_box_layers(head.shift),
        deform=_box_layers(head.deform),
        offset_scale=float(head.offset_scale),
    )
    return MovedHeads(pooling=read_pooling(roi_head.bbox_roi_extractor), head=moving, **roi_head.moves)


def read_purity_head(dir_head: Any) -> PurityHead:  # noqa: ANN401
    """The two branches of a DIR head."""
    require_type(dir_head, DIRHead, name="roi_head.dir_head")
    branches = (plain_layers(branch, name="roi_head.dir_head") for branch in (dir_head.purity, dir_head.integrity))
    purity, integrity = branches
    return PurityHead(purity=purity, integrity=integrity)


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
    return _read_one_head(read_fused(roi_head, roi_head.bbox_roi_extractor), roi_head.bbox_head)


def _detecting_head(roi_head: Any) -> Any:  # noqa: ANN401
    """The box head that predicts the final boxes and classes."""
    return roi_head.tsd_head if isinstance(roi_head, TSD) else last_of(roi_head.bbox_head)


def _mask_layers(parts: Iterable[Any]) -> nn.Sequential:
    return plain_layers(parts, name="roi_head.mask_head")


def _upsampled(mask_head: Any) -> list[Any]:  # noqa: ANN401
    return [mask_head.upsample, nn.ReLU(), mask_head.conv_logits]


def _read_flow(mask_head: Any, *, first: bool) -> FlowHead:  # noqa: ANN401
    require(bool(first or mask_head.with_conv_res), True, name="with_conv_res of every mask head but the first")
    return FlowHead(entry=None if first else _mask_layers([mask_head.conv_res]), layers=_mask_layers(mask_head.convs))


def read_masks(roi_head: Any) -> Masks | None:  # noqa: ANN401
    """The mask head; None without masks."""
    if not roi_head.with_mask:
        return None
    last, extractor = last_of(roi_head.mask_head), last_of(roi_head.mask_roi_extractor)
    require_type(extractor, SingleRoIExtractor, name="roi_head.mask_roi_extractor")
    strides = list(last_of(roi_head.bbox_roi_extractor).featmap_strides)
    require(list(extractor.featmap_strides), strides, name="roi_head.mask_roi_extractor.featmap_strides")
    pooling = read_fused(roi_head, extractor)
    require(last.upsample_method, "deconv", name="roi_head.mask_head.upsample_cfg.type")
    heads: nn.Module
    if isinstance(roi_head, HTC):
        require(roi_head.mask_info_flow, True, name="roi_head.mask_info_flow")
        for head in roi_head.mask_head:
            require_type(head, HTCMaskHead, name="roi_head.mask_head")
        flow = [_read_flow(head, first=number == 0) for number, head in enumerate(roi_head.mask_head)]
        heads = MaskFlow(pooling=pooling, heads=flow, tell=_mask_layers(_upsampled(last)))
    elif isinstance(roi_head, CASCADE):
        for head, each in zip(roi_head.mask_head, roi_head.mask_roi_extractor, strict=True):
            require_type(head, FCNMaskHead, name="roi_head.mask_head")
            settings = describe(read_pooling(each))
            require(settings, describe(pooling), name="mask_roi_extractor of a stage")
        layers = [_mask_layers([*head.convs, *_upsampled(head)]) for head in roi_head.mask_head]
        heads = MaskVotes(pooling=pooling, heads=layers)
    else:
        require_type(last, FCNMaskHead, name="roi_head.mask_head")
        heads = MaskHead(pooling=pooling, head=_mask_layers([*last.convs, *_upsampled(last)]))
    size = pooling.output_size * int(last.scale_factor)
    return Masks(heads=heads, size=size, class_agnostic=bool(last.class_agnostic))


def read_candidates(roi_head: Any, *, keep: int) -> Candidates:  # noqa: ANN401
    """Box heads with their pooling and decoder; `keep` is M."""
    head = _detecting_head(roi_head)
    return candidates_of(head)(
        pooling=read_fused(roi_head, last_of(roi_head.bbox_roi_extractor)),
        box_heads=_read_box_heads(roi_head),
        decoder=read_decoder(head.bbox_coder, name="roi_head.bbox_head.bbox_coder"),
        classes=head.num_classes,
        class_agnostic=bool(head.reg_class_agnostic),
        keep=keep,
    )
