"""Detection by the embedded engine against MMDetection, torch and stock ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import torch

from dirdet.bench.bars import plot as draw
from dirdet.bench.machine import machine
from dirdet.bench.report import Goal, Report, Row
from dirdet.bench.telling import command_line, shown, tell
from dirdet.bundle import CanvasSize
from dirdet.errors import ParameterError
from dirdet_export.bench.contest import contest, stretched
from dirdet_export.bench.engine_times import WARM_UP, time_peers
from dirdet_export.bench.peers import ENGINE, MMDET, NAMES, PLAIN, STOCK
from dirdet_export.settings import derive_canvases, parse_canvas, read_resize_rule
from dirdet_training.commands._options import cfg_options, trust_checkpoint
from dirdet_training.mm.configs import read_config

PACKAGES = ("dirdet", "onnxruntime", "torch", "torchvision", "onedl-mmdetection", "onedl-mmcv", "numpy")
# Times that MMDetection may take longer: with matrix instructions (AMX), and without.
GOAL_AMX, GOAL = 10, 2
# Times that a detector without DIR may be exceeded.
GOAL_PRICE = 1.03


@click.command("engine")
@click.argument("config")
@click.option("--weights", type=click.Path(path_type=Path), help="A checkpoint of CONFIG [fresh ones, scaled].")
@click.option("--against", type=click.Choice(NAMES), multiple=True, default=NAMES, show_default=True)
@click.option(
    "--pictures", multiple=True, type=click.Path(path_type=Path),
    help="File or folder of pictures, stretched over the canvas; repeatable. Without it some are drawn.",
)  # fmt: skip
@click.option("--canvas", metavar="HxW", help="Size of the network's input [the largest that CONFIG gives].")
@click.option("--candidates", type=click.IntRange(1), default=200, show_default=True, help="Of fresh weights.")
@click.option("--rounds", type=click.IntRange(min=1), default=10, show_default=True, help="Counted ones.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all times to this file.")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw the times into this SVG or PNG.")
@trust_checkpoint
@cfg_options
def command(
    *,
    config: str,
    weights: Path | None,
    against: Sequence[str],
    pictures: Sequence[Path],
    canvas: str | None,
    candidates: int,
    rounds: int,
    out: Path | None,
    plot: Path | None,
    trust_checkpoint: bool,
    cfg_options: dict[str, Any],
) -> None:
    """Time detection by CONFIG's bundle as `dirdet serve` runs it on a CPU, in turns with what one would use else.

    Each detects on the same picture in memory, resized already, from the same weights; before it is timed it has to
    detect what MMDetection detects, within 0.5 px and 0.01. Goals: MMDetection takes at least twice as long, ten times
    on a processor with AMX; stock ONNX Runtime, the same file without options, is never faster; DIR adds at most 3% to
    the bundle of the same detector without it.
    """
    cfg = read_config(config)
    cfg.merge_from_dict(dict(cfg_options))
    try:
        size = parse_canvas(canvas) if canvas else _largest(derive_canvases(read_resize_rule(cfg)))
    except ValueError as exc:
        raise ParameterError("--canvas", str(exc)) from exc
    chosen = stretched(pictures, size)
    with contest(
        cfg, weights, against=against, pictures=chosen, candidates=candidates, trust_checkpoint=trust_checkpoint
    ) as made:
        found = time_peers(
            made.peers, made.by_score, made.model, chosen, made.limits, shown(rounds + WARM_UP, "detect")
        )
    on = machine(PACKAGES)
    report = Report(
        f"Detection by {config}, one picture of {size.height}x{size.width}",
        command_line(),
        on,
        _rows(found.seconds, amx="amx_tile" in str(on["instructions"])),
        {
            "pictures": len(chosen),
            "candidates a picture": round(found.candidates / len(chosen), 1),
            "detections a picture": round(found.detections / len(chosen), 1),
            "weights": "a checkpoint's" if weights else "fresh, scaled",
            "threads": torch.get_num_threads(),
            **{f"near-ties, {name}": count for name, count in found.near_ties.items()},
            **{f"not counted: {name}": why for name, why in found.differing.items()},
        },
    )
    tell(report, out)
    if plot is not None:
        draw(report.content(), plot)


def _largest(canvases: list[CanvasSize]) -> CanvasSize:
    """The one with the most pixels; of two, the lying one."""
    return max(canvases, key=lambda each: (each.height * each.width, each.width))


def _rows(seconds: dict[str, list[float]], *, amx: bool) -> list[Row]:
    """All against the bundle: how many times as long they take; and the bundle against the one without DIR."""
    goals = {MMDET: Goal(at_least=GOAL_AMX if amx else GOAL), STOCK: Goal(at_least=1)}
    rows = [Row(name, taken, against=ENGINE, goal=goals.get(name)) for name, taken in seconds.items() if name != ENGINE]
    against = PLAIN if PLAIN in seconds else None
    price = Row(ENGINE, seconds[ENGINE], against=against, goal=Goal(at_most=GOAL_PRICE) if against else None)
    return [price, *rows]
