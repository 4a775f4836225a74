"""Converts the parts of a RoI head: box heads, masks."""

# First: the plug-in provides the mmcv operators that MMDetection imports.
from dirdet_training.head import DIRHead
from dirdet_training.mm.sabl import DIRSABLHead
from dirdet_training.mm.tsd_head import TSDBBoxHead

# isort: split
from collections.abc import Iterable
from typing import Any, cast

from mmcv.ops import SimpleRoIAlign
from mmdet.models.losses import CrossEntropyCustomLoss, SeesawLoss
from mmdet.models.roi_heads.bbox_heads import BBoxHead, ConvFCBBoxHead, DoubleConvFCBBoxHead, SABLHead, SCNetBBoxHead
from mmdet.models.roi_heads.mask_heads import (
    CoarseMaskHead,
    FCNMaskHead,
    FeatureRelayHead,
    HTCMaskHead,
    MaskPointHead,
    SCNetMaskHead,
)
from torch import nn

from dirdet_export.dissect.layers import plain_layers
from dirdet_export.dissect.pooling_anatomy import read_fused, read_pooling, read_single
from dirdet_export.dissect.supported import (
    CASCADE,
    DOUBLE_HEAD,
    HTC,
    POINT_REND,
    SCNET,
    TSD,
    last_of,
    read_bucket_decoder,
    read_decoder,
    require,
    require_type,
)
from dirdet_export.errors import UnsupportedError
from dirdet_export.graph.box_heads import Cascade, Decoder, MovedHeads, OneHead, Stage, TwoHeads
from dirdet_export.graph.candidates import Candidates, SeesawCandidates, SigmoidCandidates
from dirdet_export.graph.description import describe
from dirdet_export.graph.heads import ApartHead, FlowHead, MovingHead, PurityHead, SharedHead
from dirdet_export.graph.masks import MaskFlow, MaskHead, Masks, MaskVotes, RelayedMaskHead
from dirdet_export.graph.other_poolings import Pooling
from dirdet_export.graph.point_masks import PointMaskHead
from dirdet_export.graph.side_head import SideHead


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
    if isinstance(box_head, SABLHead):
        return OneHead(pooling=pooling, head=_read_side_head(box_head))
    if type(box_head) is BBoxHead:
        _require_head(box_head, BBoxHead)
        flat = [*([box_head.avg_pool] if box_head.with_avg_pool else []), nn.Flatten()]
        parts = (_box_layers(each) for each in (flat, [box_head.fc_cls], [box_head.fc_reg]))
        return OneHead(
            pooling=pooling, head=SharedHead(**dict(zip(("shared", "classes", "boxes"), parts, strict=True)))
        )
    # SCNet's is the same head, which can also return its shared features.
    _require_head(box_head, SCNetBBoxHead if type(box_head) is SCNetBBoxHead else ConvFCBBoxHead)
    flat = [*([box_head.avg_pool] if box_head.with_avg_pool else []), nn.Flatten()]
    early = bool(box_head.num_shared_fcs)
    late = [] if early else flat
    head = SharedHead(
        shared=_box_layers([*box_head.shared_convs, *(flat if early else []), *_connected(box_head.shared_fcs)]),
        classes=_box_layers([*box_head.cls_convs, *late, *_connected(box_head.cls_fcs, box_head.fc_cls)]),
        boxes=_box_layers([*box_head.reg_convs, *late, *_connected(box_head.reg_fcs, box_head.fc_reg)]),
    )
    return OneHead(pooling=pooling, head=head)


def _read_side_head(head: Any) -> SideHead:  # noqa: ANN401
    require_type(head, SABLHead, DIRSABLHead, name="roi_head.bbox_head")
    candidates_of(head)
    ups = [[layer, nn.ReLU()] if head.reg_feat_up_ratio > 1 else [] for layer in (head.upsample_x, head.upsample_y)]
    columns, rows = (
        nn.Sequential(_box_layers(convolutions), nn.Sequential(*up))
        for convolutions, up in zip((head.reg_post_conv_xs, head.reg_post_conv_ys), ups, strict=True)
    )
    return SideHead(
        classes=_box_layers([nn.Flatten(), *_connected(head.cls_fcs, head.fc_cls)]),
        shared=_box_layers(head.reg_pre_convs),
        attention=_box_layers([head.reg_conv_att_x, head.reg_conv_att_y]),
        columns=columns,
        rows=rows,
        buckets=_box_layers(_connected(head.reg_cls_fcs, head.fc_reg_cls)),
        offsets=_box_layers(_connected(head.reg_offset_fcs, head.fc_reg_offset)),
    )


def _read_decoder(head: Any) -> Decoder:  # noqa: ANN401
    """The decoder of a box head's deltas."""
    if isinstance(head, SABLHead):
        return read_bucket_decoder(head.bbox_coder)
    return read_decoder(head.bbox_coder, name="roi_head.bbox_head.bbox_coder")


def _read_two_heads(roi_head: Any) -> TwoHeads:  # noqa: ANN401
    head = roi_head.bbox_head
    _require_head(head, DoubleConvFCBBoxHead)
    seen = [head.res_block, *head.conv_branch, head.avg_pool, nn.Flatten()]
    apart = ApartHead(
        classes=_box_layers([nn.Flatten(), *_connected(head.fc_branch, head.fc_cls)]),
        boxes=_box_layers([*seen, head.fc_reg]),
    )
    pooling = read_single(roi_head.bbox_roi_extractor)
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
    return MovedHeads(pooling=read_single(roi_head.bbox_roi_extractor), head=moving, **roi_head.moves)


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
                decoder=_read_decoder(box_head),
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


# Of mask heads.
UPSAMPLING = ("deconv", "carafe")


def _upsampled(mask_head: Any) -> list[Any]:  # noqa: ANN401
    between = [nn.ReLU()] if mask_head.upsample_method == "deconv" else []
    return [mask_head.upsample, *between, mask_head.conv_logits]


def _read_flow(mask_head: Any, *, first: bool) -> FlowHead:  # noqa: ANN401
    require(bool(first or mask_head.with_conv_res), True, name="with_conv_res of every mask head but the first")
    return FlowHead(entry=None if first else _mask_layers([mask_head.conv_res]), layers=_mask_layers(mask_head.convs))


def _read_relayed(roi_head: Any) -> RelayedMaskHead:  # noqa: ANN401
    """SCNet's mask head, which also sees the last box head's features of the detections."""
    require_type(roi_head.mask_head, SCNetMaskHead, name="roi_head.mask_head")
    relay, last = roi_head.feat_relay_head, last_of(roi_head.bbox_head)
    require_type(relay, FeatureRelayHead, name="roi_head.feat_relay_head")
    box_pooling = read_fused(roi_head, last_of(roi_head.bbox_roi_extractor))
    look = _read_one_head(box_pooling, last)
    return RelayedMaskHead(
        pooling=read_fused(roi_head, roi_head.mask_roi_extractor),
        head=_mask_layers([*roi_head.mask_head.convs, *_upsampled(roi_head.mask_head)]),
        box_pooling=box_pooling,
        box_layers=nn.Sequential(*cast(SharedHead, look.head).shared),
        relay=_mask_layers([relay.fc]),
        side=int(relay.roi_feat_size),
    )


def _read_points(roi_head: Any) -> Masks:  # noqa: ANN401
    """PointRend's mask head."""
    extractor, coarse, points, config = (
        roi_head.mask_roi_extractor, roi_head.mask_head, roi_head.point_head, roi_head.test_cfg
    )  # fmt: skip
    align = extractor.roi_layers[0]
    require_type(align, SimpleRoIAlign, name="roi_layer of PointRend")
    require(bool(align.aligned), True, name="roi_layer.aligned of PointRend")
    finest = [last_of(roi_head.bbox_roi_extractor).featmap_strides[0]]
    require(list(extractor.featmap_strides), finest, name="roi_head.mask_roi_extractor.featmap_strides")
    require_type(coarse, CoarseMaskHead, name="roi_head.mask_head")
    require_type(points, MaskPointHead, name="roi_head.point_head")
    require(bool(points.class_agnostic or coarse.class_agnostic), False, name="class_agnostic of PointRend")
    require(float(config.scale_factor), 2.0, name="test_cfg.rcnn.scale_factor of PointRend")
    shrink = [] if coarse.downsample_conv is None else [coarse.downsample_conv]
    head = PointMaskHead(
        coarse=_mask_layers([*coarse.convs, *shrink, nn.Flatten(), *_connected(coarse.fcs, coarse.fc_logits)]),
        layers=[_mask_layers([layer]) for layer in points.fcs],
        last=_mask_layers([points.fc_logits]),
        stride=int(finest[0]),
        pooled=int(align.output_size[0]),
        side=int(coarse.output_size[0]),
        steps=int(config.subdivision_steps),
        points=int(config.subdivision_num_points),
        again=bool(points.coarse_pred_each_layer),
    )
    return Masks(heads=head, size=head.size, class_agnostic=False)


def read_masks(roi_head: Any) -> Masks | None:  # noqa: ANN401
    """The mask head; None without masks."""
    if not roi_head.with_mask:
        return None
    if isinstance(roi_head, POINT_REND):
        return _read_points(roi_head)
    last, extractor = last_of(roi_head.mask_head), last_of(roi_head.mask_roi_extractor)
    strides = list(last_of(roi_head.bbox_roi_extractor).featmap_strides)
    require(list(extractor.featmap_strides), strides, name="roi_head.mask_roi_extractor.featmap_strides")
    pooling = read_fused(roi_head, extractor)
    if last.upsample_method not in UPSAMPLING:
        raise UnsupportedError(
            f"export supports roi_head.mask_head.upsample_cfg.type {' or '.join(UPSAMPLING)}; this detector has "
            f"{last.upsample_method!r}"
        )
    heads: nn.Module
    if isinstance(roi_head, HTC):
        require(roi_head.mask_info_flow, True, name="roi_head.mask_info_flow")
        for head in roi_head.mask_head:
            require_type(head, HTCMaskHead, name="roi_head.mask_head")
        flow = [_read_flow(head, first=number == 0) for number, head in enumerate(roi_head.mask_head)]
        heads = MaskFlow(pooling=pooling, heads=flow, tell=_mask_layers(_upsampled(last)))
    elif isinstance(roi_head, SCNET):
        heads = _read_relayed(roi_head)
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
        decoder=_read_decoder(head),
        classes=head.num_classes,
        class_agnostic=bool(head.reg_class_agnostic),
        keep=keep,
    )
