"""Measures a detector's speed with each of its judges as the head that ranks, alternating on the same pictures."""

import contextlib
import copy
import sys
import time
from collections import deque
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from dirdet_training.mm.checkpoints import load_weights, read_checkpoint, weights_in
from dirdet_training.mm.configs import build_model
from dirdet_training.mm.data import require_data
from dirdet_training.mm.retrofit import WITH_DIR

WARM_UP = 2
# Where several have one RoI head with DIR, the first: the one whose training is not special.
WITHOUT_DIR = {with_dir: without for without, with_dir in reversed(WITH_DIR.items())}
MAIN, JUDGES = "roi_head.dir_head.", "roi_head.judges."


def alone(cfg: Config, weights: dict[str, Any], judge: str | None) -> tuple[Config, dict[str, Any]]:
    """Makes the detector with one judge in the DIR head's place, or with none (the plain detector), and its weights.

    Args:
        cfg: config of a detector with DIR; it is not changed.
        weights: its state_dict.
        judge: the name of one of its judges, "dir" for the DIR head, None for no judge.
    """
    cfg = copy.deepcopy(cfg)
    roi_head = cfg.model.roi_head
    judges, sights = roi_head.pop("judges", {}), roi_head.get("sights")
    kept = {name: value for name, value in weights.items() if not name.startswith((MAIN, JUDGES))}
    if judge is None:
        roi_head.type = WITHOUT_DIR[roi_head.type]
        for key in ("dir_head", "sights"):
            roi_head.pop(key, None)
        return cfg, kept
    prefix = MAIN
    if judge != "dir":
        prefix = f"{JUDGES}{judge}."
        roi_head.dir_head = judges[judge]
        sights = roi_head.dir_head.pop("sights", None)
        roi_head.sights = sights
    kept |= {MAIN + name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    return cfg, kept


def frames_per_second(
    cfg: Config, checkpoint: Path, judges: dict[str, str | None], *, pictures: int, trust_checkpoint: bool = False
) -> dict[str, dict[str, float]]:
    """Times detection, from a picture in memory to detections, with each judge as the head that ranks.

    All judges process a picture before the next picture is taken, and each picture starts with another judge, so that
    other load on the machine affects all judges equally.

    Args:
        cfg: config of a detector with DIR.
        checkpoint: its weights.
        judges: by name in the result, a judge, "dir" or None; the others are compared with the first.
        pictures: the number of pictures of the test split to use.
        trust_checkpoint: allow pickled objects in the checkpoint.

    Returns:
        By name: `fps`, frames per second, and `ratio`, the median over pictures of the first judge's time divided by
        this judge's time.

    Raises:
        DataError: the test split is missing.
        CheckpointError: the checkpoint cannot be read.
    """
    register_all_modules(init_default_scope=True)
    content = read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint)
    weights = weights_in(content)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    models: dict[str, torch.nn.Module] = {}
    for name, judge in judges.items():
        variant, state = alone(cfg, weights, judge)
        models[name] = build_model(variant).eval().to(device)
        load_weights(models[name], {"state_dict": state}, checkpoint)
    require_data(cfg, "test", skip_broken=False)
    # pycocotools prints to standard output, which is reserved for the tables.
    with contextlib.redirect_stdout(sys.stderr):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    names = deque(models)
    for number in range(min(pictures, len(dataset)) + WARM_UP):
        batch = pseudo_collate([dataset[max(0, number - WARM_UP)]])
        for name in names:
            taken = _timed(models[name], copy.deepcopy(batch), device)
            if number >= WARM_UP:
                seconds[name].append(taken)
        names.rotate(-1)
    first = seconds[next(iter(judges))]
    return {
        name: {
            "fps": 1 / mean(taken),
            "ratio": median(before / now for before, now in zip(first, taken, strict=True)),
        }
        for name, taken in seconds.items()
        if taken
    }


@torch.inference_mode()
def _timed(model: Any, batch: dict[str, Any], device: str) -> float:  # noqa: ANN401
    if device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    model.test_step(batch)
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began
