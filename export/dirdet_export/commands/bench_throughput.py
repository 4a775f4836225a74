"""Pictures a second of a bundle's trunk, RoI stage and whole, by batch and instances."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import IO, Any

import click
import torch

from dirdet.bench.machine import machine
from dirdet.bench.report import Report, Row
from dirdet.bench.telling import command_line, tell
from dirdet.detector import MAX_BATCH
from dirdet.errors import ParameterError
from dirdet.pictures import read_picture
from dirdet.shipped import open_bundle
from dirdet_export.bench.parts import Precision
from dirdet_export.bench.subjects import request_of, subjects
from dirdet_export.bench.throughput import throughput
from dirdet_export.quiet import expected_warnings

PACKAGES = ("dirdet", "torch", "torchvision", "onnxruntime", "onnxruntime-gpu")


@click.command("throughput")
@click.argument("picture", type=click.File("rb"))
@click.option("--detector", "folder", type=click.Path(path_type=Path), help="Folder of a bundle [the shipped one].")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--batch", "batches", type=click.IntRange(1), multiple=True, default=(1, MAX_BATCH), show_default=True)
@click.option("--instances", type=click.IntRange(1), multiple=True, default=(1, 2), show_default=True)
@click.option(
    "--precision", "precisions", type=click.Choice(["float32", "float16"]), multiple=True,
    default=("float32", "float16"), show_default=True, help="Of the network's computing; boxes stay float32.",
)  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0), default=5.0, show_default=True, help="Of each measurement.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all figures to this file.")
def command(
    picture: IO[bytes],
    folder: Path | None,
    device: str,
    batches: tuple[int, ...],
    instances: tuple[int, ...],
    precisions: tuple[Precision, ...],
    seconds: float,
    out: Path | None,
) -> None:
    """Measure how many pictures a second the parts of a bundle and its whole take, all of them PICTURE."""
    on = torch.device(device)
    if device == "cuda" and not torch.cuda.is_available():
        raise ParameterError("--device", "cuda, but torch finds no NVIDIA GPU with a driver on this machine")
    bundle, pixels = open_bundle(folder), read_picture(picture)
    measured: list[dict[str, Any]] = []
    for precision, batch in product(precisions, batches):
        request = request_of(pixels, bundle.manifest, batch=batch)
        named = subjects(bundle, request, device=on, precision=precision)
        for (part, prepare), count in product(named.items(), instances):
            click.echo(f"{part}, {precision}, batch {batch}, instances {count}", file=sys.stderr)
            with expected_warnings():
                found = throughput(prepare, device=on, batch=batch, instances=count, seconds=seconds)
            measured.append({"part": part, "precision": precision, "batch": batch, "instances": count, **asdict(found)})
    click.echo(f"{_table(measured)}\n")
    rows = [
        Row(_name(row), [row["pictures_per_s"]], unit="pictures/s", group=f"{row['precision']}, batch {row['batch']}")
        for row in measured
    ]
    facts = {"detector": bundle.manifest.name, "device": device, "gpu": _gpu(on), "measured": measured}
    tell(Report(f"Pictures a second of {bundle.manifest.name}", command_line(), machine(PACKAGES), rows, facts), out)


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['part']}, {row['instances']} at once"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: a line for each measurement."""
    lines = ["| part | precision | batch | instances | pictures/s | a batch, median |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = f"{row['pictures_per_s']:.1f} | {1000 * row['median_s']:.1f} ms"
        lines.append(f"| {row['part']} | {row['precision']} | {row['batch']} | {row['instances']} | {figures} |")
    return "\n".join(lines)


def _gpu(device: torch.device) -> dict[str, object] | None:
    """What CUDA says of the GPU; None on a CPU."""
    if device.type != "cuda":
        return None
    found = torch.cuda.get_device_properties(device)
    return {"name": found.name, "memory_gib": round(found.total_memory / 2**30, 1), "cuda": torch.version.cuda}
