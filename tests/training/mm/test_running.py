import json
import os
import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner
from mmengine.config import Config
from pycocotools.coco import COCO

from dirdet.errors import DirdetError
from dirdet.quality.ground_truth import read_ground_truth
from dirdet.quality.measure import measure
from dirdet.quality.results import read_results
from dirdet_training.commands.evaluate import command as evaluate_command
from dirdet_training.commands.evaluate import without_nan
from dirdet_training.commands.train import command as train_command
from dirdet_training.mm.checkpoints import CheckpointError
from dirdet_training.mm.running import DataError, DeviceError, point_at_data


def call(command, *arguments):
    """Runs a subcommand as the `dirdet` command does; an error on purpose is raised again."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def trained(tiny_config, tmp_path):
    call(train_command, tiny_config, "--work-dir", tmp_path / "work", "--seed", 0)
    return tmp_path / "work" / "iter_4.pth"


def test_a_detector_is_trained_resumed_and_measured(tiny_config, trained, tmp_path, data_set):
    weights = torch.load(trained, weights_only=False)["state_dict"]
    start = torch.load(trained.with_name("iter_2.pth"), weights_only=False)["state_dict"]
    key = "roi_head.dir_head.purity.0.weight"
    assert not torch.equal(weights[key], start[key])

    # Two more steps from the newest checkpoint.
    call(train_command, tiny_config, "--work-dir", trained.parent, "--resume", "-o", "train_cfg.max_iters=6")
    assert (trained.parent / "iter_6.pth").is_file()
    log = next(trained.parent.glob("*/vis_data/scalars.json"), None)
    assert log is not None

    output = call(evaluate_command, tiny_config, trained, "--work-dir", tmp_path / "eval", "--json")
    figures = json.loads(output)["objects.json"]
    for rank in ("score", "dir", "oracle"):
        assert 0 <= figures[f"{rank}/AP"] <= figures[f"{rank}/AP50"] <= 100
    assert figures["oracle/AP_agnostic"] >= 0

    candidates = tmp_path / "candidates.json"
    arguments = ["--work-dir", tmp_path / "eval", "--rank", "score", "--candidates", candidates]
    output = call(evaluate_command, tiny_config, trained, *arguments)
    truth = read_ground_truth(data_set / "objects.json")
    found = read_results(candidates, truth)
    assert 0 < found.kept.sum() < len(found.kept)
    assert {"score", "confidence", "purity", "integrity", "iou"} <= found.predictions.keys()
    measured = measure(found, truth).figures
    assert measured["AP"] == pytest.approx(figures["dir/AP"], abs=0.05)
    assert measured["pearson/iou"] == pytest.approx(figures["pearson/iou"], abs=1e-3, nan_ok=True)

    assert output.startswith("| pictures | ranked by |")
    assert "| objects.json | score |" in output
    assert "| objects.json | oracle |" not in output


def test_json_has_no_nan():
    measured = without_nan({"a.json": {"AP": 1.5, "pearson/iou": float("nan")}})
    assert json.loads(json.dumps(measured, allow_nan=False)) == {"a.json": {"AP": 1.5, "pearson/iou": None}}


def test_a_checkpoint_that_needs_pickle_starts_nothing(tiny_config, tmp_path):
    torch.save({"state_dict": {}, "extra": tmp_path}, tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="--trust-checkpoint"):
        call(train_command, tiny_config, "--work-dir", tmp_path / "work", "--resume-from", tmp_path / "c.pth")
    assert not (tmp_path / "work").exists()


def test_weights_alone_cannot_be_resumed(tiny_config, tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="holds weights only"):
        call(train_command, tiny_config, "--work-dir", tmp_path / "work", "--resume-from", tmp_path / "c.pth")


def test_missing_data_is_named_before_anything_starts(tiny_config, tmp_path):
    with pytest.raises(DataError, match=r"nowhere/objects\.json"):
        call(train_command, tiny_config, "--data", tmp_path / "nowhere", "--work-dir", tmp_path / "work")
    assert issubclass(DataError, DirdetError)
    assert not (tmp_path / "work").exists()


def test_rank_dir_needs_a_dir_head(write_config, tmp_path):
    arguments = [str(write_config(dir_head=False)), str(tmp_path / "c.pth"), "--rank", "dir"]
    result = CliRunner().invoke(evaluate_command, arguments)
    assert result.exit_code == 2
    assert "has no DIR head" in result.output


@pytest.mark.skipif(torch.cuda.is_available(), reason="this is what a machine without an accelerator says")
def test_amp_without_an_accelerator_is_refused(tiny_config, tmp_path):
    with pytest.raises(DeviceError, match="needs an accelerator"):
        call(train_command, tiny_config, "--work-dir", tmp_path / "work", "--amp")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="MMEngine has mixed precision on accelerators only")
def test_amp_trains_with_finite_weights(tiny_config, tmp_path):
    call(train_command, tiny_config, "--work-dir", tmp_path / "work", "--amp")
    weights = torch.load(tmp_path / "work" / "iter_4.pth", weights_only=False)["state_dict"]
    assert all(bool(torch.isfinite(weight).all()) for weight in weights.values())


def test_moving_the_data_moves_every_path_that_lies_in_it(tmp_path):
    cfg = Config(
        {
            "data_root": "data/x/",
            "model": {"name": "data/x/stays"},
            "val_dataloader": {"dataset": {"data_root": "data/x/"}},
            "val_evaluator": {"ann_file": "data/x/annotations/val.json"},
            "other": ["elsewhere"],
        }
    )
    point_at_data(cfg, tmp_path)
    assert cfg.val_dataloader.dataset.data_root == f"{tmp_path}/"
    assert cfg.val_evaluator.ann_file == f"{tmp_path}/annotations/val.json"
    assert cfg.model.name == "data/x/stays"
    assert cfg.other == ["elsewhere"]


def test_drawn_objects_are_what_coco_reads(data_set):
    assert len(COCO(str(data_set / "objects.json")).getImgIds()) == 8


def test_torchrun_trains_in_two_processes(tiny_config, tmp_path):
    """On CPUs by gloo; on GPUs the same command uses MMEngine's own set-up."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    train = [
        "-m",
        "dirdet",
        "train",
        str(tiny_config),
        "--work-dir",
        str(tmp_path / "work"),
        "-o",
        "train_cfg.max_iters=2",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run([*torchrun, *train], capture_output=True, text=True, env=environment, timeout=240)
    assert result.returncode == 0, result.stderr[-4000:]
    assert (tmp_path / "work" / "iter_2.pth").is_file()
    assert "GPU number: 2" in result.stdout + result.stderr, "MMEngine counts two processes"
