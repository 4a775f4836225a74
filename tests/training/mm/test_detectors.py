"""Every detector of the paper at its full size: one optimiser step and one prediction, on small pictures."""

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false
import math

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.structures import PixelData

from dirdet_training import geometry
from dirdet_training.mm.configs import build_model, read_config, shipped_configs

DETECTORS = (
    "faster_rcnn_dir_r50_fpn_1x_coco",
    "mask_rcnn_dir_r50_fpn_1x_coco",
    "cascade_rcnn_dir_r50_fpn_1x_coco",
    "faster_rcnn_dir_r50_dcnv1_fpn_1x_coco",
    "faster_rcnn_dir_r50_dcnv2_fpn_1x_coco",
    "double_head_dir_r50_fpn_1x_coco",
    "tsd_dir_r50_fpn_1x_coco",
    "htc_without_semantic_dir_r50_fpn_1x_coco",
    "htc_dir_r50_fpn_1x_coco",
)


def with_masks(data: dict) -> dict:
    """Fills each object's box, and a map of stuff of one class, as HTC's semantic branch wants it."""
    for picture, sample in zip(data["inputs"], data["data_samples"], strict=True):
        height, width = picture.shape[1:]
        boxes = sample.gt_instances.bboxes
        masks = np.zeros((len(boxes), height, width), np.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
            mask[y1:y2, x1:x2] = 1
        sample.gt_instances.masks = BitmapMasks(masks, height, width)
        sample.gt_sem_seg = PixelData(sem_seg=torch.zeros(1, height, width, dtype=torch.long))
    return data


def few_boxes(cfg: Config) -> None:
    """The network is the paper's; what it looks at is less, so that a step takes seconds."""
    cfg.model.test_cfg.rpn.max_per_img = 30
    cfg.model.test_cfg.rcnn.max_candidates = 30
    cfg.model.train_cfg.rpn_proposal.max_per_img = 60
    stages = cfg.model.train_cfg.rcnn
    for stage in stages if isinstance(stages, list) else [stages]:
        stage.sampler.num = 16


@pytest.mark.parametrize("name", DETECTORS)
def test_a_step_and_a_prediction(name, batch, losses_of, detect):
    torch.manual_seed(0)
    cfg = read_config(name)
    # At random every score lies near 1 / 81.
    cfg.model.test_cfg.rcnn.score_thr = 0.0
    few_boxes(cfg)
    model = build_model(cfg)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    losses = losses_of(model, with_masks(batch(2, 1)))
    assert {"loss_purity", "loss_integrity", "loss_iou"} <= set(losses), "DIR's losses carry no stage's weight"
    total = sum(value for key, value in losses.items() if "loss" in key)
    assert math.isfinite(total.item())
    total.backward()
    for parameter_name, weight in model.roi_head.named_parameters():
        assert weight.grad is not None, parameter_name
    optimizer.step()

    [found] = detect(model, batch(1))
    assert len(found) > 0
    assert torch.equal(found.scores, found.scores.sort(descending=True).values)
    torch.testing.assert_close(found.ious, geometry.combine(found.purity, found.integrity), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.scores, (found.class_scores * found.ious).sqrt())
    assert bool((found.bboxes >= 0).all())
    assert bool((found.bboxes <= torch.tensor([192.0, 128, 192, 128])).all())
    if cfg.model.type in {"MaskRCNN", "HybridTaskCascade"}:
        assert found.masks.shape == (len(found), 128, 192)


def test_every_shipped_config_builds():
    for name in sorted(set(shipped_configs()) - set(DETECTORS)):
        assert sum(weight.numel() for weight in build_model(read_config(name)).parameters()) > 1e6, name


def test_dir_losses_are_not_scaled_by_stage(batch, losses_of):
    """Cascade scales every loss of its last stage by 0.25; Eq. 9's weights are 1."""
    cfg = read_config("cascade_rcnn_dir_r50_fpn_1x_coco")
    few_boxes(cfg)
    found: list[float] = []
    for weight in (0.25, 1.0):
        torch.manual_seed(0)
        cfg.model.roi_head.stage_loss_weights = [1, 0.5, weight]
        found.append(losses_of(build_model(cfg), batch(1))["loss_iou"].item())
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_tsd_learns_where_to_look(batch, losses_of):
    torch.manual_seed(0)
    model = build_model(read_config("tsd_r50_fpn_1x_coco"))
    losses = losses_of(model, batch(2))
    expected = {"loss_cls", "loss_bbox", "tsd.loss_cls", "tsd.loss_bbox", "tsd.loss_pc_cls", "tsd.loss_pc_reg"}
    assert expected <= set(losses)
    (losses["tsd.loss_cls"] + losses["tsd.loss_bbox"]).backward()
    for part in (model.roi_head.tsd_head.shift, model.roi_head.tsd_head.deform):
        assert part[-1].weight.grad.abs().sum() > 0
    assert model.roi_head.bbox_head.fc_cls.weight.grad is None, "the sibling head learns from its own losses alone"


def test_tsd_does_without_each_of_its_parts(batch, losses_of, detect):
    cfg = read_config("tsd_r50_fpn_1x_coco")
    few_boxes(cfg)
    cfg.model.roi_head.update({"shift": False, "deform": False, "cls_margin": None, "reg_margin": None})
    cfg.model.test_cfg.rcnn.score_thr = 0.0
    model = build_model(cfg)
    losses = losses_of(model, batch(1))
    assert not any("_pc_" in name for name in losses)
    (losses["tsd.loss_cls"] + losses["tsd.loss_bbox"]).backward()
    moves = [model.roi_head.tsd_head.shift, model.roi_head.tsd_head.deform]
    assert all(weight.grad is None or not weight.grad.any() for part in moves for weight in part.parameters())
    assert len(detect(model, batch(1))[0]) > 0
