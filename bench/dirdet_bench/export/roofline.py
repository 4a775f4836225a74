"""A detector's FLOP/s against those of this machine's matrix products."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import click
import numpy as np

from dirdet.bundle.bundle import DETECTOR, Bundle
from dirdet.bundle.shipped import open_bundle
from dirdet.engines.cores import usable_cores
from dirdet.engines.tensors import CanvasBatch
from dirdet.errors import EngineError
from dirdet.pictures.reading import read_picture
from dirdet.quality.plots import COLOURS
from dirdet_bench.export.flops import Share, shares, total_flops
from dirdet_bench.export.matrix_products import ARITHMETICS, DETECTORS_SIZES, Sizes, fastest
from dirdet_bench.export.onnx_profile import cut, profile, session_of
from dirdet_bench.harness.canvases import canvas_batch, input_arrays
from dirdet_bench.harness.measurement import Result, detector_option, measurement
from dirdet_bench.harness.plots import Content, panels
from dirdet_bench.harness.report import Goal, Row
from dirdet_bench.harness.turns import seconds_in_turns

WHOLE = "detector.onnx"
GOALS = {"trunk": Goal(at_least=0.8), WHOLE: Goal(at_least=0.7)}
# Networks compute in float32.
MATRICES = "matrices, float32"
# Seconds of a turn, or one run.
TURN_S = 0.3
PROFILED_RUNS = 6
COUNTED = (
    "2 for each multiplication and addition of convolutions and products of matrices, from the shapes that ONNX "
    "Runtime's profiler records for every node of the network as exported, on this very picture; others count 0"
)
# Operators with a smaller share of a network's time are left out of the file, the printed table and the plot.
LEAST_WRITTEN, LEAST_PRINTED, LEAST_DRAWN = 0.005, 0.01, 0.03


@dataclass(frozen=True)
class Part:
    """A network that runs on its inputs, the FLOPs of a run, and `where` its time goes, largest share first."""

    name: str
    run: Callable[[], list[np.ndarray]]
    outputs: list[str]
    flops: int
    where: list[Share]


def plot(content: Content, path: Path) -> None:
    """Left the rates, with the machine's as lines; right the shares of time by operator."""
    rates = {row["name"]: row["median"] for row in content["rows"] if row["unit"] == "GFLOP/s"}
    networks = [name for name in rates if not name.startswith("matrices")]
    with panels(path, 2, size=(4.8, 3.4)) as (_, (left, right)):
        left.bar(networks, [rates[name] for name in networks], color=COLOURS[0], width=0.5)
        for number, name in enumerate(name for name in rates if name not in networks):
            left.axhline(rates[name], color=COLOURS[1 + number], label=name.removeprefix("matrices, "))
        left.set(ylabel="GFLOP/s, median", title="rate, and matrices' in each precision")
        left.set_ylim(top=1.35 * max(rates.values()))
        left.legend(fontsize=8, loc="upper center", ncols=len(rates) - len(networks))
        for row, name in enumerate(networks):
            start = 0.0
            for share in content["facts"]["where"][name]:
                if share["share"] < LEAST_DRAWN:
                    continue
                label = share["kind"].replace(", depthwise", " dw")
                right.barh(row, share["share"], left=start, color=COLOURS[row], edgecolor="white", alpha=0.8)
                right.text(start + share["share"] / 2, row, label, ha="center", va="center", fontsize=6, rotation=90)
                start += share["share"]
        right.set_yticks(range(len(networks)), networks)
        right.set(xlim=(0, 1), xlabel="share of the time", title="where the time goes")


@measurement("roofline", packages=("onnxruntime", "torch", "numpy", "onnx"), rounds=10, plot=plot)
@click.argument("picture", type=click.File("rb"))
@detector_option
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Of how many times PICTURE.")
@click.option("--score-threshold", type=click.FloatRange(0, 1), help="Of candidates [the detector's own].")
@click.option(
    "--sizes", type=(int, int, int), multiple=True, metavar="ROWS INNER COLUMNS",
    help="Of the matrices [those of ResNet-50's convolutions and box head]; the fastest of all counts.",
)  # fmt: skip
def command(
    *,
    picture: IO[bytes],
    folder: Path | None,
    batch: int,
    score_threshold: float | None,
    sizes: Sequence[tuple[int, int, int]],
    rounds: int,
) -> Result:
    """Compare the FLOP/s of a bundle's trunk, RoI stage and whole with this machine's, in turns.

    The machine's is the fastest multiplication of matrices by PyTorch (oneDNN, MKL), ONNX Runtime or NumPy (OpenBLAS)
    on all cores. Networks compute in float32 by ONNX Runtime on the CPU. Goals: the trunk at least 0.8 of the machine's
    float32, the whole 0.7.
    """
    bundle = open_bundle(folder)
    request = canvas_batch(read_picture(picture), bundle.manifest, batch=batch)
    if score_threshold is not None:
        request = replace(request, score_threshold=np.full(batch, score_threshold, np.float32))
    parts = parts_of(bundle, request)
    wanted = tuple(Sizes(*each) for each in sizes) or DETECTORS_SIZES
    best = {arithmetic: fastest(arithmetic, wanted) for arithmetic in ARITHMETICS}
    flops = {f"matrices, {arithmetic}": each.sizes.flops for arithmetic, each in best.items()}
    flops |= {part.name: part.flops for part in parts}
    runs: dict[str, Callable[[], object]] = {f"matrices, {arithmetic}": each.run for arithmetic, each in best.items()}
    seconds = seconds_in_turns(runs | {part.name: part.run for part in parts}, rounds, turn_s=TURN_S)
    rows = [
        Row(
            name,
            [flops[name] / each / 1e9 for each in taken],
            unit="GFLOP/s",
            against=None if name.startswith("matrices") else MATRICES,
            goal=GOALS.get(name),
        )
        for name, taken in seconds.items()
    ]
    rows += [Row(f"{part.name}, {part.flops / 1e9:.3g} GFLOP", seconds[part.name]) for part in parts]
    where = {part.name: _shares(part.where) for part in parts}
    whole = parts[-1]
    facts = {
        "detector": bundle.manifest.name,
        "canvas": list(request.canvas.shape),
        "candidates": int(whole.run()[whole.outputs.index("num_candidates")].sum()),
        "threads": usable_cores(),
        "matrices": {arithmetic: str(each) for arithmetic, each in best.items()},
        "flops": {part.name: part.flops for part in parts},
        "FLOPs are": COUNTED,
        "where": where,
    }
    height, width = request.canvas.shape[1:3]
    what = f"FLOP/s of {bundle.manifest.name}, {batch} x {height} x {width}, against products of matrices"
    return Result(what, rows, facts, _table(where))


def parts_of(bundle: Bundle, batch: CanvasBatch) -> list[Part]:
    """The trunk, the RoI stage and the whole of a detector.onnx, on the same pictures.

    Raises:
        BundleError: it cannot be cut.
        EngineError: both parts together give other outputs than the whole.
    """
    path = bundle.file(DETECTOR)
    pieces = cut(path)
    feeds: dict[str, np.ndarray] = input_arrays(batch)
    trunk = _part("trunk", pieces.trunk, feeds)
    between = dict(zip(pieces.between, trunk.run(), strict=True))
    stage = _part("RoI stage", pieces.roi_stage, feeds | between)
    whole = _part(WHOLE, path.read_bytes(), feeds)
    if not all(np.allclose(one, other, atol=1e-3) for one, other in zip(stage.run(), whole.run(), strict=True)):
        raise EngineError(f"{path}: its trunk and RoI stage, one after the other, give other outputs than the whole")
    return [trunk, stage, whole]


def _part(name: str, model: bytes, given: Mapping[str, np.ndarray]) -> Part:
    session = session_of(model)
    feeds = {tensor.name: given[tensor.name] for tensor in session.get_inputs()}
    [exported] = profile(model, feeds, optimised=False)
    served = profile(model, feeds, runs=PROFILED_RUNS)
    outputs = [tensor.name for tensor in session.get_outputs()]
    return Part(name, lambda: session.run(None, feeds), outputs, total_flops(exported), shares(served, exported))


def _shares(where: Sequence[Share]) -> list[dict[str, Any]]:
    total = sum(share.seconds for share in where)
    return [
        {
            "kind": share.kind,
            "share": round(share.seconds / total, 4),
            "ms": round(1000 * share.seconds, 3),
            "gflops_per_s": round(share.flops / share.seconds / 1e9, 1) if share.flops else None,
        }
        for share in where
        if share.seconds >= LEAST_WRITTEN * total
    ]


def _table(where: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Markdown: time by operator, by ONNX Runtime's profiler."""
    lines = ["| of | operator | share of the time | ms | GFLOP/s |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {each['kind']} | {each['share']:.1%} | {each['ms']:.2f} | {each['gflops_per_s'] or ''} |"
        for name, those in where.items()
        for each in those
        if each["share"] >= LEAST_PRINTED
    ]
    return "\n".join(lines)
