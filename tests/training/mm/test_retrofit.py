"""A DIR head for a trained detector: the detector stays as it is, bit for bit."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
import copy
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from mmengine.config import Config

from dirdet.errors import DirdetError
from dirdet_training.commands.train import command as train_command
from dirdet_training.mm.checkpoints import CheckpointError, load_detector
from dirdet_training.mm.configs import ConfigError, build_model, read_config
from dirdet_training.mm.head_start import BeginAsBoxHeadHook, begin_as_box_head
from dirdet_training.mm.retrofit import RETROFIT_LEARNS_FROM, WITH_DIR, add_dir_head, retrofit


def run(*arguments: object) -> None:
    CliRunner().invoke(train_command, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(params=[True, False], ids=["class-agnostic", "class-specific"])
def trained(request, trained_plain) -> tuple[Path, Path]:
    """A plain detector's config and checkpoint."""
    return trained_plain(request.param)


def same_detector(before: Path, after: Path) -> dict[str, torch.Tensor]:
    """Asserts that every weight of before stands in after unchanged; returns what is new."""
    old = torch.load(before, weights_only=False)["state_dict"]
    new = torch.load(after, weights_only=False)["state_dict"]
    assert all(torch.equal(value, new[name]) for name, value in old.items())
    return {name: value for name, value in new.items() if name not in old}


@pytest.mark.parametrize("cached", [False, True], ids=["end to end", "cached"])
def test_only_the_dir_head_is_trained(trained, tmp_path, cached, batch, detect):
    config, checkpoint = trained
    work = tmp_path / "retrofit"
    options = ["--cache-features", "--boxes-per-picture", 4] if cached else []
    run(config, "--retrofit", checkpoint, "--work-dir", work, "--epochs", 2, *options)
    path = work / ("retrofitted.pth" if cached else "epoch_2.pth")
    added = same_detector(checkpoint, path)
    assert {name.rpartition("dir_head.")[2].partition(".")[0] for name in added} == {"purity", "integrity"}
    assert all(bool(value.any()) for name, value in added.items() if name.endswith("weight"))

    # Without weight for the IoU it detects what the plain detector detects.
    config_with_dir = next(work.glob("*.py"))
    ours, _ = load_detector(config_with_dir, path)
    plain, _ = load_detector(config, checkpoint)
    ours.roi_head.test_cfg.iou_weight = 0.0
    for mine, theirs in zip(detect(ours, batch(1, 1)), detect(plain, batch(1, 1)), strict=True):
        assert torch.equal(mine.scores[:10], theirs.scores[:10])
        torch.testing.assert_close(mine.bboxes[:10], theirs.bboxes[:10], atol=1e-3, rtol=1e-5)
        assert "ious" in mine


@pytest.mark.parametrize("cached", [False, True], ids=["end to end", "cached"])
def test_the_averaged_weights_are_frozen_or_those_of_the_last_step(write_config, tmp_path, cached):
    config, work = write_config(dir_head=False), tmp_path / "retrofit"
    means = build_model(read_config(config)).state_dict()
    last = {name: weight * 1.5 if weight.is_floating_point() else weight for name, weight in means.items()}
    steps = {"steps": torch.tensor(9), **{f"module.{name}": weight for name, weight in last.items()}}
    torch.save({"state_dict": means, "ema_state_dict": steps}, tmp_path / "averaged.pth")
    torch.save({"state_dict": last}, tmp_path / "last.pth")
    options = ["--cache-features", "--boxes-per-picture", 4] if cached else []
    name = "retrofitted.pth" if cached else "epoch_1.pth"
    for choice, frozen in (("--ema", "averaged.pth"), ("--no-ema", "last.pth")):
        run(config, "--retrofit", tmp_path / "averaged.pth", choice, "--work-dir", work, *options)
        assert same_detector(tmp_path / frozen, work / name)


def test_cached_features_are_used_again_only_for_the_same_detector(trained_plain, tmp_path):
    config, checkpoint = trained_plain(True)
    work = tmp_path / "work"

    def retrofit(*options: object) -> float:
        run(config, "--retrofit", checkpoint, "--work-dir", work, "--cache-features", *options)
        return (work / "features" / "cache.json").stat().st_mtime_ns

    first = retrofit()
    assert retrofit("--epochs", 2) == first, "longer training needs no new features"
    fewer = retrofit("--boxes-per-picture", 2)
    assert fewer > first
    counts = np.load(work / "features" / "counts.npy")
    assert retrofit("--boxes-per-picture", 2, "--passes", 3) > fewer
    assert len(np.load(work / "features" / "counts.npy")) == 3 * len(counts)


def test_every_judge_learns_from_cached_features(trained_plain, tmp_path):
    """The rivals too: boxes drawn around objects, and pairs of one object's boxes."""
    config, checkpoint = trained_plain(True)
    judged = tmp_path / "judged.py"
    head = "in_channels=64, roi_size=7, fc_channels=16"
    judged.write_text(
        f"""_base_ = ["{config}"]
model = dict(roi_head=dict(type="DIRStandardRoIHead", dir_head=dict(type="DIRHead", {head}), judges=dict(
    iou_net=dict(type="IoUNetHead", num_classes=2, sights=dict(training="jittered"), {head}),
    foresight=dict(type="DIRHead", sights=dict(training="proposal", inference="proposal"), {head}),
    rank=dict(type="RankHead", {head}))))
"""
    )
    work = tmp_path / "work"
    run(judged, "--retrofit", checkpoint, "--work-dir", work, "--cache-features")
    added = same_detector(checkpoint, work / "retrofitted.pth")
    for name in ("dir_head.purity", "judges.iou_net.iou", "judges.foresight.integrity", "judges.rank.rank"):
        # Biases begin at 0.
        assert bool(added[f"roi_head.{name}.4.bias"].any()), name


@pytest.mark.parametrize("kind", list(WITH_DIR))
def test_every_roi_head_can_be_retrofitted(kind):
    base = {
        "StandardRoIHead": "faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py",
        "DynamicRoIHead": "dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco.py",
        "PISARoIHead": "pisa/faster-rcnn_r50_fpn_pisa_1x_coco.py",
        "TridentRoIHead": "tridentnet/tridentnet_r50-caffe_1x_coco.py",
        "MaskScoringRoIHead": "ms_rcnn/ms-rcnn_r50-caffe_fpn_1x_coco.py",
        "PointRendRoIHead": "point_rend/point-rend_r50-caffe_fpn_ms-1x_coco.py",
        "DoubleHeadRoIHead": "double_heads/dh-faster-rcnn_r50_fpn_1x_coco.py",
        "CascadeRoIHead": "cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py",
        "HybridTaskCascadeRoIHead": "htc/htc-without-semantic_r50_fpn_1x_coco.py",
        "SCNetRoIHead": "scnet/scnet_r50_fpn_1x_coco.py",
    }.get(kind)
    cfg = Config.fromfile(mmdet_config(base)) if base else read_config("tsd_r50_fpn_1x_coco")
    assert cfg.model.roi_head.type == kind
    plain = set(build_model(cfg).state_dict())
    add_dir_head(cfg)
    model = build_model(cfg)
    added = set(model.state_dict()) - plain
    assert added
    assert all(name.startswith("roi_head.dir_head.") for name in added)
    # Double-Head shares no layers between its tasks, and TridentNet's box head has none: its RoI features are pooled.
    assert begin_as_box_head(model.roi_head) == (0 if kind in ("DoubleHeadRoIHead", "TridentRoIHead") else 2)


def first_layers(weights: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """The branches' hidden layers less the box head's."""
    return [
        weights[f"roi_head.dir_head.{branch}.{2 * layer}.weight"]
        - weights[f"roi_head.bbox_head.shared_fcs.{layer}.weight"]
        for branch, layer in product(("purity", "integrity"), (0, 1))
    ]


def test_a_new_head_begins_with_the_box_heads_layers_and_a_trained_one_as_it_is(write_config, tmp_path):
    plain = write_config(dir_head=False)
    cfg = read_config(plain)
    torch.save({"state_dict": build_model(cfg).state_dict()}, tmp_path / "plain.pth")
    still = ["-o", "optim_wrapper.optimizer.lr=0.0", "--epochs", 1, "--cache-features", "--boxes-per-picture", 4]
    still += ["-o", f"model.roi_head.dir_head.fc_channels={cfg.model.roi_head.bbox_head.fc_out_channels}"]
    run(plain, "--retrofit", tmp_path / "plain.pth", "--work-dir", tmp_path / "first", *still)
    begun = torch.load(tmp_path / "first" / "retrofitted.pth", weights_only=False)
    assert not any(bool(difference.any()) for difference in first_layers(begun["state_dict"]))

    begun["state_dict"]["roi_head.dir_head.purity.0.weight"][:] = 0.5
    torch.save(begun, tmp_path / "trained.pth")
    with_dir = next((tmp_path / "first").glob("*.py"))
    run(with_dir, "--retrofit", tmp_path / "trained.pth", "--work-dir", tmp_path / "second", *still)
    again = torch.load(tmp_path / "second" / "retrofitted.pth", weights_only=False)["state_dict"]
    assert bool((again["roi_head.dir_head.purity.0.weight"] == 0.5).all())


def test_without_a_cache_the_layers_are_copied_before_the_first_step_and_not_when_training_is_resumed(write_config):
    cfg = read_config(write_config())
    cfg.model.roi_head.dir_head.fc_channels = cfg.model.roi_head.bbox_head.fc_out_channels
    model = build_model(cfg)
    before = first_layers(model.state_dict())
    BeginAsBoxHeadHook().before_train(SimpleNamespace(model=model, iter=1))
    assert all(map(torch.equal, first_layers(model.state_dict()), before))
    BeginAsBoxHeadHook().before_train(SimpleNamespace(model=model, iter=0))
    assert not any(bool(difference.any()) for difference in first_layers(model.state_dict()))


def mmdet_config(name: str) -> Path:
    import mmdet

    return Path(mmdet.__file__).parent / ".mim" / "configs" / name


def test_a_single_stage_detector_is_refused_by_name():
    cfg = Config.fromfile(mmdet_config("retinanet/retinanet_r18_fpn_1x_coco.py"))
    with pytest.raises(ConfigError, match="needs a two-stage detector"):
        add_dir_head(cfg)


def test_a_retrofit_averages_nothing_and_is_refused_at_its_start_if_it_could_not_be_exported(write_config, tmp_path):
    cfg = read_config(write_config(dir_head=False))
    checkpoint = tmp_path / "random.pth"
    torch.save({"state_dict": build_model(cfg).state_dict()}, checkpoint)
    cfg.custom_hooks = [{"type": "EMAHook"}, {"type": "mmdet.NumClassCheckHook"}]
    refused = copy.deepcopy(cfg)
    retrofit(cfg, checkpoint, epochs=1, trust_checkpoint=False)
    assert [hook["type"] for hook in cfg.custom_hooks][:2] == ["mmdet.NumClassCheckHook", "FreezeDetectorHook"]
    refused.model.roi_head.bbox_roi_extractor.roi_layer.pool_mode = "max"
    with pytest.raises(DirdetError, match=r"export supports roi_layer\.pool_mode = 'avg' only"):
        retrofit(refused, checkpoint, epochs=1, trust_checkpoint=False)


def test_a_checkpoint_of_another_detector_is_refused_before_anything_starts(write_config, tmp_path):
    config = write_config(dir_head=False)
    torch.save({"state_dict": {"backbone.conv_stem.weight": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other\.pth is"):
        run(config, "--retrofit", tmp_path / "other.pth", "--work-dir", tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_a_plain_detectors_head_learns_to_say_bad_and_a_config_with_dir_keeps_what_it_says(
    trained_plain, write_config, tmp_path
):
    plain, checkpoint = trained_plain(True)
    for config, learnt in ((plain, RETROFIT_LEARNS_FROM), (write_config(), None)):
        work = tmp_path / f"work_{learnt}"
        run(config, "--retrofit", checkpoint, "--work-dir", work)
        assert read_config(next(work.glob("*.py"))).model.roi_head.get("learns_from") == learnt


def test_cached_features_need_a_frozen_detector(tiny_config):
    result = CliRunner().invoke(train_command, [str(tiny_config), "--cache-features"])
    assert result.exit_code == 2
    assert "--cache-features has no effect without --retrofit" in result.output
