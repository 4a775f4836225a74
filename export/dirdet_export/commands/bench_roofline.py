"""What of the machine's rate a detector reaches."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import click
import numpy as np

from dirdet.bench.machine import machine
from dirdet.bench.report import Report
from dirdet.bench.telling import command_line, shown, tell
from dirdet.cores import usable_cores
from dirdet.pictures import read_picture
from dirdet.shipped import open_bundle
from dirdet_export.bench.multiplications import ARITHMETICS, DETECTORS_SIZES, Sizes, fastest
from dirdet_export.bench.operations import Share
from dirdet_export.bench.roofline import WARM_UP, parts_of, time_parts
from dirdet_export.bench.roofline_plot import plot as draw
from dirdet_export.bench.subjects import request_of

PACKAGES = ("dirdet", "onnxruntime", "torch", "numpy", "onnx")
COUNTED = (
    "2 for each multiplication and addition of convolutions and products of matrices, from the shapes that ONNX "
    "Runtime's profiler records for every node of the network as exported, on this very picture; others count 0"
)
# Kinds of operators that take less of a network's time are not told.
LEAST = 0.005


@click.command("roofline")
@click.argument("picture", type=click.File("rb"))
@click.option("--detector", "folder", type=click.Path(path_type=Path), help="Folder of a bundle [the shipped one].")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Of how many times PICTURE.")
@click.option("--score-threshold", type=click.FloatRange(0, 1), help="Of candidates [the detector's own].")
@click.option(
    "--sizes", type=(int, int, int), multiple=True, metavar="ROWS INNER COLUMNS",
    help="Of the matrices [as large as ResNet-50's convolutions and box head give]; the fastest of all counts.",
)  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), default=10, show_default=True, help="Counted ones.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all figures to this file.")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw them into this SVG or PNG.")
def command(
    *,
    picture: IO[bytes],
    folder: Path | None,
    batch: int,
    score_threshold: float | None,
    sizes: Sequence[tuple[int, int, int]],
    rounds: int,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Set the FLOP/s of a bundle's trunk, RoI stage and whole against this machine's, in turns.

    The machine's is the fastest multiplication of matrices that PyTorch (oneDNN, MKL), ONNX Runtime or NumPy (OpenBLAS)
    have, on all cores. Networks compute in float32 by ONNX Runtime on the CPU. Goals: the trunk at least 0.8 of the
    machine's float32, the whole 0.7.
    """
    bundle = open_bundle(folder)
    request = request_of(read_picture(picture), bundle.manifest, batch=batch)
    if score_threshold is not None:
        request = replace(request, score_threshold=np.full(batch, score_threshold, np.float32))
    parts = parts_of(bundle, request)
    wanted = tuple(Sizes(*each) for each in sizes) or DETECTORS_SIZES
    best = {arithmetic: fastest(arithmetic, wanted) for arithmetic in ARITHMETICS}
    rows = time_parts(parts, best, shown(rounds + WARM_UP, "rounds"))
    where = {part.name: _told(part.where) for part in parts}
    click.echo(f"{_table(where)}\n")
    facts = {
        "detector": bundle.manifest.name,
        "canvas": list(request.canvas.shape),
        "candidates": parts[-1].count("num_candidates"),
        "threads": usable_cores(),
        "matrices": {arithmetic: str(each) for arithmetic, each in best.items()},
        "flops": {part.name: part.flops for part in parts},
        "FLOPs are": COUNTED,
        "where": where,
    }
    height, width = request.canvas.shape[1:3]
    what = f"FLOP/s of {bundle.manifest.name}, {batch} x {height} x {width}, against products of matrices"
    report = Report(what, command_line(), machine(PACKAGES), rows, facts)
    tell(report, out)
    if plot is not None:
        draw(report.content(), plot)


def _told(where: Sequence[Share]) -> list[dict[str, Any]]:
    total = sum(share.seconds for share in where)
    return [
        {
            "kind": share.kind,
            "share": round(share.seconds / total, 4),
            "ms": round(1000 * share.seconds, 3),
            "gflops_per_s": round(share.flops / share.seconds / 1e9, 1) if share.flops else None,
        }
        for share in where
        if share.seconds >= LEAST * total
    ]


def _table(where: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Markdown: what takes a hundredth or more of a network's time, by ONNX Runtime's profiler."""
    lines = ["| of | operator | share of the time | ms | GFLOP/s |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {each['kind']} | {each['share']:.1%} | {each['ms']:.2f} | {each['gflops_per_s'] or ''} |"
        for name, those in where.items()
        for each in those
        if each["share"] >= 0.01
    ]
    return "\n".join(lines)
