"""A detector with DIR and the same without, and the options and pictures of the commands that measure both."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import click
import torch
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device

from dirdet.commands.option_groups import as_one
from dirdet.errors import ParameterError
from dirdet_training.annotations.classes import class_names
from dirdet_training.commands._options import cfg_options, trust_checkpoint
from dirdet_training.mm.checkpoints import load_weights, read_checkpoint, weights_in
from dirdet_training.mm.configs import build_model, read_config
from dirdet_training.mm.data import require_data
from dirdet_training.mm.overrides import override
from dirdet_training.mm.own_data import point_at_data, set_annotations, set_classes
from dirdet_training.mm.speed import MAIN, alone

WITH, WITHOUT = "with DIR", "without DIR"
PACKAGES = ("torch", "torchvision", "onedl-mmdetection", "onedl-mmcv")


@dataclass(frozen=True)
class DetectorPair:
    """Two detectors that differ in DIR alone, by WITH and WITHOUT, of the same weights; the config has DIR."""

    cfg: Config
    models: dict[str, Any]

    def weights(self) -> dict[str, Any]:
        """The state dict of the one with DIR, which holds all of the other's."""
        return self.models[WITH].state_dict()

    def batches(self, size: int) -> Iterator[dict[str, Any]]:
        """The training pictures without end, in the order of the file, loaded and transformed.

        Raises:
            DataError: they are not there, or one is broken.
        """
        require_data(self.cfg, "train", skip_broken=False)
        # pycocotools prints to standard output, which belongs to the table.
        with contextlib.redirect_stdout(sys.stderr):
            dataset = DATASETS.build(self.cfg.train_dataloader.dataset)
        numbers = cycle(range(len(dataset)))
        while True:
            yield pseudo_collate([dataset[next(numbers)] for _ in range(size)])


@dataclass(frozen=True, slots=True)
class PairFlags:
    """The options that say which two detectors, as they were typed."""

    weights: Path | None
    data: Path | None
    ann: str | None
    classes_from: Path | None
    trust_checkpoint: bool
    cfg_options: Mapping[str, Any]


_PATH = click.Path(path_type=Path)
pair_options = as_one(
    "which",
    PairFlags,
    click.option("--weights", type=_PATH, help="A checkpoint of CONFIG, with DIR head or without [fresh weights]."),
    click.option("--data", type=_PATH, help="Where the data set is [the config's data_root]."),
    click.option("--ann", help="COCO JSON of the pictures to use, below the data set's folder [the config's]."),
    click.option("--classes-from", type=_PATH, help="COCO JSON whose classes to know [the config's]."),
    trust_checkpoint,
    cfg_options,
)


def pair_from(config: str, which: PairFlags) -> DetectorPair:
    """The two detectors of a config."""
    cfg = read_config(config)
    if which.data is not None:
        point_at_data(cfg, which.data)
    set_annotations(cfg, train=which.ann, val=which.ann)
    if which.classes_from is not None:
        set_classes(cfg, class_names(which.classes_from))
    override(cfg, which.cfg_options)
    return detector_pair(cfg, which.weights, trust_checkpoint=which.trust_checkpoint)


def detector_pair(cfg: Config, weights: Path | None, *, trust_checkpoint: bool) -> DetectorPair:
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
    state = weights_in(content) or fresh
    if not any(name.startswith(MAIN) for name in state):
        state |= {name: value for name, value in fresh.items() if name.startswith(MAIN)}
    models: dict[str, Any] = {}
    for name, judge in ((WITHOUT, None), (WITH, "dir")):
        variant, kept = alone(cfg, state, judge)
        models[name] = build_model(variant).to(get_device())
        load_weights(models[name], {"state_dict": kept}, weights or Path("fresh"))
    return DetectorPair(cfg, models)


def synchronize() -> None:
    """Waits for the accelerator."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
