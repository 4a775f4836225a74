"""Takes an MMDetection detector apart into the traceable modules, and refuses what they could not reproduce."""

# First: the plug-in gives mmcv the operators that MMDetection imports.
from dirdet_training.head import DIRHead
from dirdet_training.mm.dir_mixin import DEFAULT_MAX_CANDIDATES, DIRMixin

# isort: split
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmdet.models import CascadeRCNN, FasterRCNN, HybridTaskCascade, MaskRCNN, RPNHead
from mmdet.models.task_modules import AnchorGenerator
from torch import nn

from dirdet_export.deformable import with_traceable_convolutions
from dirdet_export.graph.detector import Detector
from dirdet_export.graph.proposals import Proposals
from dirdet_export.graph.roi_stage import RoIStage
from dirdet_export.graph.trunk import Trunk
from dirdet_export.roi_anatomy import read_candidates, read_masks
from dirdet_export.supported import (
    CASCADE,
    DOUBLE_HEAD,
    HTC,
    ONE_STAGE,
    TSD,
    has_semantic,
    last_of,
    nms_threshold,
    read_decoder,
    require,
    require_type,
)

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
        nms_iou_threshold=nms_threshold(config.nms, name="test_cfg.rcnn.nms"),
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
        roi_levels=last_of(model.roi_head.bbox_roi_extractor).num_inputs,
        semantic_head=model.roi_head.semantic_head if has_semantic(model.roi_head) else None,
    )


def _read_proposals(rpn: Any) -> Proposals:  # noqa: ANN401
    require_type(rpn.prior_generator, AnchorGenerator, name="rpn_head.anchor_generator")
    require(rpn.cls_out_channels, 1, name="rpn_head classes (sigmoid)")
    config = rpn.test_cfg
    per_level = int(config.get("nms_pre", -1))
    min_side = float(config.get("min_bbox_size", -1))
    return Proposals(
        base_anchors=rpn.prior_generator.base_anchors,
        strides_wh=[(int(width), int(height)) for width, height in rpn.prior_generator.strides],
        decoder=read_decoder(rpn.bbox_coder, name="rpn_head.bbox_coder"),
        per_level=per_level if per_level > 0 else None,
        keep=int(config.max_per_img),
        iou_threshold=nms_threshold(config.nms, name="test_cfg.rpn.nms"),
        min_side=min_side if min_side >= 0 else None,
    )


def dissect(model: nn.Module) -> tuple[Detector, Limits]:
    """The traceable detector that shares its weights with an MMDetection one, in evaluation mode.

    Raises:
        UnsupportedError: an architecture or a setting that it could not reproduce; says which and what is supported.
    """
    require_type(model, FasterRCNN, MaskRCNN, CascadeRCNN, HybridTaskCascade, name="type")
    part: Any = model
    require_type(part.rpn_head, RPNHead, name="rpn_head")
    require_type(part.roi_head, *ONE_STAGE, *DOUBLE_HEAD, *TSD, *CASCADE, *HTC, name="roi_head")
    require(bool(part.with_neck), True, name="a neck")
    if type(part.roi_head) in CASCADE:
        require(bool(part.roi_head.with_mask), False, name="a mask head in CascadeRoIHead")
    require(bool(part.roi_head.with_shared_head), False, name="a shared head")
    limits = read_limits(model)
    if limits.predicts_iou:
        require_type(part.roi_head.dir_head, DIRHead, name="roi_head.dir_head")
        require(part.roi_head.sights["dir"].inference, "refined", name="roi_head.sights.inference")
        require(part.roi_head.test_cfg.get("combination", "iou"), "iou", name="test_cfg.rcnn.combination")
    stage = RoIStage(
        proposals=_read_proposals(part.rpn_head),
        candidates=read_candidates(part.roi_head, keep=limits.max_candidates),
        dir_head=part.roi_head.dir_head if limits.predicts_iou else None,
        levels=last_of(part.roi_head.bbox_roi_extractor).num_inputs,
        keep=limits.max_detections,
        masks=read_masks(part.roi_head),
        semantic=has_semantic(part.roi_head),
    )
    detector = Detector(trunk=_read_trunk(model), roi_stage=stage).eval()
    return with_traceable_convolutions(detector), limits
