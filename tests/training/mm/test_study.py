"""A whole study of drawn pictures, a few steps a training."""

import json

import pytest
import torch
from click.testing import CliRunner
from mmengine.config import Config

from dirdet.errors import DirdetError, ParameterError
from dirdet_training.commands.study import command
from dirdet_training.mm.checkpoints import CheckpointError
from dirdet_training.mm.configs import build_model, read_config
from dirdet_training.mm.speed import alone
from dirdet_training.study.plan import Plan
from dirdet_training.study.presets import PRESETS, Detector, Preset

JUDGES = """
_base_ = ["./{base}"]
_head = dict(in_channels=64, roi_size=7, fc_channels=32)
_foresight = dict(training="proposal", inference="proposal")
model = dict(
    roi_head=dict(
        judges=dict(
            iou=dict(type="IoUHead", **_head),
            iou_3x=dict(type="IoUHead", **_head),
            foresight_iou=dict(type="IoUHead", sights=_foresight, **_head),
            foresight=dict(type="DIRHead", sights=_foresight, **_head),
        )
    )
)
"""


def call(*arguments: object):
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def judged_config(tiny_config):
    path = tiny_config.with_name("tiny_judges.py")
    path.write_text(JUDGES.format(base=tiny_config.name))
    return path


def test_a_study_trains_measures_and_goes_on(judged_config, data_set, tmp_path):
    work = tmp_path / "study"
    arguments = [
        "--work-dir", work, "--data", data_set, "--ann", "objects.json", "--tune-ann", "objects.json",
        "--classes-from", data_set / "objects.json", "--detector", f"faster={judged_config}", "--seeds", 1,
    ]  # fmt: skip
    told = call(*arguments, "--dry-run").stderr
    assert "4 steps of 2 pictures" in told
    assert "on this machine" in told
    assert not (work / "trained").exists()

    tables = call(*arguments).stdout
    assert tables.startswith("# Study\n"), "standard output belongs to the tables"
    assert "| box / box (DIR) |" in tables
    written = json.loads((work / "study.json").read_text())
    [table] = [table for table in written["tables"] if table["number"] == 3]
    rows = {row["way"]: row for row in table["rows"]}
    for way in ("score", "foresight_iou", "foresight", "iou", "iou_3x", "dir"):
        assert 0 <= rows[way]["untuned"]["figures"]["AP"]["mean"] <= 100
        assert rows[way]["seeds"] == [0]
    assert rows["dir"]["tuned"] is not None
    assert {statement["verdict"] for statement in table["order"]} == {"one seed"}
    assert written["speed"]["score"]["ratio"] == 1
    assert written["speed"].keys() == {"score", "foresight_iou", "foresight", "iou", "dir"}
    # Figure 2 has the training's milestones.
    assert len(json.loads((work / "figure_2.json").read_text())) == 4
    assert (work / "figure_4.svg").read_text().count("paper:") == 4

    # A second start finds everything done.
    made = {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.suffix in {".pth", ".npz"}}
    ledgers = {path: path.read_text() for path in (work / "figures").iterdir()}
    again = call(*arguments)
    assert again.stdout == tables
    assert "Nothing is left" in again.stderr
    assert made == {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.suffix in {".pth", ".npz"}}
    assert ledgers == {path: path.read_text() for path in (work / "figures").iterdir()}
    assert call(*arguments, "--only", "tables").stdout == tables


def test_a_judge_alone_says_what_it_says_beside_the_others(judged_config, batch, detect):
    cfg: Config = read_config(judged_config)
    # NMS by score keeps the same boxes whoever judges.
    cfg.model.test_cfg.rcnn.update(all_judges=True, iou_weight=0.0)
    model = build_model(cfg)
    [told] = detect(model, batch(1))
    assert len(told) > 0
    for judge, said in (("iou", "iou/refined"), ("foresight", "foresight/proposal"), ("dir", "dir/refined")):
        variant, state = alone(cfg, model.state_dict(), judge)
        assert "judges" not in variant.model.roi_head
        led = build_model(variant)
        led.load_state_dict(state)
        [found] = detect(led, batch(1))
        torch.testing.assert_close(found.ious, told[f"{said}/ious"])
    plain, state = alone(cfg, model.state_dict(), None)
    without = build_model(plain)
    without.load_state_dict(state)
    [found] = detect(without, batch(1))
    assert "ious" not in found


SIGHT_OF_ROW = {
    "alone_foresight_iou": "proposal",
    "alone_foresight": "proposal",
    "alone_foresight_on_boxes": "refined",
    "alone_dir_on_proposals": "proposal",
    "alone_iou": "refined",
    "alone_iou_3x": "refined",
    "alone_dir": "refined",
}


@pytest.mark.parametrize("role", SIGHT_OF_ROW)
def test_each_row_has_a_detector_that_learns_from_its_head(role, tiny_config, tmp_path, batch, losses_of, detect):
    settings = dict(PRESETS["pictures-cpu"].detectors[role].settings)
    cfg = Plan(Preset({}, (), "", ""), tmp_path).config(Detector(str(tiny_config), settings=settings))
    cfg.model.test_cfg.rcnn.all_judges = True
    model = build_model(cfg)
    losses = losses_of(model, batch(2))
    torch.stack(
        [losses[name] for name in ("loss_purity", "loss_integrity", "loss_iou") if name in losses]
    ).sum().backward()
    gradient = model.get_parameter("neck.fpn_convs.0.conv.weight").grad
    assert gradient is not None
    assert gradient.abs().max() > 0
    [found] = detect(model, batch(1))
    torch.testing.assert_close(found.ious, found[f"dir/{SIGHT_OF_ROW[role]}/ious"])
    rates = cfg.optim_wrapper.paramwise_cfg.custom_keys
    assert rates.backbone.lr_mult == 0.3
    assert ("roi_head.dir_head" in rates) == (role == "alone_iou_3x")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--detector", "faster_rcnn"], ParameterError, "must be one of plain, faster"),
        (["--use", "no-equals-sign"], ParameterError, "expected NAME=VALUE"),
        (["--use", "of_nothing=a.pth"], ParameterError, "config must be one of"),
        (["--use", "faster_rcnn_lite0_scenes=none.pth"], CheckpointError, "none.pth: no such file"),
        (["--data", "nowhere", "--detector", "plain"], DirdetError, "val.json cannot be read"),
    ],
)
def test_bad_input_is_named(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        call("--work-dir", tmp_path / "study", *arguments)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_names_configs_that_can_be_read(preset):
    for detector in PRESETS[preset].detectors.values():
        for name in (detector.config, *detector.also):
            assert read_config(name).model.type
