"""Converts an MMDetection detector to the traceable modules; unsupported settings are refused."""

# First: the plug-in provides the mmcv operators that MMDetection imports.
from dirdet_export.dissect.mmdet_settings import Limits, read_limits

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
    PointRend,
    SCNet,
    TridentFasterRCNN,
)
from mmdet.models.roi_heads.mask_heads import GlobalContextHead
from torch import nn

from dirdet_export.dissect.input_pipeline import InputPipeline, NetworkInput, read_input
from dirdet_export.dissect.roi_anatomy import read_candidates, read_masks, read_purity_head
from dirdet_export.dissect.rpn_anatomy import read_proposals, read_rpn_head
from dirdet_export.dissect.supported import (
    CASCADE,
    DOUBLE_HEAD,
    HTC,
    ONE_STAGE,
    SCNET,
    TSD,
    has_semantic,
    last_of,
    require,
    require_type,
)
from dirdet_export.dissect.traceable import with_traceable_parts
from dirdet_export.graph.box_heads import MovedHeads
from dirdet_export.graph.boxes import BoxDecoder
from dirdet_export.graph.detector import Detector
from dirdet_export.graph.pyramid import PyramidPooling
from dirdet_export.graph.roi_stage import RoIStage
from dirdet_export.graph.side_head import BucketDecoder
from dirdet_export.graph.trunk import SemanticWithContext, Trunk

DETECTORS = (
    FasterRCNN,
    MaskRCNN,
    MaskScoringRCNN,
    CascadeRCNN,
    HybridTaskCascade,
    TridentFasterRCNN,
    PanopticFPN,
    PointRend,
    SCNet,
)

# Exported canvases are multiples of this, and MMDetection's padding must be too.
CANVAS_MULTIPLE = 32


def _read_trunk(model: Any, seen: NetworkInput) -> Trunk:  # noqa: ANN401
    return Trunk(
        backbone=model.backbone,
        neck=model.neck if model.with_neck else nn.Identity(),
        rpn_head=read_rpn_head(model.rpn_head),
        roi_levels=last_of(model.roi_head.bbox_roi_extractor).num_inputs,
        semantic_head=_read_semantic(model.roi_head),
        **asdict(seen),
    )


def _read_semantic(roi_head: Any) -> nn.Module | None:  # noqa: ANN401
    """The branch whose features are pooled beside the pyramid's; None without one."""
    if not isinstance(roi_head, SCNET):
        return roi_head.semantic_head if has_semantic(roi_head) else None
    parts = bool(roi_head.with_semantic and roi_head.with_glbctx and roi_head.with_feat_relay)
    require(parts, True, name="the semantic branch, global context and feature relay of SCNet")
    require_type(roi_head.glbctx_head, GlobalContextHead, name="roi_head.glbctx_head")
    return SemanticWithContext(semantic=roi_head.semantic_head, context=roi_head.glbctx_head)


def _tell_boxes_beyond_canvas(stage: RoIStage, roi_head: Any) -> None:  # noqa: ANN401
    """Tells the poolings whether boxes may end beyond the canvas, where RoIAlign reads zeros, in place."""
    # Guided anchors are not pooled.
    unpooled = getattr(stage.proposals, "anchor_decoder", None)
    decoders = [
        part for part in stage.modules() if isinstance(part, BoxDecoder | BucketDecoder) and part is not unpooled
    ]
    inside = all(part.clip for part in decoders)
    require(inside or not isinstance(roi_head, SCNET), True, name="clip_border of SCNet")
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
    require_type(part.roi_head, *ONE_STAGE, *DOUBLE_HEAD, *TSD, *CASCADE, *HTC, *SCNET, name="roi_head")
    branch = getattr(part.roi_head, "test_branch_idx", 0)
    require(branch != -1, True, name="one branch of TridentNet (test_branch_idx)")
    limits = read_limits(model)
    seen = read_input(part.data_preprocessor, pipeline)
    stage = RoIStage(
        proposals=read_proposals(part.rpn_head),
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
    _tell_boxes_beyond_canvas(stage, part.roi_head)
    detector = Detector(trunk=_read_trunk(model, seen), roi_stage=stage).eval()
    return with_traceable_parts(detector), limits
