"""A detector with DIR and the same without, and real pictures for both."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import torch
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device

from dirdet.errors import ParameterError
from dirdet_training.mm.checkpoints import load_weights, read_checkpoint
from dirdet_training.mm.configs import build_model
from dirdet_training.mm.data import require_data
from dirdet_training.mm.speed import MAIN, alone

WITH, WITHOUT = "with DIR", "without DIR"


@dataclass(frozen=True)
class Twins:
    """Two detectors that differ in DIR alone.

    Attributes:
        cfg: of the one with DIR.
        models: by WITH and WITHOUT, of the same weights, on the device.
    """

    cfg: Config
    models: dict[str, Any]

    def weights(self) -> dict[str, Any]:
        """The state dict of the one with DIR, which holds all of the other's."""
        return self.models[WITH].state_dict()

    def batches(self, split: Literal["train", "test"], size: int) -> Iterator[dict[str, Any]]:
        """Batches of a split's pictures in the order of the file, loaded and transformed, again from the start at
        its end.

        Raises:
            DataError: the split is not there, or is broken.
        """  # noqa: D205
        require_data(self.cfg, split, skip_broken=False)
        # pycocotools talks on standard output, which belongs to the table.
        with contextlib.redirect_stdout(sys.stderr):
            dataset = DATASETS.build(self.cfg[f"{split}_dataloader"].dataset)
        numbers = cycle(range(len(dataset)))
        while True:
            yield pseudo_collate([dataset[next(numbers)] for _ in range(size)])


def twins(cfg: Config, weights: Path | None, *, trust_checkpoint: bool) -> Twins:
    """Builds both.

    Args:
        cfg: of a detector with DIR.
        weights: a checkpoint of it, or of the same without DIR, which then gets a fresh DIR head; None for the weights
            that it is built with.
        trust_checkpoint: allow pickled objects in the checkpoint.

    Raises:
        ParameterError: the detector has no DIR head.
        CheckpointError: the checkpoint cannot be read, or is not this detector's.
    """
    register_all_modules(init_default_scope=True)
    if "dir_head" not in cfg.model.get("roi_head", {}):
        raise ParameterError("CONFIG", "has no DIR head, so there is nothing to compare")
    torch.manual_seed(0)
    content = read_checkpoint(weights, trust_checkpoint=trust_checkpoint) if weights else {}
    fresh = build_model(cfg).state_dict()
    state = content.get("state_dict", content) or fresh
    if not any(name.startswith(MAIN) for name in state):
        state |= {name: value for name, value in fresh.items() if name.startswith(MAIN)}
    models: dict[str, Any] = {}
    for name, judge in ((WITHOUT, None), (WITH, "dir")):
        variant, kept = alone(cfg, state, judge)
        models[name] = build_model(variant).to(get_device())
        load_weights(models[name], {"state_dict": kept}, weights or Path("fresh"))
    return Twins(cfg, models)


def finish() -> None:
    """Waits for what the accelerator still does."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
