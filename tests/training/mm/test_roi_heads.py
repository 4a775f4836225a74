# Registered modules and stand-ins have no types.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false, reportReturnType=false
import math

import pytest
import torch
from mmengine.config import Config

from dirdet_training import geometry
from dirdet_training.mm.configs import build_model, read_config
from dirdet_training.mm.examples import positives_of
from dirdet_training.nms import SelectionError


@pytest.fixture
def model(tiny: Config) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model(tiny)


@pytest.mark.parametrize("agnostic", [True, False])
def test_a_step_trains_every_branch(write_config, agnostic, batch, losses_of):
    model = build_model(read_config(write_config(agnostic=agnostic)))
    losses = losses_of(model, batch(2, 1))
    assert {"loss_cls", "loss_bbox", "loss_purity", "loss_integrity", "loss_iou"} <= set(losses)
    sum(value for name, value in losses.items() if "loss" in name).backward()
    for name, weight in model.roi_head.dir_head.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_dir_teaches_the_pyramid_too(model, batch, losses_of):
    """Section 3.4: trained end to end."""
    losses = losses_of(model, batch(2))
    losses["loss_iou"].backward()
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.neck.parameters())
    assert all(weight.grad is None for weight in model.roi_head.bbox_head.parameters())


def test_pictures_without_objects_can_be_trained_on(model, batch, losses_of):
    losses = losses_of(model, batch(0, 0))
    total = sum(value for name, value in losses.items() if "loss" in name)
    total.backward()
    assert math.isfinite(total.item())
    assert losses["loss_iou"].item() == 0


@pytest.mark.parametrize("agnostic", [True, False])
def test_detections_are_ranked_and_say_how_well_they_fit(write_config, agnostic, batch, detect):
    torch.manual_seed(0)
    model = build_model(read_config(write_config(agnostic=agnostic)))
    for found in detect(model, batch(1, 1, 1)):
        assert 0 < len(found) <= 20
        assert torch.equal(found.scores, found.scores.sort(descending=True).values)
        torch.testing.assert_close(found.ious, geometry.combine(found.purity, found.integrity), atol=1e-5, rtol=0)
        torch.testing.assert_close(found.scores, (found.class_scores * found.ious).sqrt())
        boxes = found.bboxes
        assert bool((boxes >= 0).all())
        assert bool((boxes <= torch.tensor([192.0, 128, 192, 128])).all()), "boxes lie in the picture as it was sent"
        for label in found.labels.unique():
            same = boxes[found.labels == label]
            overlaps = geometry.iou(same[:, None], same[None]).fill_diagonal_(0)
            assert overlaps.max() <= 0.5 + 1e-6


def test_weight_0_is_the_plain_detector(write_config, batch, detect):
    """Same weights, no DIR head: MMDetection's own multiclass NMS gives the same boxes and scores."""
    torch.manual_seed(0)
    with_dir = build_model(read_config(write_config()))
    plain = build_model(read_config(write_config(dir_head=False)))
    unexpected = plain.load_state_dict(with_dir.state_dict(), strict=False).unexpected_keys
    assert all("dir_head" in key for key in unexpected)
    with_dir.roi_head.test_cfg.iou_weight = 0.0
    data = batch(1, 1)
    for ours, theirs in zip(detect(with_dir, data), detect(plain, data), strict=True):
        torch.testing.assert_close(ours.scores[:10], theirs.scores[:10])
        torch.testing.assert_close(ours.bboxes[:10], theirs.bboxes[:10], atol=1e-3, rtol=1e-5)
        assert torch.equal(ours.labels[:10], theirs.labels[:10])


def test_only_candidates_above_the_threshold_pay_for_hindsight(model, batch, detect):
    model.roi_head.test_cfg.score_thr = 0.999
    assert [len(found) for found in detect(model, batch(1, 1))] == [0, 0]
    model.roi_head.test_cfg.score_thr = 0.0
    model.roi_head.test_cfg.max_candidates = 1
    assert [len(found) for found in detect(model, batch(1, 1))] == [1, 1]


def test_positives_are_clipped_to_the_picture_they_lie_on(model):
    """A batch is padded to its largest picture; boxes end where their own does."""
    priors = torch.tensor([[50.0, 30, 90, 60]])

    class Sampled:
        pos_priors = priors
        pos_gt_bboxes = torch.tensor([[50.0, 30, 80, 50]])
        pos_gt_labels = torch.tensor([0])
        pos_assigned_gt_inds = torch.tensor([1])
        num_gts = 2

    Sampled.priors = torch.cat([priors, priors])
    found = positives_of(model.roi_head.bbox_head, [Sampled, Sampled], torch.zeros(4, 4), [(50, 80), (64, 96)])
    assert [ids.tolist() for ids in found.object_ids] == [[1], [3]], "objects of different pictures stay apart"
    assert found.proposals_xyxy[0].tolist() == [[50, 30, 90, 60]]
    assert found.refined_xyxy[0].tolist() == [[50, 30, 80, 50]]
    assert found.objects_xyxy[0].tolist() == [[50, 30, 80, 50]]


def test_the_coco_config_is_the_papers_setting():
    cfg = read_config("faster_rcnn_dir_r50_fpn_1x_coco")
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum, optimizer.weight_decay) == ("SGD", 0.02, 0.9, 1e-4)
    assert cfg.auto_scale_lr.base_batch_size == 16
    assert cfg.train_dataloader.batch_size == 2
    assert cfg.train_cfg.max_epochs == 12
    warm_up, drops = cfg.param_scheduler
    assert (warm_up.start_factor, warm_up.end) == (0.33, 500)
    assert (drops.milestones, drops.gamma) == ([8, 11], 0.1)
    assert cfg.model.backbone.depth == 50
    assert cfg.model.roi_head.bbox_head.reg_class_agnostic
    assert cfg.model.roi_head.bbox_head.loss_cls.type == "CrossEntropyLoss"
    assert cfg.model.roi_head.bbox_head.loss_bbox.type == "SmoothL1Loss"
    resize = next(step for step in cfg.train_pipeline if step.type == "Resize")
    assert tuple(resize.scale) == (1333, 800)
    augmentations = [step.type for step in cfg.train_pipeline]
    assert augmentations == ["LoadImageFromFile", "LoadAnnotations", "Resize", "RandomFlip", "PackDetInputs"]
    assert cfg.model.roi_head.dir_head.fc_channels == 1024


def test_the_ranked_nms_is_set_in_the_test_cfg(model, batch, detect):
    cfg = model.roi_head.test_cfg
    [paper] = detect(model, batch(1))
    torch.testing.assert_close(paper.scores, (paper.class_scores * paper.ious).sqrt())
    cfg.report_by = "score"
    [by_score] = detect(model, batch(1))
    assert torch.equal(by_score.scores, by_score.class_scores)
    assert by_score.scores.tolist() == sorted(by_score.scores.tolist(), reverse=True)
    cfg.cluster_by, cfg.representative = "score", {"iou_weight": 1.0}
    [represented] = detect(model, batch(1))
    cfg.voting = {"iou_power": 4}
    [voted] = detect(model, batch(1))
    assert torch.equal(voted.scores, represented.scores)
    assert not torch.equal(voted.bboxes, represented.bboxes), "the boxes have moved"
    cfg.report_by = "luck"
    with pytest.raises(SelectionError, match="report_by must be one of confidence, score, calibrated, not 'luck'"):
        detect(model, batch(1))
