"""What the head learns from: mixtures of boxes, bad ones among them."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
import math
from collections import Counter

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dirdet_training import geometry
from dirdet_training.commands.train import command as train_command
from dirdet_training.mm.configs import ConfigError, build_model, read_config
from dirdet_training.mm.examples import Examples, Refined
from dirdet_training.mm.frozen import freeze
from dirdet_training.mm.head_samples import LearningError, LearnsFrom, Seen, balanced

OBJECTS = torch.tensor([[10.0, 10, 40, 40], [30, 20, 80, 60]])
MIXTURES = ("candidates", "jittered", "jittered+candidates", "positives=1+candidates=2+jittered=1")


def seen(*, objects=OBJECTS, whole=None, candidates=None, ignored=None) -> Seen:
    """One picture of 96x64 whose positives are its objects, moved by a pixel."""
    ids = torch.arange(len(objects))
    moved = objects + 1
    if candidates is None:
        corners = torch.rand(200, 2) * torch.tensor([80.0, 50])
        candidates = torch.cat([corners, corners + 5 + torch.rand(200, 2) * 40], dim=1)
    return Seen(
        positives=Examples([moved], [moved], [objects], [ids], [ids]),
        candidates=[Refined(candidates, candidates)],
        objects_xyxy=[objects],
        whole_xyxy=[objects if whole is None else whole],
        class_ids=[ids],
        ignored_xyxy=[torch.zeros(0, 4) if ignored is None else ignored],
        picture_hws=[(64, 96)],
    )


def test_positives_alone_are_all_of_them_and_draw_nothing():
    offered = seen()
    before = torch.get_rng_state()
    assert LearnsFrom.of(None).draw(offered) is offered.positives
    assert torch.equal(torch.get_rng_state(), before), "the paper's training stays what it was"
    assert len(LearnsFrom.of("positives").draw(offered, 1).refined_xyxy[0]) == 1


@pytest.mark.parametrize("mixture", MIXTURES)
def test_targets_are_the_best_object_of_each_box(mixture):
    torch.manual_seed(0)
    drawn = LearnsFrom.of(mixture).draw(seen(), 60)
    [boxes], [objects] = drawn.refined_xyxy, drawn.objects_xyxy
    best = geometry.iou(boxes[:, None], OBJECTS[None]).max(dim=1).values
    torch.testing.assert_close(geometry.iou(boxes, objects), best)
    nowhere = best == 0
    assert bool((objects[nowhere] == 0).all())
    assert drawn.class_ids[0][nowhere].eq(-1).all()
    assert drawn.object_ids[0][nowhere].eq(-1).all()
    for truth in (geometry.purity, geometry.integrity):
        assert bool((truth(boxes, objects)[nowhere] == 0).all())


@pytest.mark.parametrize("mixture", ["candidates", "jittered"])
def test_a_part_is_found_by_its_own_box_and_judged_against_the_whole(mixture):
    """The first object is cut at the left edge to a tenth: its part overlaps the second object more than its whole."""
    parts = torch.tensor([[0.0, 10, 20, 40], [10, 10, 60, 40]])
    whole = torch.tensor([[-180.0, 10, 20, 40], [10, 10, 60, 40]])
    found = torch.tensor([[0.0, 10, 19, 40], [12, 10, 60, 40]])
    [boxes], [objects] = (
        getattr(LearnsFrom.of(mixture).draw(seen(objects=parts, whole=whole, candidates=found), 2), name)
        for name in ("refined_xyxy", "objects_xyxy")
    )
    of_first = geometry.iou(boxes, parts[:1]) > geometry.iou(boxes, parts[1:])
    assert of_first.sum() == 1
    assert objects.tolist() == [whole[0 if first else 1].tolist() for first in of_first]


def test_shares_are_kept():
    drawn = LearnsFrom.of("positives=1+candidates=2+jittered=1").draw(seen(), 40)
    # Of 10 positives there are 2.
    assert len(drawn.refined_xyxy[0]) == 2 + 20 + 10


def test_jittered_boxes_reach_down_to_the_lowest_iou_and_stay_in_the_picture():
    torch.manual_seed(0)
    alone = torch.tensor([[40.0, 25, 55, 40]])
    [boxes] = LearnsFrom.of({"jittered": 1, "lowest_iou": 0.1}).draw(seen(objects=alone), 2000).refined_xyxy
    ious = geometry.iou(boxes, alone)
    assert 0.1 - 1e-6 <= ious.min() < 0.12
    shares = torch.histc(ious, bins=9, min=0.1, max=1) / len(ious)
    # Clipping moves some of the lowest up.
    assert shares.tolist() == pytest.approx([1 / 9] * 9, abs=0.03)
    assert bool((boxes >= 0).all())
    assert bool((boxes[:, 2] <= 96).all())
    assert bool((boxes[:, 3] <= 64).all())


def test_a_jittered_box_that_fits_a_neighbour_better_is_judged_by_the_neighbour():
    torch.manual_seed(0)
    neighbours = torch.tensor([[10.0, 10, 30, 30], [14, 10, 34, 30]])
    drawn = LearnsFrom.of("jittered").draw(seen(objects=neighbours), 400)
    assert geometry.iou(drawn.refined_xyxy[0], drawn.objects_xyxy[0]).min() >= 0.1 - 1e-6
    assert set(drawn.object_ids[0].tolist()) == {0, 1}


@given(st.lists(st.floats(0, 1), max_size=80), st.integers(0, 60))
def test_candidates_are_drawn_evenly_over_their_iou(ious, count):
    values = torch.tensor(ious)
    chosen = balanced(values, count)
    assert len(chosen) == min(len(ious), count)
    assert len(set(chosen.tolist())) == len(chosen)
    there = Counter((values * 10).long().clamp(max=9).tolist())
    drawn = Counter((values[chosen] * 10).long().clamp(max=9).tolist())
    most = max(drawn.values(), default=0)
    for number, size in there.items():
        assert drawn[number] >= min(size, most - 1)


def test_a_picture_without_objects_or_candidates():
    none = torch.zeros(0, 4)
    for mixture in MIXTURES:
        drawn = LearnsFrom.of(mixture).draw(seen(objects=none, candidates=none), 8)
        assert drawn.refined_xyxy[0].shape == drawn.objects_xyxy[0].shape == (0, 4)
    drawn = LearnsFrom.of("jittered+candidates").draw(seen(objects=none), 8)
    assert len(drawn.refined_xyxy[0]) == 4, "candidates alone, all of them bad"
    assert bool((drawn.objects_xyxy[0] == 0).all())


def test_candidates_on_crowds_teach_nothing():
    crowd = torch.tensor([[0.0, 0, 200, 200]])
    drawn = LearnsFrom.of("candidates").draw(seen(ignored=crowd), 60)
    assert bool((drawn.ious >= 0.5).all())


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("negatives", "expected sources among positives, candidates, jittered, joined by +, not 'negatives'"),
        ("jittered+jittered", "not 'jittered+jittered'"),
        ("jittered=half", "share of jittered must be a number, not 'half'"),
        ("jittered=0", "nor all 0"),
        ("jittered=-1", "must not be negative"),
        ("jittered=nan", "must not be negative"),
        ({"jitter": 1}, "learns_from has no 'jitter'; it has positives"),
        ({"jittered": 1, "lowest_iou": 0}, "lowest_iou between 0 and 1, not 64 and 0"),
        ({"jittered": 1, "boxes_per_picture": 0}, "boxes_per_picture of 1 at least"),
    ],
)
def test_wrong_mixtures_are_named(setting, words):
    with pytest.raises(LearningError) as raised:
        LearnsFrom.of(setting)
    assert words in str(raised.value)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_a_detector_learns_end_to_end_from_each(tiny, batch, losses_of, mixture):
    tiny.model.roi_head.learns_from = mixture
    model = build_model(tiny)
    # A picture without objects in the batch.
    losses = losses_of(model, batch(2, 0))
    sum(value for name, value in losses.items() if "loss" in name).backward()
    assert all(math.isfinite(losses[f"loss_{name}"].item()) for name in ("purity", "integrity", "iou"))
    for name, weight in model.roi_head.dir_head.named_parameters():
        assert weight.grad is not None, name
        assert bool(torch.isfinite(weight.grad).all()), name
        assert bool(weight.grad.any()) or name.endswith("bias"), name


@pytest.mark.parametrize("mixture", ["positives", "jittered+candidates"])
def test_a_frozen_detector_without_proposals_teaches_what_there_is(tiny, batch, losses_of, mixture):
    tiny.model.roi_head.learns_from = mixture
    tiny.model.test_cfg.rpn.min_bbox_size = 10_000
    model = build_model(tiny)
    freeze(model)
    losses = losses_of(model.eval(), batch(2))
    assert all(bool(torch.isfinite(value).all()) for name, value in losses.items() if "loss" in name)


@pytest.mark.parametrize("name", ["cascade_rcnn", "double_head", "tsd", "htc_without_semantic", "htc"])
def test_every_roi_head_offers_candidates(name, batch, losses_of):
    cfg = read_config(f"{name}_dir_lite0_scenes")
    cfg.model.backbone.pretrained = False
    cfg.model.test_cfg.rcnn.score_thr = 0.0
    cfg.model.roi_head.learns_from = {"candidates": 1, "boxes_per_picture": 12}
    model = build_model(cfg)
    head = model.roi_head
    offered: list[Seen] = []
    original = head.detector_losses

    def kept(*arguments):
        losses, found = original(*arguments)
        offered.append(found)
        return losses, found

    head.detector_losses = kept
    from .test_detectors import with_masks

    losses_of(model, with_masks(batch(2)))
    [boxes] = [found.boxes_xyxy for found in offered[0].candidates]
    assert len(boxes) > 12
    assert bool((boxes[:, 2:] <= torch.tensor([96, 64])).all())
    assert not bool((boxes[:, None] == offered[0].objects_xyxy[0][None]).all(-1).any()), "no object among them"


def test_a_judge_that_jitters_positives_needs_them(tiny):
    judges = read_config("faster_rcnn_dir_lite0_scenes_rivals").model.roi_head.judges
    tiny.model.roi_head.judges = {"iou_net": judges.iou_net}
    tiny.model.roi_head.learns_from = "candidates"
    with pytest.raises(Exception, match="judge 'iou_net' jitters the objects of positives"):
        build_model(tiny)


@pytest.mark.parametrize("cached", [False, True], ids=["end to end", "cached"])
def test_a_retrofit_learns_from_a_mixture(trained_plain, tmp_path, cached):
    config, plain = trained_plain(True)

    def run(*arguments):
        CliRunner().invoke(train_command, [str(argument) for argument in arguments], catch_exceptions=False)

    work = tmp_path / "work"
    options = ["--cache-features", "--boxes-per-picture", 8] if cached else []
    run(config, "--retrofit", plain, "--work-dir", work, "--learn-from", "jittered+candidates", *options)
    path = work / ("retrofitted.pth" if cached else "epoch_1.pth")
    state = torch.load(path, weights_only=False)["state_dict"]
    assert bool(state["roi_head.dir_head.purity.4.bias"].any())
    assert 'learns_from="jittered+candidates"' in next(work.glob("*.py")).read_text().replace("'", '"')
    if cached:
        first = (work / "features" / "cache.json").stat().st_mtime_ns
        run(config, "--retrofit", plain, "--work-dir", work, "--learn-from", "candidates", *options)
        assert (work / "features" / "cache.json").stat().st_mtime_ns > first, "other boxes, other features"


def test_a_detector_without_dir_has_nobody_to_teach(write_config, tmp_path):
    result = CliRunner().invoke(
        train_command, [str(write_config(dir_head=False)), "--work-dir", str(tmp_path), "--learn-from", "jittered"]
    )
    assert isinstance(result.exception, ConfigError)
    assert "has none" in str(result.exception)
