"""MMEngine's Runner, set up from a config: training, resume, and evaluation under several ranks."""

import copy
from pathlib import Path
from typing import Any

import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner, find_latest_checkpoint

from dirdet.errors import DirdetError
from dirdet_training.memory import keep_freed_memory
from dirdet_training.mm.checkpoints import CheckpointError, read_checkpoint
from dirdet_training.mm.data import DataError as DataError
from dirdet_training.mm.data import require_data
from dirdet_training.mm.dir_mixin import DEFAULT_MAX_CANDIDATES
from dirdet_training.mm.own_data import set_evaluator


class DeviceError(DirdetError):
    """A request that this machine's devices cannot meet."""


def point_at_data(cfg: Config, data_root: Path) -> None:
    """Replaces the config's data_root everywhere, also inside the evaluators' annotation paths, in place."""
    old = str(cfg.get("data_root", ""))
    new = f"{data_root}/"

    def replace(node: Any) -> Any:  # noqa: ANN401
        if isinstance(node, dict):
            return {key: replace(value) for key, value in node.items()}
        if isinstance(node, list | tuple):
            return type(node)(replace(value) for value in node)
        return new + node[len(old) :] if isinstance(node, str) and old and node.startswith(old) else node

    for key in [key for key in cfg if key not in {"model"}]:
        cfg[key] = replace(cfg[key])


def train(cfg: Config, *, resume: Path | bool, amp: bool, trust_checkpoint: bool, skip_broken: bool = False) -> None:
    """Trains to the end of the config's schedule.

    Args:
        cfg: complete, with work_dir.
        resume: a checkpoint to go on from, True for the work_dir's newest, False to start anew.
        amp: automatic mixed precision (MMEngine's AmpOptimWrapper).
        trust_checkpoint: allow pickled objects in checkpoints that are read.
        skip_broken: leave broken annotations out instead of refusing them.

    Raises:
        DataError: the data is not where the config says, is broken, or has other classes.
        CheckpointError: a checkpoint to start from cannot be read, or lacks what resuming needs.
        DeviceError: amp without an accelerator.
    """
    register_all_modules(init_default_scope=True)
    require_data(cfg, "train", skip_broken=skip_broken)
    if cfg.get("val_dataloader"):
        for clean in require_data(cfg, "val", skip_broken=skip_broken).values():
            set_evaluator(cfg, "val", clean)
    if amp:
        _mix_precision(cfg)
    if isinstance(resume, Path):
        cfg.resume, cfg.load_from = True, str(resume)
    elif resume and (newest := find_latest_checkpoint(cfg.work_dir)):
        cfg.resume, cfg.load_from = True, newest
    if cfg.get("load_from"):
        require_start(Path(cfg.load_from), whole=bool(cfg.get("resume")), trust_checkpoint=trust_checkpoint)
    if get_device() == "cpu":
        keep_freed_memory()
        if cfg.get("launcher") == "pytorch":
            distribute_on_cpu(cfg)
    Runner.from_cfg(cfg).train()
    if torch.distributed.is_initialized():
        # Else gloo's threads may outlive what they use, and abort a process that has done its work.
        torch.distributed.destroy_process_group()


def _mix_precision(cfg: Config) -> None:
    """Sets the optimiser's wrapper, in place."""
    if get_device() == "cpu":
        raise DeviceError("--amp needs an accelerator: MMEngine has no mixed precision on the CPU")
    cfg.optim_wrapper.type = "AmpOptimWrapper"
    cfg.optim_wrapper.loss_scale = "dynamic"


def require_start(checkpoint: Path, *, whole: bool, trust_checkpoint: bool) -> None:
    """Raises CheckpointError where training cannot begin from a checkpoint or, if whole, go on from it."""
    # MMEngine falls back to pickle in silence; this refuses first.
    content = read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint)
    if whole and not {"meta", "optimizer"} <= content.keys():
        raise CheckpointError(f"checkpoint {checkpoint} holds weights only: training cannot go on from it")


def distribute_on_cpu(cfg: Config) -> None:
    """Joins torchrun's processes without GPUs, which MMEngine's own set-up takes for granted; changes cfg in place."""
    torch.distributed.init_process_group("gloo")
    cfg.model_wrapper_cfg = {
        "type": "MMDistributedDataParallel",
        "device_ids": None,
        "broadcast_buffers": False,
        "find_unused_parameters": cfg.get("find_unused_parameters", False),
    }


def evaluate(
    cfg: Config,
    checkpoint: Path,
    *,
    ann_file: Path,
    ranks: list[str],
    trust_checkpoint: bool,
    skip_broken: bool = False,
    candidates_out: Path | None = None,
) -> dict[str, float]:
    """Measures one checkpoint under several ranks, on the same candidates.

    Args:
        cfg: the detector's config, with work_dir.
        checkpoint: its weights.
        ann_file: COCO JSON; its file names are relative to the config's data_root and data_prefix.
        ranks: names from `dirdet_training.suppression.SUPPRESSIONS`.
        trust_checkpoint: allow pickled objects in the checkpoint.
        skip_broken: leave broken annotations out instead of refusing them.
        candidates_out: a file for all candidates (CandidatesFile).

    Returns:
        Figures by name (RankingMetric's), the same in every process.

    Raises:
        DataError: the annotation file is not there, is broken, or has other classes.
        CheckpointError: the checkpoint cannot be read.
    """
    cfg, ann_file, nms = ready_to_test(
        cfg, checkpoint, ann_file=ann_file, trust_checkpoint=trust_checkpoint, skip_broken=skip_broken
    )
    cfg.test_evaluator = [{"type": "RankingMetric", "ranks": ranks, **nms}]
    if candidates_out is not None:
        iou_weight = cfg.model.test_cfg.rcnn.get("iou_weight", 0.5)
        cfg.test_evaluator.append(
            {"type": "CandidatesFile", "out": str(candidates_out.resolve()), "iou_weight": iou_weight, **nms}
        )
    figures = Runner.from_cfg(cfg).test()
    return {name.removeprefix("ranking/"): value for name, value in figures.items() if name.startswith("ranking/")}


def ready_to_test(
    cfg: Config, checkpoint: Path, *, ann_file: Path, trust_checkpoint: bool, skip_broken: bool
) -> tuple[Config, Path, dict[str, Any]]:
    """A config whose Runner.test gives all candidates of a checkpoint, unsuppressed, to evaluators yet to be set.

    Args:
        cfg: the detector's config, with work_dir; it stays as it is.
        checkpoint: its weights.
        ann_file: COCO JSON; its file names are relative to the config's data_root and data_prefix.
        trust_checkpoint: allow pickled objects in the checkpoint.
        skip_broken: leave broken annotations out instead of refusing them.

    Returns:
        The config, the annotation file to measure by, and the settings that every evaluator here takes: ann_file,
        nms_iou_threshold and max_detections.

    Raises:
        DataError: the annotation file is not there, is broken, or has other classes.
        CheckpointError: the checkpoint cannot be read.
    """
    register_all_modules(init_default_scope=True)
    read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint)
    cfg = copy.deepcopy(cfg)
    cfg.test_dataloader.dataset.ann_file = str(ann_file.resolve())
    ann_file = require_data(cfg, "test", skip_broken=skip_broken).get(ann_file.resolve(), ann_file)
    nms_iou_threshold, max_detections = unsuppressed(cfg)
    cfg.load_from = str(checkpoint)
    # Evaluation needs neither: their data may not be there.
    for part in ("train", "val"):
        for key in (f"{part}_dataloader", f"{part}_cfg", f"{part}_evaluator"):
            cfg.pop(key, None)
    cfg.pop("optim_wrapper", None)
    cfg.pop("param_scheduler", None)
    nms = {"ann_file": str(ann_file), "nms_iou_threshold": nms_iou_threshold, "max_detections": max_detections}
    return cfg, ann_file, nms


def unsuppressed(cfg: Config) -> tuple[float, int]:
    """Lets a config's detector give all its candidates, in place; returns the NMS threshold and limit it had."""
    rcnn = cfg.model.test_cfg.rcnn
    previous = float(rcnn.nms.iou_threshold), int(rcnn.max_per_img)
    rcnn.nms = {"type": "nms", "iou_threshold": 1.0}
    rcnn.max_per_img = rcnn.get("max_candidates", DEFAULT_MAX_CANDIDATES)
    return previous
