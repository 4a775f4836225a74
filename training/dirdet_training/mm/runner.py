"""Sets up MMEngine's Runner from a config: training, resuming, and evaluation under several ranks."""

import atexit
import copy
import logging
import math
import os
import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner

from dirdet.errors import DirdetError
from dirdet_training.mm.checkpoints import CheckpointError, lend_to_mmengine, load_weights, read_checkpoint
from dirdet_training.mm.configs import keep_norms_local
from dirdet_training.mm.data import DataError as DataError
from dirdet_training.mm.data import only_dataset, require_data
from dirdet_training.mm.dir_mixin import DEFAULT_MAX_CANDIDATES, most_detections
from dirdet_training.mm.memory import keep_freed_memory
from dirdet_training.mm.own_data import set_evaluator
from dirdet_training.mm.refused_settings import naming_refused_settings
from dirdet_training.nms import Selection


class DeviceError(DirdetError):
    """The machine's devices do not support the requested setting."""


def newest_checkpoint(work_dir: Path) -> Path | None:
    """Returns the newest checkpoint in a folder; None if there is none.

    MMEngine writes the newest one's path to a file. If the folder was moved or copied since, the path leads elsewhere,
    and only the name in it holds.
    """
    pointer = work_dir / "last_checkpoint"
    if pointer.is_file():
        named = work_dir / Path(pointer.read_text(encoding="utf-8").strip()).name
        if named.is_file():
            return named
    numbered = [(path, re.fullmatch(r"(?:epoch|iter)_(\d+)", path.stem)) for path in work_dir.glob("*.pth")]
    found = [(int(match[1]), path) for path, match in numbered if match]
    return max(found)[1] if found else None


@naming_refused_settings()
def train(
    cfg: Config,
    *,
    resume: Path | bool,
    amp: bool,
    trust_checkpoint: bool,
    averaged: bool = True,
    skip_broken: bool = False,
) -> None:
    """Trains to the end of the config's schedule.

    Args:
        cfg: complete, with work_dir.
        resume: a checkpoint to resume from; True resumes from the newest in the work_dir, False starts a new training.
        amp: automatic mixed precision (MMEngine's AmpOptimWrapper).
        trust_checkpoint: allow pickled objects in checkpoints that are read.
        averaged: begin with the averaged weights of the config's checkpoint, as in `weights_in`.
        skip_broken: leave broken annotations out instead of refusing them.

    Raises:
        DataError: the data that the config names is missing, is broken, or has other classes.
        CheckpointError: a checkpoint to start from cannot be read, or lacks a part that resuming needs.
        DeviceError: amp is set and there is no accelerator.
        RefusedSettingError: a class that the config names does not exist, or does not take its settings.
    """
    register_all_modules(init_default_scope=True)
    require_data(cfg, "train", skip_broken=skip_broken)
    if cfg.get("val_dataloader"):
        for clean in require_data(cfg, "val", skip_broken=skip_broken).values():
            set_evaluator(cfg, "val", clean)
    if amp:
        _mix_precision(cfg)
    begin = cfg.get("load_from")
    if resume:
        _go_on(cfg, resume)
    lend_to_mmengine(trust_checkpoint=trust_checkpoint, last_step_of=None if averaged else begin)
    if cfg.get("load_from"):
        require_start(Path(cfg.load_from), whole=bool(cfg.get("resume")), trust_checkpoint=trust_checkpoint)
    if cfg.get("launcher", "none") == "none":
        keep_norms_local(cfg.model)
    if get_device() == "cpu":
        keep_freed_memory()
        if cfg.get("launcher") == "pytorch":
            distribute_on_cpu(cfg)
    Runner.from_cfg(cfg).train()


def _go_on(cfg: Config, checkpoint: Path | Literal[True]) -> None:
    """Sets the checkpoint to resume from, in place; True is the newest in the work_dir."""
    start = newest_checkpoint(Path(cfg.work_dir)) if checkpoint is True else checkpoint
    if start is None:
        print(f"{cfg.work_dir} has no checkpoint to resume from: training starts from the beginning", file=sys.stderr)
    else:
        cfg.resume, cfg.load_from = True, str(start)


def _mix_precision(cfg: Config) -> None:
    """Sets the optimiser's wrapper, in place."""
    if get_device() == "cpu":
        raise DeviceError("--amp needs an accelerator: MMEngine has no mixed precision on the CPU")
    cfg.optim_wrapper.type = "AmpOptimWrapper"
    cfg.optim_wrapper.loss_scale = "dynamic"


def require_start(checkpoint: Path, *, whole: bool, trust_checkpoint: bool) -> None:
    """Raises CheckpointError if training cannot start from a checkpoint or, with whole, cannot be resumed from it."""
    content = read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint)
    if whole and not {"meta", "optimizer"} <= content.keys():
        raise CheckpointError(f"checkpoint {checkpoint} contains only weights: training cannot continue from it")


def leave_process_group() -> None:
    """Ends one of torchrun's processes whose work is done; returns in a process that torchrun did not start.

    Gloo's threads may still hold tensors when the interpreter is torn down, after `destroy_process_group` too. A thread
    that then frees one aborts the process, and torchrun reports a finished training as failed (pytorch#179291). So the
    process calls its exit functions, and ends without tearing the interpreter down.
    """
    if not torch.distributed.is_initialized():
        return
    torch.distributed.destroy_process_group()
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def distribute_on_cpu(cfg: Config) -> None:
    """Joins torchrun's processes without GPUs, which MMEngine's own set-up does not support; changes cfg in place."""
    torch.distributed.init_process_group("gloo")
    cfg.model_wrapper_cfg = {
        "type": "MMDistributedDataParallel",
        "device_ids": None,
        "broadcast_buffers": False,
        "find_unused_parameters": cfg.get("find_unused_parameters", False),
    }


# Figures of MMDetection's CocoMetric, by their names here.
COCO_ITEMS = {
    "AP": "mAP",
    "AP50": "mAP_50",
    "AP75": "mAP_75",
    "AP_small": "mAP_s",
    "AP_medium": "mAP_m",
    "AP_large": "mAP_l",
}


@naming_refused_settings()
def evaluate(
    cfg: Config,
    checkpoint: Path,
    *,
    ann_file: Path,
    ranks: list[str],
    trust_checkpoint: bool,
    averaged: bool = True,
    skip_broken: bool = False,
    candidates_out: Path | None = None,
) -> dict[str, float]:
    """Measures one checkpoint under several ranks, on the same candidates.

    A plain detector's AP and AP by size, ranked by score, are those of MMDetection's own test: the config's NMS of any
    kind, and CocoMetric.

    Args:
        cfg: the detector's config, with work_dir.
        checkpoint: its weights.
        ann_file: COCO JSON; its file names are relative to the config's data_root and data_prefix.
        ranks: names from `dirdet_training.rivals.SUPPRESSIONS`.
        trust_checkpoint: allow pickled objects in the checkpoint.
        averaged: as in `weights_in`.
        skip_broken: leave broken annotations out instead of refusing them.
        candidates_out: the file to write all candidates to (CandidatesFile).

    Returns:
        Figures by name (RankingMetric's), the same in every process.

    Raises:
        DataError: the annotation file is missing, is broken, or has other classes.
        CheckpointError: the checkpoint cannot be read, or belongs to another detector.
        RefusedSettingError: as `build_model`.
    """
    rcnn = copy.deepcopy(cfg.model.test_cfg.rcnn)
    cfg, ann_file, nms = ready_to_test(cfg, ann_file=ann_file, skip_broken=skip_broken)
    plain = copy.deepcopy(cfg) if "score" in ranks and "dir_head" not in cfg.model.roi_head else None
    cfg.test_evaluator = [{"type": "RankingMetric", "ranks": ranks, **nms}]
    if candidates_out is not None:
        steps = {field.name for field in fields(Selection)}
        selection = {name: value for name, value in rcnn.items() if name in steps}
        cfg.test_evaluator.append(
            {"type": "CandidatesFile", "out": str(candidates_out.resolve()), "selection": selection, **nms}
        )
    figures = ready_runner(cfg, checkpoint, trust_checkpoint=trust_checkpoint, averaged=averaged).test()
    measured = {name.removeprefix("ranking/"): value for name, value in figures.items() if name.startswith("ranking/")}
    if plain is None:
        return measured
    # Its own NMS, which may be another kind, and candidates without a limit: as MMDetection tests it.
    plain.model.test_cfg.rcnn = rcnn
    plain.test_evaluator = [{"type": "CocoMetric", "ann_file": str(ann_file), "metric": "bbox"}]
    own = ready_runner(plain, checkpoint, trust_checkpoint=trust_checkpoint, averaged=averaged).test()
    for name, item in COCO_ITEMS.items():
        value = own.get(f"coco/bbox_{item}", -1.0)
        measured[f"score/{name}"] = 100 * value if value >= 0 else math.nan
    return measured


def ready_to_test(cfg: Config, *, ann_file: Path, skip_broken: bool) -> tuple[Config, Path, dict[str, Any]]:
    """Makes a config whose Runner.test passes all candidates, without suppression, to evaluators that are set later.

    Args:
        cfg: the detector's config, with work_dir; it is not changed.
        ann_file: COCO JSON; its file names are relative to the config's data_root and data_prefix.
        skip_broken: leave broken annotations out instead of refusing them.

    Returns:
        The config, the annotation file for the measures, and the settings of every evaluator: ann_file, and those that
        `unsuppressed` returns.

    Raises:
        DataError: the annotation file is missing, is broken, or has other classes.
    """
    register_all_modules(init_default_scope=True)
    cfg = copy.deepcopy(cfg)
    dataset = only_dataset(cfg, "test")
    dataset["ann_file"] = str(ann_file.resolve())
    for step in dataset.get("pipeline") or ():
        if step.get("with_mask"):  # Boxes are measured, and the file may have no masks.
            step["with_mask"] = False
    ann_file = require_data(cfg, "test", skip_broken=skip_broken).get(ann_file.resolve(), ann_file)
    previous = unsuppressed(cfg)
    # `ready_runner` loads the weights: MMEngine would silently leave out weights that do not fit.
    cfg.load_from = None
    # Evaluation uses neither, and their data may be missing.
    for part in ("train", "val"):
        for key in (f"{part}_dataloader", f"{part}_cfg", f"{part}_evaluator"):
            cfg.pop(key, None)
    cfg.pop("optim_wrapper", None)
    cfg.pop("param_scheduler", None)
    return cfg, ann_file, {"ann_file": str(ann_file), **previous}


def ready_runner(cfg: Config, checkpoint: Path, *, trust_checkpoint: bool, averaged: bool = True) -> Runner:
    """Makes a Runner of a config from `ready_to_test`, with a checkpoint's weights.

    Raises:
        CheckpointError: the checkpoint cannot be read, or belongs to another detector.
    """
    content = read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint)
    runner = Runner.from_cfg(cfg)
    load_weights(getattr(runner.model, "module", runner.model), content, checkpoint, averaged=averaged)
    return runner


def unsuppressed(cfg: Config) -> dict[str, Any]:
    """Makes a config's detector return all candidates, in place.

    Returns:
        What its NMS was, as settings of an evaluator: nms_iou_threshold, nms_over_classes and max_detections.

    Raises:
        SelectionError: a detector with DIR has another NMS than the ranked one.
    """
    rcnn = cfg.model.test_cfg.rcnn
    if "dir_head" in cfg.model.roi_head:
        Selection.of(rcnn)
    most = int(rcnn.get("max_candidates", DEFAULT_MAX_CANDIDATES))
    previous = {
        "nms_iou_threshold": float(rcnn.nms.iou_threshold),
        "nms_over_classes": bool(rcnn.nms.get("class_agnostic", False)),
        "max_detections": most_detections(rcnn) or most,
    }
    rcnn.nms = {"type": "nms", "iou_threshold": 1.0}
    # Without NMS, too, clusters would be represented by one box and boxes would vote.
    for name in (field.name for field in fields(Selection)):
        if name != "iou_weight":
            rcnn.pop(name, None)
    rcnn.max_per_img = most
    return previous
