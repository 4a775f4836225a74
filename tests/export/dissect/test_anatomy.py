"""What export refuses, in one line that says what is supported."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dirdet_export.dissect.anatomy import dissect
from dirdet_export.errors import UnsupportedError
from dirdet_training.mm.configs import build_model, read_config, shipped_configs


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    def make(base: str, changes: str = "") -> Any:
        path = tmp_path_factory.mktemp("refused") / "config.py"
        path.write_text(f'_base_ = ["mmdet::{base}"]\n{changes}\n')
        return build_model(read_config(path))

    return make


@pytest.mark.parametrize(
    ("base", "named"),
    [
        ("grid_rcnn/grid-rcnn_r50_fpn_gn-head_1x_coco.py", "GridRCNN"),
        ("retinanet/retinanet_r18_fpn_1x_coco.py", "RetinaNet"),
        ("sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py", "SparseRCNN"),
    ],
)
def test_other_architectures_are_refused_by_name(build: Callable[..., Any], base: str, named: str) -> None:
    with pytest.raises(UnsupportedError, match="export supports") as caught:
        dissect(build(base))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ("test_cfg=dict(rcnn=dict(nms=dict(type='soft_nms')))", "test_cfg.rcnn.nms.type"),
        ("test_cfg=dict(rpn=dict(nms=dict(class_agnostic=True)))", "test_cfg.rpn.nms.class_agnostic"),
        ("test_cfg=dict(rcnn=dict(nms=dict(score_threshold=0.1)))", "score_threshold"),
        ("test_cfg=dict(rcnn=dict(min_area=3))", "min_area"),
        ("test_cfg=dict(rpn=dict(max_per_img=-1))", "max_per_img"),
        ("roi_head=dict(bbox_roi_extractor=dict(roi_layer=dict(pool_mode='max')))", "roi_layer.pool_mode"),
        ("roi_head=dict(bbox_head=dict(bbox_coder=dict(add_ctr_clamp=True)))", "add_ctr_clamp"),
    ],
)
def test_settings_that_the_graph_lacks_are_refused_by_name(build: Callable[..., Any], changes: str, named: str) -> None:
    with pytest.raises(UnsupportedError, match=named):
        dissect(build("faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", f"model = dict({changes})"))


@pytest.mark.parametrize(
    ("base", "changes", "named"),
    [
        ("mask_rcnn/mask-rcnn", "test_cfg=dict(rcnn=dict(mask_thr_binary=-1))", "mask_thr_binary"),
        ("mask_rcnn/mask-rcnn", "roi_head=dict(mask_head=dict(upsample_cfg=dict(type='nearest')))", "upsample_cfg"),
        ("mask_rcnn/mask-rcnn", "roi_head=dict(mask_roi_extractor=dict(featmap_strides=[4, 8]))", "featmap_strides"),
        ("htc/htc", "roi_head=dict(semantic_fusion=('mask',))", "semantic_fusion"),
        ("htc/htc", "roi_head=dict(mask_info_flow=False)", "mask_info_flow"),
        ("htc/htc", "roi_head=dict(semantic_roi_extractor=dict(roi_layer=dict(output_size=10)))", "semantic features"),
    ],
)
def test_settings_of_masks_that_the_graph_lacks_are_refused_by_name(
    build: Callable[..., Any], base: str, changes: str, named: str
) -> None:
    with pytest.raises(UnsupportedError, match=named):
        dissect(build(f"{base}_r50_fpn_1x_coco.py", f"model = dict({changes})"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ("roi_head=dict(dir_head=dict(type='IoUHead'))", "roi_head.dir_head"),
        ("roi_head=dict(sights=dict(inference='proposal'))", "sights.inference"),
        ("test_cfg=dict(rcnn=dict(combination='purity'))", "combination"),
        ("test_cfg=dict(rcnn=dict(voting={}, nms=dict(class_agnostic=True)))", "nms.class_agnostic with one of"),
    ],
)
def test_variants_of_dir_are_refused_by_name(tmp_path: Path, changes: str, named: str) -> None:
    path = tmp_path / "config.py"
    base = shipped_configs()["faster_rcnn_dir_lite0_scenes"]
    path.write_text(f'_base_ = ["{base}"]\nmodel = dict(backbone=dict(pretrained=False), {changes})\n')
    with pytest.raises(UnsupportedError, match=named):
        dissect(build_model(read_config(path)))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ("iou_weight=0.7", None),
        ("cluster_by='score'", ("score", None, None, "confidence")),
        ("representative={}, voting=dict(spread=0.01)", ("confidence", 0.7, 0.01, "confidence")),
        ("report_by='score'", ("confidence", None, None, "score")),
    ],
)
def test_steps_of_the_ranked_nms_become_the_bundles(
    tmp_path: Path, changes: str, expected: tuple[object, ...] | None
) -> None:
    path = tmp_path / "config.py"
    base = shipped_configs()["faster_rcnn_dir_lite0_scenes"]
    rcnn = f"test_cfg=dict(rcnn=dict({changes}))"
    path.write_text(f'_base_ = ["{base}"]\nmodel = dict(backbone=dict(pretrained=False), {rcnn})\n')
    steps = dissect(build_model(read_config(path)))[1].selection
    told = steps and (
        steps.cluster_by,
        steps.representative and steps.representative.member_iou,
        steps.voting and steps.voting.spread,
        steps.report_by,
    )
    assert told == expected


def test_deformable_convolutions_that_are_told_their_offsets_are_refused_by_name(build: Callable[..., Any]) -> None:
    ops: Any = importlib.import_module("mmcv.ops")
    model = build("faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py")
    model.neck.aligned = ops.DeformConv2d(8, 8, 3)
    with pytest.raises(UnsupportedError, match="DCN and DCNv2; this detector has DeformConv2d"):
        dissect(model)


def test_the_detector_keeps_its_own_deformable_convolutions(dcn_specimen: Any) -> None:
    """What is exported shares their weights and is another module: MMDetection's stays whole, to be compared with."""
    theirs = {name: part for name, part in dcn_specimen.model.backbone.named_modules() if hasattr(part, "conv_offset")}
    mine = dict(dcn_specimen.detector.trunk.backbone.named_modules())
    assert theirs
    for name, part in theirs.items():
        assert mine[name].weight is part.weight
        assert type(mine[name]).__name__ == "DeformableConv"


def test_limits_come_from_the_config(dir_specimen: Any, plain_specimen: Any) -> None:
    # 60 proposals with at most five classes above 0.2 each
    assert (dir_specimen.limits.max_candidates, dir_specimen.limits.max_detections) == (300, 25)
    assert (dir_specimen.limits.judged, dir_specimen.limits.considered) == (40, 40)
    assert plain_specimen.limits.judged is None
    assert dir_specimen.limits.iou_weight == 0.5
    assert dir_specimen.limits.predicts_iou
    assert plain_specimen.limits.iou_weight == 0
    assert not plain_specimen.limits.predicts_iou
