"""Small detectors with random weights that find something, and requests to them."""

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import Tensor

from dirdet.bundle import CanvasSize, Category, ResizeRule

with warnings.catch_warnings():
    # MMDetection warns of optional packages when it is imported.
    warnings.simplefilter("ignore")
    from dirdet_training.mm.configs import build_model, read_config

    build_model(read_config("faster_rcnn_dir_lite0_scenes"))

from dirdet_export.anatomy import Limits, dissect
from dirdet_export.files import Description, write_bundle
from dirdet_export.graph.detector import Detector

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
        for head in heads if isinstance(heads, torch.nn.ModuleList) else [heads]:
            draw(head.fc_cls, 0.6)
            draw(head.fc_reg, 0.15)
        masks = getattr(model.roi_head, "mask_head", [])
        for head in masks if isinstance(masks, torch.nn.ModuleList | list) else [masks]:
            draw(head.conv_logits, 1.0)
        for branch in (getattr(model.roi_head, "dir_head", None) or torch.nn.Module()).children():
            layers: Any = branch
            draw(layers[4], judge)


def _specimen(folder: Path, text: str, *, judge: float = 0.6) -> Specimen:
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


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def dir_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    from dirdet_training.mm.configs import shipped_configs

    base = shipped_configs()["faster_rcnn_dir_lite0_scenes"]
    return _specimen(tmp_path_factory.mktemp("dir"), DIR_CONFIG.format(base=base))


@pytest.fixture(scope="session")
def plain_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """MMDetection's own: class-specific boxes, adaptive RoIAlign sampling, no DIR."""
    return _specimen(tmp_path_factory.mktemp("plain"), PLAIN_CONFIG)


def _shipped_specimen(folder: Path, name: str, *, judge: float = 0.6) -> Specimen:
    from dirdet_training.mm.configs import shipped_configs

    return _specimen(folder, DIR_CONFIG.format(base=shipped_configs()[name]), judge=judge)


@pytest.fixture(scope="session")
def double_head_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """Its regressor sees boxes that reach beyond the canvas."""
    return _shipped_specimen(tmp_path_factory.mktemp("double_head"), "double_head_dir_lite0_scenes")


@pytest.fixture(scope="session")
def cascade_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return _shipped_specimen(tmp_path_factory.mktemp("cascade"), "cascade_rcnn_dir_lite0_scenes")


@pytest.fixture(scope="session")
def class_specific_cascade_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """Each stage hands the box of its best class to the next."""
    return _specimen(tmp_path_factory.mktemp("class_specific_cascade"), CLASS_SPECIFIC_CASCADE_CONFIG)


@pytest.fixture(scope="session")
def mask_rcnn_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """MMDetection's own: a mask for every class."""
    return _specimen(tmp_path_factory.mktemp("mask_rcnn"), MASK_RCNN_CONFIG)


@pytest.fixture(scope="session")
def mask_rcnn_dir_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return _shipped_specimen(tmp_path_factory.mktemp("mask_rcnn_dir"), "mask_rcnn_dir_lite0_scenes", judge=0.1)


@pytest.fixture(scope="session")
def htc_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """MMDetection's own, with its semantic branch and without DIR."""
    return _specimen(tmp_path_factory.mktemp("htc"), HTC_CONFIG)


@pytest.fixture(scope="session")
def htc_dir_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return _shipped_specimen(tmp_path_factory.mktemp("htc_dir"), "htc_dir_lite0_scenes", judge=0.1)


@pytest.fixture(scope="session")
def htc_without_semantic_dir_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return _shipped_specimen(tmp_path_factory.mktemp("htc"), "htc_without_semantic_dir_lite0_scenes", judge=0.1)


ARCHITECTURES = ["dir", "plain", "double_head", "cascade", "class_specific_cascade", "mask_rcnn", "htc_dir"]


@pytest.fixture(scope="session", params=ARCHITECTURES)
def specimen(request: pytest.FixtureRequest) -> Specimen:
    return request.getfixturevalue(f"{request.param}_specimen")


@pytest.fixture(scope="session")
def describe() -> Callable[..., Description]:
    """What a bundle of a specimen says of itself."""

    def make(specimen: Specimen, **changes: Any) -> Description:
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

    return make


@pytest.fixture(scope="session")
def bundle_of(
    tmp_path_factory: pytest.TempPathFactory, describe: Callable[..., Description]
) -> Callable[[Specimen], Path]:
    """The folder of a specimen's float32 bundle; written once."""
    written: dict[Path, Path] = {}

    def make(specimen: Specimen) -> Path:
        if specimen.config not in written:
            folder = tmp_path_factory.mktemp("bundle")
            detector = copy.deepcopy(specimen.detector)
            write_bundle(folder, detector=detector, limits=specimen.limits, description=describe(specimen))
            written[specimen.config] = folder
        return written[specimen.config]

    return make


@pytest.fixture(scope="session")
def ask() -> Callable[..., dict[str, Tensor]]:
    """Inputs of a detector by name: smooth random canvases, the picture a little smaller than each."""

    def make(
        batch: int = 1, height: int = 96, width: int = 128, *, score_threshold: float = 0.2, iou_weight: float = 0.5,
        nms_iou_threshold: float = 0.5, seed: int = 0,
    ) -> dict[str, Tensor]:  # fmt: skip
        rng = np.random.default_rng(seed)
        coarse = torch.from_numpy(rng.uniform(0, 255, (batch, 3, 8, 8)).astype(np.float32))
        smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
        sizes = [[height - 3 * number, width - 5 - 2 * number] for number in range(batch)]
        return {
            "canvas": smooth.permute(0, 2, 3, 1).to(torch.uint8).contiguous(),
            "picture_hw": torch.tensor(sizes),
            "score_threshold": torch.full((batch,), score_threshold),
            "iou_weight": torch.full((batch,), iou_weight),
            "nms_iou_threshold": torch.tensor(nms_iou_threshold),
        }

    return make
