"""What the measurements of MMDetection's detectors have in common: options, set-up and report."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import torch

from dirdet.bench.machine import machine
from dirdet.bench.report import table, written
from dirdet_training.annotations.classes import class_names
from dirdet_training.bench.twins import WITHOUT, Twins, twins
from dirdet_training.commands._options import cfg_options, trust_checkpoint
from dirdet_training.mm.configs import read_config
from dirdet_training.mm.own_data import set_annotations, set_classes
from dirdet_training.mm.running import point_at_data

PACKAGES = ("dirdet", "torch", "torchvision", "onedl-mmdetection", "onedl-mmcv")
_OPTIONS = (
    click.argument("config"),
    click.option("--weights", type=click.Path(path_type=Path), help="A checkpoint of CONFIG [its fresh weights]."),
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


def shown(count: int, label: str) -> Iterator[int]:
    """Numbers of rounds with a progress bar on standard error."""
    with click.progressbar(range(count), label=label, file=sys.stderr, show_pos=True) as bar:
        yield from bar


def report(
    seconds: Mapping[str, Sequence[float]], *, what: str, goal: str, facts: Mapping[str, object], out: Path | None
) -> None:
    """Prints the table with the goal beside it; writes the file that was asked for."""
    described = {**facts, "goal": goal, "threads": torch.get_num_threads(), "machine": machine(PACKAGES)}
    click.echo(f"{what}\n\n{table(seconds, WITHOUT)}\n\n{goal}")
    for name, value in {**facts, "threads": torch.get_num_threads()}.items():
        click.echo(f"{name}: {value}")
    if out is not None:
        written(out, what=what, seconds=seconds, against=WITHOUT, facts=described)
