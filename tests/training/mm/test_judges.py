# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false, reportReturnType=false
import pytest
import torch
from mmengine.config import Config

from dirdet_training import geometry
from dirdet_training.mm.configs import build_model, read_config


@pytest.fixture
def judged(tiny: Config) -> Config:
    """The tiny detector with every judge of the scenes configs, on small heads."""
    judges = read_config("faster_rcnn_dir_lite0_scenes_judges").model.roi_head.judges
    judges.update(read_config("faster_rcnn_dir_lite0_scenes_rivals").model.roi_head.judges)
    judges.iou_net.num_classes = 2
    for judge in judges.values():
        judge.fc_channels = 32
    tiny.model.roi_head.judges = judges
    tiny.model.test_cfg.rcnn.all_judges = True
    return tiny


def test_judges_learn_and_leave_the_detector_alone(judged, batch, losses_of):
    model = build_model(judged)
    losses = losses_of(model, batch(2, 1))
    names = set(judged.model.roi_head.judges)
    assert names >= {"iou", "iou_3x", "foresight_iou", "foresight", "iou_net", "rank", "fitness"}
    assert names == {name.partition(".")[0] for name in losses if "." in name}
    sum(value for name, value in losses.items() if "." in name).backward()
    for name, weight in model.named_parameters():
        assert (weight.grad is not None) == ("roi_head.judges." in name), name
        # The rank head learns where two boxes of one object differ in level: chance, in so small a batch.
        if weight.grad is not None and weight.ndim > 1 and "judges.rank." not in name:
            assert bool(weight.grad.any()), name


def test_every_judge_speaks_at_both_sights(judged, batch, detect):
    for found in detect(build_model(judged), batch(1, 1)):
        assert len(found) > 0
        assert torch.equal(found["dir/refined/ious"], found.ious)
        fields = dict.fromkeys(("dir", "foresight", "iou", "iou_3x", "foresight_iou", "iou_net"), "ious")
        for name, field in {**fields, "rank": "rank_scores", "fitness": "fitness"}.items():
            for sight in ("refined", "proposal"):
                said = found[f"{name}/{sight}/{field}"]
                assert bool(((said >= 0) & (said <= 1)).all())
        assert not torch.equal(found["dir/refined/ious"], found["dir/proposal/ious"])


def test_sights_decide_what_the_main_head_sees(tiny, batch, detect):
    torch.manual_seed(0)
    tiny.model.test_cfg.rcnn.all_judges = True
    tiny.model.roi_head.sights = {"training": "refined", "inference": "proposal"}
    [found] = detect(build_model(tiny), batch(1))
    assert torch.equal(found.ious, found["dir/proposal/ious"])


def test_a_single_branch_ranks_too(tiny, batch, detect, losses_of):
    tiny.model.roi_head.dir_head.type = "IoUHead"
    model = build_model(tiny)
    assert "loss_purity" not in losses_of(model, batch(1))
    [found] = detect(model, batch(1))
    assert "purity" not in found
    torch.testing.assert_close(found.scores, (found.class_scores * found.ious).sqrt())


@pytest.mark.parametrize("combination", ["purity", "integrity", "geometric", "arithmetic"])
def test_a_combination_replaces_equation_5_in_the_confidence(tiny, combination, batch, detect):
    tiny.model.test_cfg.rcnn.combination = combination
    [found] = detect(build_model(tiny), batch(1))
    rated = {
        "purity": found.purity,
        "integrity": found.integrity,
        "geometric": (found.purity * found.integrity).sqrt(),
        "arithmetic": (found.purity + found.integrity) / 2,
    }[combination]
    torch.testing.assert_close(found.scores, (found.class_scores * rated).sqrt())
    torch.testing.assert_close(found.ious, geometry.combine(found.purity, found.integrity), atol=1e-5, rtol=0)


def test_wrong_settings_are_named(tiny, batch, detect):
    tiny.model.roi_head.sights = {"training": "afterwards"}
    with pytest.raises(
        Exception, match=r"sights\.training must be one of refined, proposal, jittered, not 'afterwards'"
    ):
        build_model(tiny)
    tiny.model.roi_head.sights = None
    tiny.model.test_cfg.rcnn.combination = "product"
    with pytest.raises(ValueError, match="combination must be one of iou, purity"):
        detect(build_model(tiny), batch(1))
    tiny.model.test_cfg.rcnn.combination = "purity"
    tiny.model.roi_head.dir_head.type = "IoUHead"
    with pytest.raises(ValueError, match="a single branch predicts neither"):
        detect(build_model(tiny), batch(1))
