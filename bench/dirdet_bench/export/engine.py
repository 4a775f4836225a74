"""Detection by the embedded engine against MMDetection, torch and stock ONNX Runtime."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image

from dirdet.bundle.bundle import CanvasSize
from dirdet.errors import ParameterError
from dirdet_bench.export.engine_peers import (
    ENGINE,
    MMDET,
    NAMES,
    PLAIN,
    STOCK,
    WITHOUT_DIR,
    Peer,
    Peers,
    Pixels,
    make_peers,
)
from dirdet_bench.harness.machine import machine
from dirdet_bench.harness.measurement import Result, measurement
from dirdet_bench.harness.report import Goal, Row
from dirdet_bench.harness.turns import seconds_in_turns
from dirdet_export.dissect.canvases import derive_canvases, parse_canvas
from dirdet_export.dissect.input_pipeline import read_pipeline
from dirdet_export.parity.compare import Comparison, compare_picture
from dirdet_export.parity.found_boxes import Found
from dirdet_export.parity.pictures import draw_pictures, load_pictures
from dirdet_export.parity.proposal_ties import find_sources
from dirdet_export.parity.reference import as_mmdet_batch, found_by_mmdet, prepare
from dirdet_training.commands._options import cfg_options, trust_checkpoint
from dirdet_training.mm.configs import read_config
from dirdet_training.mm.overrides import override

WARM_UP = 2
# Of MMDetection's time, with matrix instructions (AMX) and without; and of a detector without DIR.
GOAL_AMX, GOAL, PRICE_GOAL = Goal(at_least=10), Goal(at_least=2), Goal(at_most=1.03)


@dataclass
class EngineTimes:
    """Seconds of a picture by peer, one value a round; and of all pictures detections and candidates.

    Attributes:
        differing: why a peer was not timed, by name.
        near_ties: boxes that rounding alone decided on, by peer.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    detections: int = 0
    candidates: int = 0
    differing: dict[str, str] = field(default_factory=dict[str, str])
    near_ties: dict[str, int] = field(default_factory=dict[str, int])


@measurement(
    "engine", packages=("onnxruntime", "torch", "torchvision", "onedl-mmdetection", "onedl-mmcv", "numpy"), rounds=10
)
@click.argument("config")
@click.option("--weights", type=click.Path(path_type=Path), help="A checkpoint of CONFIG [fresh ones, scaled].")
@click.option("--against", type=click.Choice(NAMES), multiple=True, default=NAMES, show_default=True)
@click.option(
    "--pictures", multiple=True, type=click.Path(path_type=Path),
    help="File or folder of pictures, stretched over the canvas; repeatable. Without it some are drawn.",
)  # fmt: skip
@click.option("--canvas", metavar="HxW", help="Size of the network's input [the largest that CONFIG gives].")
@click.option("--candidates", type=click.IntRange(1), default=200, show_default=True, help="Of fresh weights.")
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
    trust_checkpoint: bool,
    cfg_options: dict[str, Any],
) -> Result:
    """Time detection by CONFIG's bundle as `dirdet serve` runs it on a CPU, in turns with its alternatives.

    Each detects on the same resized picture in memory, from the same weights. One that does not detect what MMDetection
    detects, within 0.5 px and 0.01, is not timed. Goals: MMDetection takes at least twice as long, ten times on a
    processor with AMX; stock ONNX Runtime, the same file without options, is never faster; DIR adds at most 3% to the
    bundle of the same detector without it.
    """
    cfg = read_config(config)
    override(cfg, cfg_options)
    try:
        size = parse_canvas(canvas) if canvas else largest(canvases_of(cfg))
    except ValueError as exc:
        raise ParameterError("--canvas", str(exc)) from exc
    chosen = [
        np.asarray(each.resize((size.width, size.height), Image.Resampling.BILINEAR), np.uint8)
        for _, each in (load_pictures(list(pictures)) if pictures else draw_pictures())
    ]
    with make_peers(
        cfg, weights, against=against, picture=chosen[0], candidates=candidates, trust_checkpoint=trust_checkpoint
    ) as peers:
        found = time_peers(peers, chosen, rounds)
    facts: dict[str, object] = {
        "pictures": len(chosen),
        "candidates a picture": round(found.candidates / len(chosen), 1),
        "detections a picture": round(found.detections / len(chosen), 1),
        "weights": "a checkpoint's" if weights else "fresh, scaled",
        "threads": torch.get_num_threads(),
        **{f"near-ties, {name}": count for name, count in found.near_ties.items()},
        **{f"not counted: {name}": why for name, why in found.differing.items()},
    }
    return Result(f"Detection by {config}, one picture of {size.height}x{size.width}", _rows(found.seconds), facts)


def canvases_of(cfg: Any) -> list[CanvasSize]:  # noqa: ANN401 - MMEngine's Config has no types
    """The canvases of a config's bundle."""
    return derive_canvases(read_pipeline(cfg), cfg.model.data_preprocessor.get("pad_size_divisor", 1))


def largest(canvases: list[CanvasSize]) -> CanvasSize:
    """The one with the most pixels; of two, the wider one."""
    return max(canvases, key=lambda each: (each.height * each.width, each.width))


def _rows(seconds: dict[str, list[float]]) -> list[Row]:
    """All against the bundle, and the bundle against the one without DIR."""
    goals = {MMDET: GOAL_AMX if "amx_tile" in str(machine(())["instructions"]) else GOAL, STOCK: Goal(at_least=1)}
    rows = [Row(name, taken, against=ENGINE, goal=goals.get(name)) for name, taken in seconds.items() if name != ENGINE]
    against = PLAIN if PLAIN in seconds else None
    return [Row(ENGINE, seconds[ENGINE], against=against, goal=PRICE_GOAL if against else None), *rows]


def time_peers(peers: Peers, pictures: list[Pixels], rounds: int) -> EngineTimes:
    """Compares all peers with MMDetection on resized pictures RGB [h, w, 3], then times those that detect the same."""
    times = EngineTimes()
    comparisons = {name: Comparison(name) for name in peers.named}
    for pixels in pictures:
        _compare(times, comparisons, peers, pixels)
    for name, comparison in comparisons.items():
        times.near_ties[name] = comparison.near_ties
        if not comparison.passed:
            times.differing[name] = (
                f"{comparison.missing} detections missing, {comparison.surplus} surplus, {comparison.beyond} apart"
            )
    timed = {name: peer for name, peer in peers.named.items() if name not in times.differing}
    prepared = [{name: peer.prepare(pixels) for name, peer in timed.items()} for pixels in pictures]
    now: dict[str, Any] = {}

    def detect(name: str, peer: Peer) -> None:
        peer.detect(now[name])

    times.seconds = seconds_in_turns(
        {name: partial(detect, name, peer) for name, peer in timed.items()},
        rounds,
        warm_up=WARM_UP,
        label="detect",
        before=lambda number: now.update(prepared[number % len(prepared)]),
    )
    return times


def _compare(times: EngineTimes, comparisons: Mapping[str, Comparison], peers: Peers, pixels: Pixels) -> None:
    """Adds a picture to every peer's comparison."""

    def ask(peer: Peer) -> tuple[Found, Found]:
        answer = peer.detect(peer.prepare(pixels))
        return peer.found(answer, True), peer.found(answer, False)

    answers = {name: ask(peer) for name, peer in peers.named.items()}
    [expected] = found_by_mmdet(peers.model, [pixels])
    candidates = answers[ENGINE][1]
    times.detections += len(expected)
    times.candidates += len(candidates)
    for name, (found, _) in answers.items():
        sides, limits = (expected, found, candidates), peers.limits
        if name in WITHOUT_DIR:
            sides, limits = (found, *ask(peers.by_score)), replace(limits, iou_weight=0.0)
        reference, served, judged = sides
        compare_picture(
            comparisons[name],
            expected=reference,
            served=served,
            candidates=lambda judged=judged: judged,
            limits=limits,
            sources=lambda near: find_sources(
                peers.model, prepare(peers.model, as_mmdet_batch([np.ascontiguousarray(pixels)])), 0, near=near
            ),
        )
