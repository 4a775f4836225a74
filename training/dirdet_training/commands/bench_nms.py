"""Every NMS against torchvision's and mmcv's, on the same boxes."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import click
import torch

from dirdet.bench.machine import machine
from dirdet.bench.report import Report, Row
from dirdet.bench.telling import command_line, shown, tell
from dirdet.errors import MissingExtraError, ParameterError
from dirdet_training.bench.crowds import Layout
from dirdet_training.bench.mmcv_soft import mmcv_batched_nms
from dirdet_training.bench.suppression_plot import plot as draw
from dirdet_training.bench.suppression_times import WARM_UP, Crowded, time_suppression

PACKAGES = ("dirdet", "torch", "torchvision", "onedl-mmcv", "numba", "numpy")


@click.command("nms")
@click.option("--boxes", type=click.IntRange(1), multiple=True, default=(100, 1000, 10_000), show_default=True)
@click.option("--classes", type=click.IntRange(1, 100), multiple=True, default=(1, 20), show_default=True)
@click.option(
    "--layout", "layouts", type=click.Choice(["clusters", "random"]), multiple=True, default=("clusters", "random"),
    show_default=True, help="Several boxes around each object, or every box for itself.",
)  # fmt: skip
@click.option(
    "--device", "devices", type=click.Choice(["cpu", "cuda"]), multiple=True, help="Where the boxes are [all there is]."
)
@click.option("--mmcv/--no-mmcv", default=True, help="Compare Soft-NMS with mmcv's, which is compiled on first use.")
@click.option("--rounds", type=click.IntRange(min=1), default=20, show_default=True, help="Counted ones.")
@click.option("--seed", default=0, show_default=True, help="Of the boxes.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all times to this file.")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw the times into this SVG or PNG.")
def command(
    *,
    boxes: Sequence[int],
    classes: Sequence[int],
    layouts: Sequence[Layout],
    devices: Sequence[str],
    mmcv: bool,
    rounds: int,
    seed: int,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Time ranked NMS and its rivals on boxes as a detector gives them, in turns with torchvision's and mmcv's.

    Before anything is timed each has to answer as what it is compared with; one that does not is told and left out. A
    rank is computed within its time; torchvision gets it ready. Goals: ranked NMS at most 1.1 times torchvision's
    batched_nms, Soft-NMS of 1,000 boxes at most a tenth of mmcv's.
    """
    there = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    if not set(devices) <= set(there):
        raise ParameterError("--device", "cuda, but torch finds no NVIDIA GPU with a driver on this machine")
    facts: dict[str, object] = {"rounds": rounds, "seed": seed, "threads": torch.get_num_threads()}
    try:
        mmcv_nms = mmcv_batched_nms() if mmcv else None
    except MissingExtraError as exc:
        mmcv_nms = None
        facts["not compared with mmcv"] = str(exc)
    rows: list[Row] = []
    for device, layout, number, count in product(devices or there, layouts, classes, boxes):
        on = Crowded(layout, count, number, torch.device(device))
        found, differing = time_suppression(on, shown(rounds + WARM_UP, str(on)), mmcv_nms=mmcv_nms, seed=seed)
        rows += found
        facts |= {f"not counted: {name}, {on}": why for name, why in differing.items()}
    if "cuda" in (devices or there):
        facts["gpu"] = torch.cuda.get_device_name()
    report = Report("Non-maximum suppression, seconds a call", command_line(), machine(PACKAGES), rows, facts)
    tell(report, out)
    if plot is not None:
        draw(report.content(), plot)
