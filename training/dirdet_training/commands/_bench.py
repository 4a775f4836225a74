"""What the measurements of MMDetection's detectors have in common: options, set-up and report."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import torch

from dirdet.bench.machine import machine
from dirdet.bench.report import Goal, Report, rows_against
from dirdet.bench.telling import command_line, tell
from dirdet_training.annotations.classes import class_names
from dirdet_training.bench.twins import WITH, WITHOUT, Twins, twins
from dirdet_training.commands._options import cfg_options, trust_checkpoint
from dirdet_training.mm.configs import read_config
from dirdet_training.mm.own_data import set_annotations, set_classes
from dirdet_training.mm.running import point_at_data

PACKAGES = ("dirdet", "torch", "torchvision", "onedl-mmdetection", "onedl-mmcv")
_OPTIONS = (
    click.argument("config"),
    click.option(
        "--weights",
        type=click.Path(path_type=Path),
        help="A checkpoint of CONFIG, with its DIR head or without [fresh weights].",
    ),
    click.option("--data", type=click.Path(path_type=Path), help="Where the data set is [the config's data_root]."),
    click.option("--ann", help="COCO JSON of the pictures to use, below the data set's folder [the config's]."),
    click.option(
        "--classes-from", type=click.Path(path_type=Path), help="COCO JSON whose classes to know [the config's]."
    ),
    click.option("--rounds", type=click.IntRange(min=1), default=20, show_default=True, help="Counted ones."),
    click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all times to this file."),
    trust_checkpoint,
    cfg_options,
)


def bench_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds what every such measurement can be told."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def set_up(
    config: str,
    *,
    weights: Path | None,
    data: Path | None,
    ann: str | None,
    classes_from: Path | None,
    trust_checkpoint: bool,
    cfg_options: Mapping[str, Any],
) -> Twins:
    """The two detectors of a config, ready for their pictures."""
    cfg = read_config(config)
    if data is not None:
        point_at_data(cfg, data)
    set_annotations(cfg, train=ann, val=ann)
    if classes_from is not None:
        set_classes(cfg, class_names(classes_from))
    cfg.merge_from_dict(dict(cfg_options))
    return twins(cfg, weights, trust_checkpoint=trust_checkpoint)


def report(
    seconds: Mapping[str, Sequence[float]], *, what: str, goal: Goal, facts: Mapping[str, object], out: Path | None
) -> None:
    """Prints the table with the goal in it; writes the file that was asked for."""
    rows = rows_against(seconds, WITHOUT, {WITH: goal})
    described = {**facts, "threads": torch.get_num_threads()}
    tell(Report(what, command_line(), machine(PACKAGES), rows, described), out)
