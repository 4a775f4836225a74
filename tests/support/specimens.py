"""Small detectors with random weights that find something: what the tests of exporting and of Triton share."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from dirdet.bundle.bundle import CanvasSize, Category, ResizeRule

with warnings.catch_warnings():
    # MMDetection warns of optional packages when it is imported.
    warnings.simplefilter("ignore")
    from dirdet_training.mm.configs import build_model, read_config, shipped_configs

    build_model(read_config("faster_rcnn_dir_lite0_scenes"))

from dirdet_export.dissect.anatomy import dissect
from dirdet_export.dissect.mmdet_settings import Limits
from dirdet_export.graph.detector import Detector
from dirdet_export.write.files import Description

PLAIN_CONFIG = """
_base_ = ["mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"]
model = dict(
    backbone=dict(depth=18),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=32),
    rpn_head=dict(in_channels=32, feat_channels=32),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=32),
        bbox_head=dict(in_channels=32, fc_out_channels=64, num_classes=5),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=100, max_per_img=60), rcnn=dict(max_per_img=25, max_candidates=80, score_thr=0.1)
    ),
)
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(192, 160), keep_ratio=True),
    dict(type="PackDetInputs"),
]
test_dataloader = dict(
    dataset=dict(pipeline=test_pipeline, metainfo=dict(classes=("person", "car", "dog", "cat", "kite")))
)
"""
CLASS_SPECIFIC_CASCADE_CONFIG = """
_base_ = ["mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py"]
_stage = dict(
    type="Shared2FCBBoxHead", in_channels=32, fc_out_channels=64, roi_feat_size=7, num_classes=5,
    reg_class_agnostic=False, loss_cls=dict(type="CrossEntropyLoss"), loss_bbox=dict(type="SmoothL1Loss"),
)
_coder = dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4)
model = dict(
    backbone=dict(depth=18),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=32),
    rpn_head=dict(in_channels=32, feat_channels=32),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=32),
        bbox_head=[
            dict(**_stage, bbox_coder=dict(**_coder, target_stds=[deviation, deviation, 2 * deviation, 2 * deviation]))
            for deviation in (0.1, 0.05, 0.033)
        ],
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=100, max_per_img=60), rcnn=dict(max_per_img=25, max_candidates=80, score_thr=0.1)
    ),
)
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(192, 160), keep_ratio=True),
    dict(type="PackDetInputs"),
]
test_dataloader = dict(
    dataset=dict(pipeline=test_pipeline, metainfo=dict(classes=("person", "car", "dog", "cat", "kite")))
)
"""
MASK_RCNN_CONFIG = (
    PLAIN_CONFIG.replace("faster_rcnn/faster-rcnn", "mask_rcnn/mask-rcnn")
    + """
model["roi_head"].update(
    mask_roi_extractor=dict(out_channels=32), mask_head=dict(in_channels=32, conv_out_channels=16, num_classes=5)
)
"""
)
HTC_CONFIG = (
    CLASS_SPECIFIC_CASCADE_CONFIG.replace("cascade_rcnn/cascade-rcnn", "htc/htc")
    + """
_mask_head = dict(
    type="HTCMaskHead", num_convs=2, in_channels=32, conv_out_channels=32, num_classes=5,
    loss_mask=dict(type="CrossEntropyLoss", use_mask=True),
)
model["roi_head"].update(
    mask_roi_extractor=dict(out_channels=32),
    mask_head=[dict(with_conv_res=False, **_mask_head), _mask_head, _mask_head],
    semantic_roi_extractor=dict(out_channels=32),
    semantic_head=dict(in_channels=32, conv_out_channels=32),
)
"""
)
# Bottlenecks, which alone can be deformable, a quarter as wide as ResNet-50's.
DCN_CONFIG = (
    PLAIN_CONFIG
    + """
model["backbone"].update(
    depth=50, base_channels=16, stem_channels=16, stage_with_dcn=(False, True, True, True),
    dcn=dict(type="DCN", deform_groups=1, fallback_on_stride=False),
)
"""
)
DCNV2_DIR_CONFIG = (
    DCN_CONFIG.replace("_base_", 'custom_imports = dict(imports=["dirdet_training.mm"])\n_base_').replace(
        'type="DCN", deform_groups=1', 'type="DCNv2", deform_groups=2'
    )
    + """
model["roi_head"].update(type="DIRStandardRoIHead", dir_head=dict(type="DIRHead", in_channels=32, fc_channels=64))
"""
)
CLASS_SPECIFIC_TSD_CONFIG = (
    PLAIN_CONFIG.replace("_base_", 'custom_imports = dict(imports=["dirdet_training.mm"])\n_base_')
    + """
model["roi_head"].update(
    type="TSDRoIHead",
    tsd_head=dict(
        type="TSDBBoxHead", in_channels=32, fc_out_channels=64, offset_channels=32, num_classes=5,
        loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
        loss_bbox=dict(type="L1Loss", loss_weight=1.0),
    ),
)
"""
)
DIR_CONFIG = """
_base_ = ["{base}"]
resize = dict(type="Resize", scale=(160, 128), keep_ratio=True, backend="pillow")
test_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadImageFromFile"), resize, dict(type="PackDetInputs")]))
model = dict(
    backbone=dict(pretrained=False),
    test_cfg=dict(
        rpn=dict(nms_pre=100, max_per_img=60),
        rcnn=dict(max_per_img=25, max_candidates=40, score_thr=0.2),
    )
)
"""


@dataclass(frozen=True)
class Specimen:
    """A detector in all the forms that a test may want it in."""

    config: Path
    checkpoint: Path
    cfg: Config
    model: Any
    detector: Detector
    limits: Limits

    @property
    def deformable(self) -> bool:
        """It has deformable convolutions."""
        return any("Deform" in type(part).__name__ for part in self.model.modules())


def _enliven(model: Any, *, judge: float) -> None:
    """Random heads say nearly the same of everything; larger weights make scores and boxes differ.

    `judge` is the deviation of the DIR head's last weights. Where its logits are far below zero the confidence is the
    root of next to nothing, and rounding alone decides the order.
    """
    generator = torch.Generator().manual_seed(1)

    def draw(layer: Any, deviation: float) -> None:
        layer.weight.normal_(0, deviation, generator=generator)

    with torch.no_grad():
        draw(model.rpn_head.rpn_cls, 0.1)
        draw(model.rpn_head.rpn_reg, 0.03)
        heads = model.roi_head.bbox_head
        moved = getattr(model.roi_head, "tsd_head", None)
        for head in [*(heads if isinstance(heads, torch.nn.ModuleList) else [heads]), *([moved] if moved else [])]:
            draw(head.fc_cls, 0.6)
            draw(head.fc_reg, 0.15)
        masks = getattr(model.roi_head, "mask_head", [])
        for head in masks if isinstance(masks, torch.nn.ModuleList | list) else [masks]:
            draw(head.conv_logits, 1.0)
        if moved:
            draw(moved.shift[-1], 2.0)
            draw(moved.deform[-1], 2.0)
        for part in model.modules():
            if hasattr(part, "conv_offset"):
                draw(part.conv_offset, 0.1)
        for branch in (getattr(model.roi_head, "dir_head", None) or torch.nn.Module()).children():
            layers: Any = branch
            draw(layers[4], judge)


def make_specimen(folder: Path, text: str, *, judge: float = 0.6) -> Specimen:
    config, checkpoint = folder / "config.py", folder / "weights.pth"
    config.write_text(text)
    cfg = read_config(config)
    torch.manual_seed(0)
    model: Any = build_model(cfg).eval()
    model.init_weights()
    _enliven(model, judge=judge)
    torch.save({"state_dict": model.state_dict()}, checkpoint)
    detector, limits = dissect(model)
    return Specimen(config, checkpoint, cfg, model, detector, limits)


def shipped_specimen(folder: Path, name: str, *, judge: float = 0.6) -> Specimen:
    """Of a config that dirdet ships."""
    return make_specimen(folder, DIR_CONFIG.format(base=shipped_configs()[name]), judge=judge)


def description_of(specimen: Specimen, **changes: Any) -> Description:
    """What a bundle of a specimen says of itself."""
    classes = specimen.detector.roi_stage.candidates.classes
    facts: dict[str, Any] = {
        "name": "specimen",
        "architecture": "FasterRCNN",
        "config": "config.py",
        "checkpoint": specimen.checkpoint,
        "categories": [Category(name=f"thing {number}", category_id=number + 1) for number in range(classes)],
        "canvases": [CanvasSize(height=128, width=160)],
        "resize": ResizeRule(short_side=128, long_side=160, interpolation="antialiased"),
    }
    return Description(**{**facts, **changes})
