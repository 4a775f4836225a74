"""Where the RoI stage's time goes, and what torchvision's takes for the same without DIR."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click
import torch

from dirdet.bench.machine import machine
from dirdet.bench.report import Report, Row
from dirdet.bench.telling import command_line, shown, tell
from dirdet.pictures import read_picture
from dirdet.shipped import open_bundle
from dirdet_export.bench.roi_stage import WARM_UP, Stage, time_stage
from dirdet_export.bench.roi_stage_plot import plot as draw
from dirdet_export.bench.subjects import request_of
from dirdet_export.quiet import expected_warnings

PACKAGES = ("dirdet", "torch", "torchvision", "onnxruntime")


@click.command("roi-stage")
@click.argument("picture", type=click.File("rb"))
@click.option("--detector", "folder", type=click.Path(path_type=Path), help="Folder of a bundle [the shipped one].")
@click.option("--proposals", type=click.IntRange(1), multiple=True, help="At most so many; repeatable [all there are].")
@click.option("--candidates", type=click.IntRange(1), multiple=True, help="About so many; repeatable [all there are].")
@click.option("--rounds", type=click.IntRange(min=1), default=10, show_default=True, help="Counted ones.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all figures to this file.")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw them into this SVG or PNG.")
def command(
    *,
    picture: IO[bytes],
    folder: Path | None,
    proposals: Sequence[int],
    candidates: Sequence[int],
    rounds: int,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Time the steps of a bundle's RoI stage, by proposals and candidates, beside torchvision's RoI heads.

    roi_stage.pt by torch and the same part of detector.onnx by ONNX Runtime, under their profilers, in turns. Of a
    Faster R-CNN with DIR. torchvision's heads get the same weights, features and proposals, and count where they detect
    what roi_stage.pt detects at an iou-weight of 0.
    """
    bundle = open_bundle(folder)
    request = request_of(read_picture(picture), bundle.manifest, batch=1)
    rows: list[Row] = []
    facts: dict[str, object] = {"detector": bundle.manifest.name, "threads": torch.get_num_threads()}
    with expected_warnings():
        stage = Stage(bundle, request)
        for most in proposals or (None,):
            fewer = stage.with_proposals(most) if most else stage
            for about in candidates or (None,):
                case = fewer.with_candidates(about) if about else fewer
                group = str(case)
                found, wrong = time_stage(case, shown(rounds + WARM_UP, group), group)
                rows += found
                if wrong is not None:
                    facts[f"not counted: torchvision, {group}"] = wrong
    report = Report(f"RoI stage of {bundle.manifest.name}, seconds", command_line(), machine(PACKAGES), rows, facts)
    tell(report, out)
    if plot is not None:
        draw(report.content(), plot)
