import ast
import json
import os
import shutil
import subprocess
import sys
from collections import Counter

import pytest
import torch
from click.testing import CliRunner
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner
from pycocotools.coco import COCO

from dirdet.errors import DirdetError
from dirdet.quality.detections_file import read_results
from dirdet.quality.ground_truth import read_ground_truth
from dirdet.quality.measure import measure
from dirdet_training.commands.evaluate import command as evaluate_command
from dirdet_training.commands.evaluate import without_nan
from dirdet_training.commands.train import command as train_command
from dirdet_training.mm.checkpoints import CheckpointError, load_detector, read_checkpoint
from dirdet_training.mm.configs import read_config
from dirdet_training.mm.own_data import point_at_data
from dirdet_training.mm.runner import COCO_ITEMS, DataError, DeviceError, newest_checkpoint, unsuppressed
from dirdet_training.nms import Selection, SelectionError


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

    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in output.splitlines()]
    assert rows[0][:3] == ["pictures", "ranked by", "AP"]
    assert next(row[1] for row in rows[2:] if row[0] == "objects.json") == "score"
    assert "oracle" not in output
    assert ["each box once", "score, objects.json", "iou, objects.json"] in rows
    assert "pearson" in [row[0] for row in rows]


def test_measures_see_candidates_whatever_the_detector_is_set_to_keep():
    cfg = read_config("faster_rcnn_dir_lite0_cards")
    assert Selection.of(cfg.model.test_cfg.rcnn).voting is not None
    assert unsuppressed(cfg) == {"nms_iou_threshold": 0.5, "nms_over_classes": False, "max_detections": 100}
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 9, 10]])
    column = torch.tensor([0.9, 0.8, 0.7])
    kept = Selection.of(cfg.model.test_cfg.rcnn)(boxes, column, column, torch.zeros(3).long(), iou_threshold=1.0)
    assert torch.equal(kept.boxes_xyxy, boxes)


# NMS over all classes and Soft-NMS, nearly no threshold and no limit: none of it is what the ranked NMS has.
NO_LIMIT = {"max_per_img": -1, "score_thr": 0.001}
PLAIN_SETTINGS = {
    "class-agnostic": {"nms": {"type": "nms", "iou_threshold": 0.4, "class_agnostic": True}, **NO_LIMIT},
    "soft": {"nms": {"type": "soft_nms", "iou_threshold": 0.4, "method": "gaussian", "min_score": 0.002}, **NO_LIMIT},
}


def test_a_plain_detector_has_the_figures_of_mmdetection_s_own_test(write_config, data_set, tmp_path):
    config = write_config(dir_head=False)
    call(train_command, config, "--work-dir", tmp_path / "work", "--seed", 0, "-o", "train_cfg.max_iters=12")
    checkpoint = tmp_path / "work" / "iter_12.pth"
    arguments = ["--work-dir", tmp_path / "eval", "--rank", "score", "--json"]
    measured = {}
    for kind, rcnn in PLAIN_SETTINGS.items():
        options = [each for name, value in rcnn.items() for each in ("-o", f"model.test_cfg.rcnn.{name}={value}")]
        figures = json.loads(call(evaluate_command, config, checkpoint, *arguments, *options))["objects.json"]

        cfg = read_config(config)
        cfg.merge_from_dict({f"model.test_cfg.rcnn.{name}": value for name, value in rcnn.items()})
        cfg.work_dir, cfg.load_from = str(tmp_path / "theirs"), str(checkpoint)
        cfg.test_evaluator = {"type": "CocoMetric", "ann_file": str(data_set / "objects.json"), "metric": "bbox"}
        theirs = Runner.from_cfg(cfg).test()
        assert figures["score/AP50"] > 0
        for name, item in COCO_ITEMS.items():
            expected = theirs[f"coco/bbox_{item}"]
            assert figures[f"score/{name}"] == (None if expected < 0 else 100 * expected), (kind, name)
        measured[kind] = figures["score/AP"]
    assert len(set(measured.values())) == len(measured), "each setting changes the figures"


@pytest.mark.parametrize("over_classes", [False, True])
def test_a_detector_with_dir_is_measured_with_its_own_nms(tiny_config, trained, data_set, tmp_path, over_classes):
    """Over classes or within them, and with the NMS' own limit: as MMDetection measures its answers."""
    settings = f"{{'type': 'nms', 'iou_threshold': 0.4, 'class_agnostic': {over_classes}, 'max_num': 7}}"
    candidates = tmp_path / "candidates.json"
    arguments = ["--work-dir", tmp_path / "eval", "--rank", "dir", "--json", "--candidates", candidates]
    options = ["-o", f"model.test_cfg.rcnn.nms={settings}", "-o", "model.test_cfg.rcnn.max_per_img=-1"]
    figures = json.loads(call(evaluate_command, tiny_config, trained, *arguments, *options))["objects.json"]

    cfg = read_config(tiny_config)
    cfg.model.test_cfg.rcnn.update(nms=ast.literal_eval(settings), max_per_img=-1)
    cfg.work_dir, cfg.load_from = str(tmp_path / "theirs"), str(trained)
    cfg.test_evaluator = {"type": "CocoMetric", "ann_file": str(data_set / "objects.json"), "metric": "bbox"}
    theirs = Runner.from_cfg(cfg).test()
    for name in ("AP", "AP50"):
        assert figures[f"dir/{name}"] == pytest.approx(100 * theirs[f"coco/bbox_{COCO_ITEMS[name]}"], abs=0.06)
    kept = [(entry["image_id"], entry["category_id"]) for entry in json.loads(candidates.read_text()) if entry["kept"]]
    assert max(Counter(picture for picture, _ in kept).values()) <= 7


def test_soft_nms_of_a_detector_with_dir_is_refused(tiny_config, trained, tmp_path):
    options = ["-o", "model.test_cfg.rcnn.nms={'type': 'soft_nms', 'iou_threshold': 0.4}"]
    with pytest.raises(SelectionError, match=r"nms.type is 'soft_nms'; the ranked NMS has 'nms' only"):
        call(evaluate_command, tiny_config, trained, "--work-dir", tmp_path / "eval", *options)


def test_json_has_no_nan():
    measured = without_nan({"a.json": {"AP": 1.5, "pearson/iou": float("nan")}})
    assert json.loads(json.dumps(measured, allow_nan=False)) == {"a.json": {"AP": 1.5, "pearson/iou": None}}


def test_checkpoints_of_the_real_runner_need_no_trust(tiny_config, tmp_path):
    """With averaged weights, an optimiser's and schedulers' states, the log's history, before and after resuming."""
    options = ["-o", "custom_hooks=[{'type': 'EMAHook'}]", "-o", "optim_wrapper.optimizer={'type': 'AdamW'}"]
    work = ["--work-dir", tmp_path / "work"]
    call(train_command, tiny_config, *work, *options)
    call(train_command, tiny_config, *work, *options, "--resume", "-o", "train_cfg.max_iters=6")
    for name in ("iter_4.pth", "iter_6.pth"):
        content = read_checkpoint(tmp_path / "work" / name)
        assert {"state_dict", "ema_state_dict", "message_hub", "optimizer", "param_schedulers"} <= content.keys()
        losses = content["message_hub"]["log_scalars"]["train/loss"]
        assert isinstance(losses, HistoryBuffer)
        assert len(losses.data[0]) == int(name[5])
        load_detector(tiny_config, tmp_path / "work" / name)
    # What AmpOptimWrapper adds, which needs an accelerator.
    content["optimizer"]["loss_scaler"] = torch.amp.GradScaler("cpu").state_dict()
    torch.save(content, tmp_path / "amp.pth")
    assert read_checkpoint(tmp_path / "amp.pth")["optimizer"]["loss_scaler"]["scale"] > 1


def test_a_checkpoints_config_is_not_executed(tiny_config, trained, tmp_path):
    """MMEngine executes the text in `meta.config` when it resumes."""
    content = torch.load(trained, weights_only=False)
    content["meta"]["config"] = f"open({str(tmp_path / 'trap')!r}, 'w')"
    torch.save(content, tmp_path / "c.pth")
    resume = ["--work-dir", tmp_path / "again", "--resume-from", tmp_path / "c.pth"]
    call(train_command, tiny_config, *resume, "-o", "train_cfg.max_iters=5")
    assert any((tmp_path / "again").glob("iter_*.pth"))
    assert not (tmp_path / "trap").exists()


def test_a_checkpoint_of_another_detector_is_not_measured(write_config, trained, tmp_path):
    with pytest.raises(CheckpointError, match="not of this config"):
        call(evaluate_command, write_config(dir_head=False), trained, "--work-dir", tmp_path / "eval")


def test_a_checkpoint_that_needs_pickle_starts_nothing(tiny_config, tmp_path):
    torch.save({"state_dict": {}, "extra": tmp_path}, tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="--trust-checkpoint"):
        call(train_command, tiny_config, "--work-dir", tmp_path / "work", "--resume-from", tmp_path / "c.pth")
    assert not (tmp_path / "work").exists()


def test_weights_alone_cannot_be_resumed(tiny_config, tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="contains only weights"):
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


def rate_of(work):
    [log] = work.glob("*/vis_data/scalars.json")
    return json.loads(log.read_text().splitlines()[0])["lr"]


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        (["-o", "auto_scale_lr.base_batch_size=16"], 2 / 16),
        (["--no-scale-lr", "-o", "auto_scale_lr.base_batch_size=16"], 1),
        ([], 1),
    ],
)
def test_the_rate_follows_the_batch_where_the_config_says_for_which_it_is(tiny_config, tmp_path, options, factor):
    arguments = [tiny_config, "--work-dir", tmp_path / "work", "-o", "train_cfg.max_iters=1", *options]
    result = CliRunner().invoke(train_command, [str(argument) for argument in arguments], catch_exceptions=False)
    # The backbone's, which has 0.3 of the config's.
    assert rate_of(tmp_path / "work") == pytest.approx(6e-4 * 0.3 * factor)
    told = "learning rate times 0.125: it is for batches of 16, and 1 process of 2 pictures make one of 2"
    assert (told in result.stderr) == (factor != 1)


def test_torchrun_trains_in_two_processes(tiny_config, tmp_path):
    """On CPUs by gloo; on GPUs the same command uses MMEngine's own set-up.

    On a machine where none has run: yapf's caches are not there yet, and one process at a time writes them.
    """
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
    cache = tmp_path / "cache"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(cache)}
    result = subprocess.run([*torchrun, *train], capture_output=True, text=True, env=environment, timeout=240)
    assert result.returncode == 0, result.stderr[-4000:]
    assert (tmp_path / "work" / "iter_2.pth").is_file()
    assert "GPU number: 2" in result.stdout + result.stderr, "MMEngine counts two processes"
    assert (cache / "dirdet" / "yapf.lock").is_file()
    assert any(cache.rglob("PatternGrammar*.pickle"))


def test_the_newest_checkpoint_is_this_folders(tmp_path):
    """MMEngine writes the newest one's absolute path; the folder may be a copy of another, or have been moved."""
    assert newest_checkpoint(tmp_path / "nothing") is None
    old, copied = tmp_path / "old", tmp_path / "copied"
    old.mkdir()
    for number in (900, 1050):
        (old / f"iter_{number}.pth").touch()
    (old / "best_coco_iter_1.pth").touch()
    (old / "last_checkpoint").write_text(str(old / "iter_900.pth"))
    assert newest_checkpoint(old) == old / "iter_900.pth"
    shutil.copytree(old, copied)
    assert newest_checkpoint(copied) == copied / "iter_900.pth"
    (copied / "iter_900.pth").unlink()
    assert newest_checkpoint(copied) == copied / "iter_1050.pth"
    (copied / "last_checkpoint").unlink()
    assert newest_checkpoint(copied) == copied / "iter_1050.pth"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--epochs", "2"], "--epochs has no effect without --retrofit"),
        (["--cache-features"], "--cache-features has no effect without --retrofit"),
        (["--passes", "2"], "--passes has no effect without --cache-features"),
        (["--retrofit", "c.pth", "--cache-features", "--amp"], "--amp has no effect with --cache-features"),
        (["--retrofit", "c.pth", "--cache-features", "--resume-from", "c"], "--resume-from has no effect with --cache"),
        (["--resume", "--resume-from", "c"], "--resume has no effect with --resume-from"),
    ],
)
def test_an_option_without_effect_is_refused(options, words):
    result = CliRunner().invoke(train_command, ["faster_rcnn_dir_lite0_scenes", *options])
    assert result.exit_code == 2
    assert words in result.output
