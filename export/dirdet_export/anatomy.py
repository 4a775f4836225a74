"""Takes an MMDetection detector apart into the traceable modules, and refuses what they could not reproduce."""

# First: the plug-in gives mmcv the operators that MMDetection imports.
from dirdet_training.head import DIRHead
from dirdet_training.mm.dir_mixin import DIRMixin
from dirdet_training.mm.roi_heads import (
    DIRCascadeRoIHead,
    DIRDoubleHeadRoIHead,
    DIRHybridTaskCascadeRoIHead,
    DIRStandardRoIHead,
    DIRTSDRoIHead,
)
from dirdet_training.mm.tsd import TSDRoIHead
from dirdet_training.mm.tsd_head import TSDBBoxHead

# isort: split
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmcv.ops import RoIAlign
from mmdet.models import (
    CascadeRCNN,
    CascadeRoIHead,
    FasterRCNN,
    HybridTaskCascade,
    MaskRCNN,
    RPNHead,
    SingleRoIExtractor,
    StandardRoIHead,
)
from mmdet.models.roi_heads import DoubleHeadRoIHead, HybridTaskCascadeRoIHead
from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead, DoubleConvFCBBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead, FusedSemanticHead, HTCMaskHead
from mmdet.models.task_modules import AnchorGenerator, DeltaXYWHBBoxCoder
from torch import nn

from dirdet_export.deformable import with_traceable_convolutions
from dirdet_export.errors import UnsupportedError
from dirdet_export.graph.box_heads import Cascade, MovedHeads, OneHead, Stage, TwoHeads
from dirdet_export.graph.boxes import BoxDecoder
from dirdet_export.graph.candidates import Candidates
from dirdet_export.graph.detector import Detector
from dirdet_export.graph.fused import FusedPooling, Pooling
from dirdet_export.graph.masks import MaskFlow, MaskHead, Masks
from dirdet_export.graph.proposals import Proposals
from dirdet_export.graph.pyramid import PyramidPooling
from dirdet_export.graph.roi_stage import RoIStage
from dirdet_export.graph.trunk import Trunk
from dirdet_training.mm.dir_mixin import DEFAULT_MAX_CANDIDATES

ONE_STAGE = (StandardRoIHead, DIRStandardRoIHead)
DOUBLE_HEAD = (DoubleHeadRoIHead, DIRDoubleHeadRoIHead)
TSD = (TSDRoIHead, DIRTSDRoIHead)
CASCADE = (CascadeRoIHead, DIRCascadeRoIHead)
HTC = (HybridTaskCascadeRoIHead, DIRHybridTaskCascadeRoIHead)
SUPPORTED = "Faster, Mask, Cascade and Double-Head R-CNN, TSD and HTC with RPNHead and SingleRoIExtractor"

# MMDetection's own multiclass_nms has no such cut. A thousand pairs above the threshold are ten times what it keeps.
DEFAULT_CANDIDATES = {True: DEFAULT_MAX_CANDIDATES, False: 1000}

# The exported canvases are multiples of this, and so must be what MMDetection pads to.
CANVAS_MULTIPLE = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes and default thresholds of a detector.

    Attributes:
        max_candidates: M.
        max_detections: D.
        score_threshold: a candidate's score is above it.
        nms_iou_threshold: of the last NMS.
        iou_weight: w of the confidence; 0 for a plain detector.
        predicts_iou: there is a DIR head.
        mask_threshold: a pixel belongs to a mask where its probability reaches it; None where there are no masks.
    """

    max_candidates: int
    max_detections: int
    score_threshold: float
    nms_iou_threshold: float
    iou_weight: float
    predicts_iou: bool
    mask_threshold: float | None = None


def require(actual: object, expected: object, *, name: str) -> None:
    """Refuses a setting whose value the exported graph could not reproduce.

    Raises:
        UnsupportedError: actual is not expected.
    """
    if actual != expected:
        raise UnsupportedError(f"export supports {name} = {expected!r} only; this detector has {actual!r}")


def _require_type(part: object, *types: type, name: str) -> None:
    if type(part) not in types:
        names = " or ".join(known.__name__ for known in types)
        raise UnsupportedError(
            f"export supports {SUPPORTED}; this detector's {name} is {type(part).__name__}, expected {names}"
        )


def _nms_threshold(config: Mapping[str, Any], *, name: str) -> float:
    require(config.get("type", "nms"), "nms", name=f"{name}.type")
    known = {"type", "iou_threshold", "split_thr", "class_agnostic"}
    unknown = sorted(set(config) - known)
    require(unknown, [], name=f"settings of {name} beside iou_threshold")
    require(bool(config.get("class_agnostic", False)), False, name=f"{name}.class_agnostic")
    return float(config["iou_threshold"])


def _decoder(coder: Any, *, name: str) -> BoxDecoder:  # noqa: ANN401
    _require_type(coder, DeltaXYWHBBoxCoder, name=name)
    require(coder.add_ctr_clamp, False, name=f"{name}.add_ctr_clamp")
    return BoxDecoder(means=list(coder.means), stds=list(coder.stds), clip=coder.clip_border)


def read_limits(model: Any) -> Limits:  # noqa: ANN401
    """Sizes and thresholds from the detector's test_cfg.

    Raises:
        UnsupportedError: a setting that the exported graph could not reproduce.
    """
    predicts_iou = isinstance(model.roi_head, DIRMixin)
    config = model.roi_head.test_cfg
    return Limits(
        max_candidates=int(config.get("max_candidates", DEFAULT_CANDIDATES[predicts_iou])),
        max_detections=int(config.max_per_img),
        score_threshold=float(config.score_thr),
        nms_iou_threshold=_nms_threshold(config.nms, name="test_cfg.rcnn.nms"),
        iou_weight=float(config.get("iou_weight", 0.5)) if predicts_iou else 0.0,
        predicts_iou=predicts_iou,
        mask_threshold=_mask_threshold(config) if model.roi_head.with_mask else None,
    )


def _mask_threshold(config: Mapping[str, Any]) -> float:
    threshold = float(config["mask_thr_binary"])
    require(0 <= threshold <= 1, True, name="test_cfg.rcnn.mask_thr_binary in 0..1")
    return threshold


def _read_trunk(model: Any) -> Trunk:  # noqa: ANN401
    preprocessor = model.data_preprocessor
    require(preprocessor.pad_size_divisor, CANVAS_MULTIPLE, name="data_preprocessor.pad_size_divisor")
    normalises = preprocessor._enable_normalize
    return Trunk(
        backbone=model.backbone,
        neck=model.neck,
        rpn_head=model.rpn_head,
        mean=preprocessor.mean.flatten().tolist() if normalises else [0.0] * 3,
        std=preprocessor.std.flatten().tolist() if normalises else [1.0] * 3,
        # MMDetection reads pictures blue first, and a preprocessor that converts turns them round.
        swap_channels=not preprocessor._channel_conversion,
        padding_value=float(preprocessor.pad_value),
        roi_levels=_last(model.roi_head.bbox_roi_extractor).num_inputs,
        semantic_head=model.roi_head.semantic_head if _has_semantic(model.roi_head) else None,
    )


def _last(parts: Any) -> Any:  # noqa: ANN401
    """A cascade's last stage of something, or the thing itself where there are no stages."""
    return parts[-1] if isinstance(parts, nn.ModuleList) else parts


def _read_proposals(rpn: Any) -> Proposals:  # noqa: ANN401
    _require_type(rpn.prior_generator, AnchorGenerator, name="rpn_head.anchor_generator")
    require(rpn.cls_out_channels, 1, name="rpn_head classes (sigmoid)")
    config = rpn.test_cfg
    per_level = int(config.get("nms_pre", -1))
    min_side = float(config.get("min_bbox_size", -1))
    return Proposals(
        base_anchors=rpn.prior_generator.base_anchors,
        strides_wh=[(int(width), int(height)) for width, height in rpn.prior_generator.strides],
        decoder=_decoder(rpn.bbox_coder, name="rpn_head.bbox_coder"),
        per_level=per_level if per_level > 0 else None,
        keep=int(config.max_per_img),
        iou_threshold=_nms_threshold(config.nms, name="test_cfg.rpn.nms"),
        min_side=min_side if min_side >= 0 else None,
    )


def _read_pooling(extractor: Any) -> PyramidPooling:  # noqa: ANN401
    _require_type(extractor, SingleRoIExtractor, name="roi_head.bbox_roi_extractor")
    layer = extractor.roi_layers[0]
    _require_type(layer, RoIAlign, name="roi_layer")
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


def _has_semantic(roi_head: Any) -> bool:  # noqa: ANN401
    return isinstance(roi_head, HTC) and bool(roi_head.with_semantic)


def _read_fused(roi_head: Any, extractor: Any) -> Pooling:  # noqa: ANN401
    """A box or mask extractor's pooling, in HTC with the semantic branch's."""
    pooling = _read_pooling(extractor)
    if not _has_semantic(roi_head):
        return pooling
    _require_type(roi_head.semantic_head, FusedSemanticHead, name="roi_head.semantic_head")
    require(sorted(roi_head.semantic_fusion), ["bbox", "mask"], name="roi_head.semantic_fusion")
    semantic = _read_pooling(roi_head.semantic_roi_extractor)
    require(len(semantic.strides), 1, name="number of levels of roi_head.semantic_roi_extractor")
    rest = semantic.output_size % pooling.output_size
    require(rest, 0, name="what is left of the semantic features' size divided by that of the others")
    return FusedPooling(pyramid=pooling, semantic=semantic)


def _require_head(box_head: Any, expected: type) -> None:  # noqa: ANN401
    if not isinstance(box_head, expected):
        _require_type(box_head, expected, name="roi_head.bbox_head")
    require(bool(box_head.loss_cls.use_sigmoid), False, name="roi_head.bbox_head.loss_cls.use_sigmoid")
    require(bool(box_head.custom_cls_channels), False, name="custom class channels of roi_head.bbox_head")


def _read_one_head(pooling: Pooling, box_head: Any) -> OneHead:  # noqa: ANN401
    _require_head(box_head, ConvFCBBoxHead)
    return OneHead(pooling=pooling, head=box_head)


def _read_two_heads(roi_head: Any) -> TwoHeads:  # noqa: ANN401
    _require_head(roi_head.bbox_head, DoubleConvFCBBoxHead)
    pooling = _read_pooling(roi_head.bbox_roi_extractor)
    return TwoHeads(pooling=pooling, head=roi_head.bbox_head, enlarge=float(roi_head.reg_roi_scale_factor))


def _read_moved_heads(roi_head: Any) -> MovedHeads:  # noqa: ANN401
    _require_head(roi_head.tsd_head, TSDBBoxHead)
    return MovedHeads(pooling=_read_pooling(roi_head.bbox_roi_extractor), head=roi_head.tsd_head, **roi_head.moves)


def _read_cascade(roi_head: Any) -> Cascade:  # noqa: ANN401
    stages: list[Stage] = []
    for extractor, box_head in zip(roi_head.bbox_roi_extractor, roi_head.bbox_head, strict=True):
        stages.append(
            Stage(
                look=_read_one_head(_read_fused(roi_head, extractor), box_head),
                decoder=_decoder(box_head.bbox_coder, name="roi_head.bbox_head.bbox_coder"),
                class_agnostic=bool(box_head.reg_class_agnostic),
            )
        )
        levels = _last(roi_head.bbox_roi_extractor).num_inputs
        require(extractor.num_inputs, levels, name="levels of every stage's bbox_roi_extractor")
    return Cascade(stages)


def _read_box_heads(roi_head: Any) -> nn.Module:  # noqa: ANN401
    if isinstance(roi_head, CASCADE):
        return _read_cascade(roi_head)
    if isinstance(roi_head, DOUBLE_HEAD):
        return _read_two_heads(roi_head)
    if isinstance(roi_head, TSD):
        return _read_moved_heads(roi_head)
    return _read_one_head(_read_pooling(roi_head.bbox_roi_extractor), roi_head.bbox_head)


def _detecting_head(roi_head: Any) -> Any:  # noqa: ANN401
    """The box head whose boxes and classes are detected."""
    return roi_head.tsd_head if isinstance(roi_head, TSD) else _last(roi_head.bbox_head)


def _read_masks(roi_head: Any) -> Masks | None:  # noqa: ANN401
    if not roi_head.with_mask:
        return None
    last, extractor = _last(roi_head.mask_head), _last(roi_head.mask_roi_extractor)
    _require_type(extractor, SingleRoIExtractor, name="roi_head.mask_roi_extractor")
    strides = list(_last(roi_head.bbox_roi_extractor).featmap_strides)
    require(list(extractor.featmap_strides), strides, name="roi_head.mask_roi_extractor.featmap_strides")
    pooling = _read_fused(roi_head, extractor)
    heads: nn.Module
    if isinstance(roi_head, HTC):
        require(roi_head.mask_info_flow, True, name="roi_head.mask_info_flow")
        for head in roi_head.mask_head:
            _require_type(head, HTCMaskHead, name="roi_head.mask_head")
        heads = MaskFlow(pooling=pooling, heads=list(roi_head.mask_head))
    else:
        _require_type(last, FCNMaskHead, name="roi_head.mask_head")
        heads = MaskHead(pooling=pooling, head=last)
    require(last.upsample_method, "deconv", name="roi_head.mask_head.upsample_cfg.type")
    size = pooling.output_size * int(last.scale_factor)
    return Masks(heads=heads, size=size, class_agnostic=bool(last.class_agnostic))


def _read_candidates(roi_head: Any, limits: Limits) -> Candidates:  # noqa: ANN401
    box_heads, last = _read_box_heads(roi_head), _detecting_head(roi_head)
    return Candidates(
        pooling=_read_fused(roi_head, _last(roi_head.bbox_roi_extractor)),
        box_heads=box_heads,
        decoder=_decoder(last.bbox_coder, name="roi_head.bbox_head.bbox_coder"),
        classes=last.num_classes,
        class_agnostic=bool(last.reg_class_agnostic),
        keep=limits.max_candidates,
    )


def dissect(model: nn.Module) -> tuple[Detector, Limits]:
    """The traceable detector that shares its weights with an MMDetection one, in evaluation mode.

    Raises:
        UnsupportedError: an architecture or a setting that it could not reproduce; says which and what is supported.
    """
    _require_type(model, FasterRCNN, MaskRCNN, CascadeRCNN, HybridTaskCascade, name="type")
    part: Any = model
    _require_type(part.rpn_head, RPNHead, name="rpn_head")
    _require_type(part.roi_head, *ONE_STAGE, *DOUBLE_HEAD, *TSD, *CASCADE, *HTC, name="roi_head")
    require(bool(part.with_neck), True, name="a neck")
    if type(part.roi_head) in CASCADE:
        require(bool(part.roi_head.with_mask), False, name="a mask head in CascadeRoIHead")
    require(bool(part.roi_head.with_shared_head), False, name="a shared head")
    limits = read_limits(model)
    if limits.predicts_iou:
        _require_type(part.roi_head.dir_head, DIRHead, name="roi_head.dir_head")
        require(part.roi_head.sights["dir"].inference, "refined", name="roi_head.sights.inference")
        require(part.roi_head.test_cfg.get("combination", "iou"), "iou", name="test_cfg.rcnn.combination")
    stage = RoIStage(
        proposals=_read_proposals(part.rpn_head),
        candidates=_read_candidates(part.roi_head, limits),
        dir_head=part.roi_head.dir_head if limits.predicts_iou else None,
        levels=_last(part.roi_head.bbox_roi_extractor).num_inputs,
        keep=limits.max_detections,
        masks=_read_masks(part.roi_head),
        semantic=_has_semantic(part.roi_head),
    )
    detector = Detector(trunk=_read_trunk(model), roi_stage=stage).eval()
    return with_traceable_convolutions(detector), limits
