"""Converts an MMDetection detector to the traceable modules; unsupported settings are refused."""

# First: the plug-in provides the mmcv operators that MMDetection imports.
from dirdet_export.dissect.mmdet_settings import Limits, read_limits, read_proposal_limits

# isort: split
from dataclasses import asdict
from typing import Any

from mmdet.models import (
    CascadeRCNN,
    FasterRCNN,
    HybridTaskCascade,
    MaskRCNN,
    MaskScoringRCNN,
    PanopticFPN,
    RPNHead,
    TridentFasterRCNN,
)
from mmdet.models.task_modules import AnchorGenerator
from mmdet.models.task_modules.prior_generators.anchor_generator import LegacyAnchorGenerator
from torch import nn

from dirdet_export.dissect.input_pipeline import InputPipeline, NetworkInput, read_input
from dirdet_export.dissect.roi_anatomy import read_candidates, read_masks, read_purity_head
from dirdet_export.dissect.supported import (
    CASCADE,
    DOUBLE_HEAD,
    HTC,
    ONE_STAGE,
    TSD,
    has_semantic,
    last_of,
    read_decoder,
    require,
    require_type,
)
from dirdet_export.dissect.traceable import with_traceable_parts
from dirdet_export.graph.box_heads import MovedHeads
from dirdet_export.graph.boxes import BoxDecoder
from dirdet_export.graph.detector import Detector
from dirdet_export.graph.proposals import Proposals
from dirdet_export.graph.pyramid import PyramidPooling
from dirdet_export.graph.roi_stage import RoIStage
from dirdet_export.graph.trunk import Trunk

DETECTORS = (
    FasterRCNN,
    MaskRCNN,
    MaskScoringRCNN,
    CascadeRCNN,
    HybridTaskCascade,
    TridentFasterRCNN,
    PanopticFPN,
)

# Exported canvases are multiples of this, and MMDetection's padding must be too.
CANVAS_MULTIPLE = 32


def _read_trunk(model: Any, seen: NetworkInput) -> Trunk:  # noqa: ANN401
    return Trunk(
        backbone=model.backbone,
        neck=model.neck if model.with_neck else nn.Identity(),
        rpn_head=model.rpn_head,
        roi_levels=last_of(model.roi_head.bbox_roi_extractor).num_inputs,
        semantic_head=model.roi_head.semantic_head if has_semantic(model.roi_head) else None,
        **asdict(seen),
    )


def _read_proposals(rpn: Any) -> Proposals:  # noqa: ANN401
    require_type(rpn.prior_generator, AnchorGenerator, LegacyAnchorGenerator, name="rpn_head.anchor_generator")
    require(rpn.cls_out_channels, 1, name="rpn_head classes (sigmoid)")
    return Proposals(
        base_anchors=rpn.prior_generator.base_anchors,
        strides_wh=[(int(width), int(height)) for width, height in rpn.prior_generator.strides],
        decoder=read_decoder(rpn.bbox_coder, name="rpn_head.bbox_coder"),
        **asdict(read_proposal_limits(rpn.test_cfg)),
    )


def _tell_boxes_beyond_canvas(stage: RoIStage) -> None:
    """Tells the poolings whether boxes may end beyond the canvas, where RoIAlign reads zeros, in place."""
    inside = all(part.clip for part in stage.modules() if isinstance(part, BoxDecoder))
    for part in stage.modules():
        if isinstance(part, PyramidPooling):
            part.inside = inside
        if isinstance(part, MovedHeads):
            require(inside and part.pooling.aligned, True, name="clip_border and roi_layer.aligned of TSD")


def dissect(model: nn.Module, pipeline: InputPipeline | None = None) -> tuple[Detector, Limits]:
    """Converts an MMDetection detector to a traceable one in evaluation mode, with shared weights.

    Args:
        model: MMDetection's detector.
        pipeline: its test pipeline; None for one without Pad and Normalize.

    Raises:
        UnsupportedError: the architecture or a setting cannot be reproduced; names it and what is supported.
    """
    require_type(model, *DETECTORS, name="type")
    part: Any = model
    require_type(part.rpn_head, RPNHead, name="rpn_head")
    require_type(part.roi_head, *ONE_STAGE, *DOUBLE_HEAD, *TSD, *CASCADE, *HTC, name="roi_head")
    branch = getattr(part.roi_head, "test_branch_idx", 0)
    require(branch != -1, True, name="one branch of TridentNet (test_branch_idx)")
    limits = read_limits(model)
    seen = read_input(part.data_preprocessor, pipeline)
    stage = RoIStage(
        proposals=_read_proposals(part.rpn_head),
        candidates=read_candidates(part.roi_head, keep=limits.max_candidates),
        dir_head=read_purity_head(part.roi_head.dir_head) if limits.predicts_iou else None,
        levels=last_of(part.roi_head.bbox_roi_extractor).num_inputs,
        keep=limits.max_detections,
        masks=read_masks(part.roi_head),
        semantic=has_semantic(part.roi_head),
        multiple=seen.multiple,
        at_least_hw=seen.at_least_hw,
        nms_over_classes=limits.nms_over_classes,
        judged=limits.judged,
    )
    _tell_boxes_beyond_canvas(stage)
    detector = Detector(trunk=_read_trunk(model, seen), roi_stage=stage).eval()
    return with_traceable_parts(detector), limits
