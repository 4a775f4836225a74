"""Every NMS against torchvision's and mmcv's, on the same boxes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import click
import torch

from dirdet.errors import MissingExtraError, ParameterError
from dirdet_bench.harness.measurement import Result, measurement
from dirdet_bench.harness.plots import lines
from dirdet_bench.harness.report import Row
from dirdet_bench.harness.turns import seconds_in_turns
from dirdet_bench.training.mmcv_soft_nms import mmcv_batched_nms
from dirdet_bench.training.nms_variants import NUMPY, difference, expected_of, variants
from dirdet_bench.training.random_boxes import Layout, random_boxes

WARM_UP = 2
# Seconds of a turn, or one call.
TURN_S = 0.002
DRAWN = ("torchvision batched_nms", "ranked by dir", "mmcv soft_nms, Gaussian", "soft_nms_gaussian", "iou_nms")


@dataclass(frozen=True)
class Boxes:
    """The boxes of a group of rows."""

    layout: Layout
    count: int
    classes: int
    device: torch.device

    def __str__(self) -> str:
        where = "" if self.device.type == "cpu" else f", {self.device.type}"
        plural = "class" if self.classes == 1 else "classes"
        return f"{self.count:,} boxes, {self.layout}, {self.classes} {plural}{where}"


def _rest_and_boxes(row: Mapping[str, Any]) -> tuple[str, int]:
    boxes, _, rest = row["group"].partition(" boxes, ")
    return rest, int(boxes.replace(",", ""))


@measurement(
    "nms",
    packages=("torch", "torchvision", "onedl-mmcv", "numba", "numpy"),
    rounds=20,
    plot=lines(_rest_and_boxes, x="boxes", y="ms a call, median", scale=1000, names=DRAWN, logarithmic=True),
)
@click.option("--boxes", type=click.IntRange(1), multiple=True, default=(100, 1000, 10_000), show_default=True)
@click.option("--classes", type=click.IntRange(1, 100), multiple=True, default=(1, 20), show_default=True)
@click.option(
    "--layout", "layouts", type=click.Choice(["clusters", "random"]), multiple=True, default=("clusters", "random"),
    show_default=True, help="Several boxes around each object, or independent ones.",
)  # fmt: skip
@click.option(
    "--device", "devices", type=click.Choice(["cpu", "cuda"]), multiple=True, help="Where the boxes are [all there is]."
)
@click.option("--mmcv/--no-mmcv", default=True, help="Compare Soft-NMS with mmcv's, which is compiled on first use.")
@click.option("--seed", default=0, show_default=True, help="Of the boxes.")
def command(
    *,
    boxes: Sequence[int],
    classes: Sequence[int],
    layouts: Sequence[Layout],
    devices: Sequence[str],
    mmcv: bool,
    rounds: int,
    seed: int,
) -> Result:
    """Time ranked NMS and its rivals on boxes as a detector gives them, in turns with torchvision's and mmcv's.

    An NMS whose answer differs from that of its counterpart is not timed. The time includes computing the rank, which
    torchvision gets ready. Goals: ranked NMS at most 1.1 times torchvision's batched_nms, Soft-NMS of 1,000 boxes at
    most a tenth of mmcv's.
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
        on = Boxes(layout, count, number, torch.device(device))
        found, differing = time_nms(on, rounds, mmcv_nms=mmcv_nms, seed=seed)
        rows += found
        facts |= {f"not counted: {name}, {on}": why for name, why in differing.items()}
    if "cuda" in (devices or there):
        facts["gpu"] = torch.cuda.get_device_name()
    return Result("Non-maximum suppression, seconds a call", rows, facts)


def time_nms(
    on: Boxes,
    rounds: int,
    *,
    mmcv_nms: Any | None = None,  # noqa: ANN401 - mmcv has no types
    seed: int = 0,
) -> tuple[list[Row], dict[str, str]]:
    """Seconds of a call of each NMS, in turns.

    Returns:
        A row for each NMS that answers as its counterpart; and of the others, by name, how they differ.
    """
    candidates = random_boxes(on.layout, on.count, classes=on.classes, seed=seed, device=on.device)
    named = variants(count=on.count, mmcv_nms=mmcv_nms)
    differing: dict[str, str] = {}
    for name, each in named.items():
        if each.against is None:
            continue
        other = named[each.against] if each.same == "scores" or name == NUMPY else expected_of(name, candidates)
        if (why := difference(each, other, candidates)) is not None:
            differing[name] = why
    counted = {name: each for name, each in named.items() if name not in differing}
    runs = {name: _synchronized(partial(each.run, candidates), on.device) for name, each in counted.items()}
    seconds = seconds_in_turns(runs, rounds, warm_up=WARM_UP, turn_s=TURN_S, label=str(on))
    return [
        Row(name, seconds[name], against=each.against, goal=each.goal, group=str(on)) for name, each in counted.items()
    ], differing


def _synchronized(run: Callable[[], object], device: torch.device) -> Callable[[], object]:
    if device.type == "cpu":
        return run

    def waiting() -> None:
        run()
        torch.cuda.synchronize()

    return waiting
