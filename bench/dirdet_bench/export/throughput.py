"""Pictures a second of a bundle's trunk, RoI stage and whole, by batch and instances."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain, product
from pathlib import Path
from statistics import median
from typing import IO, Any

import click
import torch

from dirdet.bundle.bundle import Bundle
from dirdet.bundle.shipped import open_bundle
from dirdet.engines.factory import make_engine
from dirdet.engines.tensors import MAX_BATCH, CanvasBatch
from dirdet.errors import ParameterError
from dirdet.pictures.reading import read_picture
from dirdet_bench.export.bundle_parts import BundleParts, Precision
from dirdet_bench.harness.canvases import canvas_batch
from dirdet_bench.harness.measurement import Result, detector_option, measurement
from dirdet_bench.harness.report import Row
from dirdet_bench.harness.turns import seconds_of
from dirdet_export.write.known_warnings import expected_warnings

WARM_UP = 3
# Within this every instance has to be loaded and warm; later, one of them has failed.
START_S = 300
# Makes an instance, on its own thread: the run of one batch, which returns when it is done.
Prepare = Callable[[], Callable[[], object]]


@dataclass(frozen=True)
class Throughput:
    """Pictures a second of all instances together, and seconds of one batch in one instance."""

    pictures_per_s: float
    median_s: float


@measurement("throughput", packages=("torch", "torchvision", "onnxruntime", "onnxruntime-gpu"), rounds=None)
@click.argument("picture", type=click.File("rb"))
@detector_option
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--batch", "batches", type=click.IntRange(1), multiple=True, default=(1, MAX_BATCH), show_default=True)
@click.option("--instances", type=click.IntRange(1), multiple=True, default=(1, 2), show_default=True)
@click.option(
    "--precision", "precisions", type=click.Choice(["float32", "float16"]), multiple=True,
    default=("float32", "float16"), show_default=True, help="Of the network's computing; boxes stay float32.",
)  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0), default=5.0, show_default=True, help="Of each measurement.")
def command(
    picture: IO[bytes],
    folder: Path | None,
    device: str,
    batches: tuple[int, ...],
    instances: tuple[int, ...],
    precisions: tuple[Precision, ...],
    seconds: float,
) -> Result:
    """Measure how many pictures a second the parts of a bundle and its whole take, all of them PICTURE."""
    on = torch.device(device)
    if device == "cuda" and not torch.cuda.is_available():
        raise ParameterError("--device", "cuda, but torch finds no NVIDIA GPU with a driver on this machine")
    bundle, pixels = open_bundle(folder), read_picture(picture)
    found: list[dict[str, Any]] = []
    for precision, batch in product(precisions, batches):
        named = subjects(bundle, canvas_batch(pixels, bundle.manifest, batch=batch), device=on, precision=precision)
        for (part, prepare), count in product(named.items(), instances):
            about = {"part": part, "precision": precision, "batch": batch, "instances": count}
            click.echo(", ".join(f"{key} {value}" for key, value in about.items()), err=True)
            with expected_warnings():
                taken = throughput(prepare, device=on, batch=batch, instances=count, seconds=seconds)
            found.append(about | asdict(taken))
    rows = [
        Row(
            f"{each['part']}, {each['instances']} at once",
            [each["pictures_per_s"]],
            unit="pictures/s",
            group=f"{each['precision']}, batch {each['batch']}",
        )
        for each in found
    ]
    facts = {"detector": bundle.manifest.name, "device": device, "gpu": _gpu(on), "measured": found}
    return Result(f"Pictures a second of {bundle.manifest.name}", rows, facts, _table(found))


def subjects(bundle: Bundle, batch: CanvasBatch, *, device: torch.device, precision: Precision) -> dict[str, Prepare]:
    """By name, what can be measured in a precision.

    The parts have their request on the device already and leave their outputs there, as inside Triton. The whole is
    detector.onnx as `dirdet serve` runs it, from and to the host, and only in float32.
    """

    def part(*, trunk: bool, roi_stage: bool) -> Prepare:
        def prepare() -> Callable[[], object]:
            parts = BundleParts(bundle, device=device, precision=precision)
            request = parts.move(batch)
            maps = parts.trunk(request)

            def run() -> None:
                made = parts.trunk(request) if trunk else maps
                if roi_stage:
                    parts.roi_stage(made, request)
                parts.wait()

            return run

        return prepare

    def whole() -> Callable[[], object]:
        engine = make_engine(bundle, provider="cuda" if device.type == "cuda" else "cpu")
        return lambda: engine.detect(batch)

    found = {
        "trunk": part(trunk=True, roi_stage=False),
        "RoI stage": part(trunk=False, roi_stage=True),
        "trunk and RoI stage": part(trunk=True, roi_stage=True),
    }
    return found | {"detector.onnx": whole} if precision == "float32" else found


def throughput(prepare: Prepare, *, device: torch.device, batch: int, instances: int, seconds: float) -> Throughput:
    """Runs batches for so many seconds in instances side by side, each on a thread and, on a GPU, a stream of its own.

    Raises:
        Exception: that of the first instance that failed.
    """
    go = threading.Barrier(instances)

    def work() -> list[float]:
        try:
            with _own_stream(device):
                run = prepare()
                for _ in range(WARM_UP):
                    run()
                go.wait(START_S)
                times, end = [seconds_of(run)], time.perf_counter() + seconds
                while time.perf_counter() < end:
                    times.append(seconds_of(run))
                return times
        except BaseException:
            go.abort()  # the others then do not wait for this one
            raise

    with ThreadPoolExecutor(instances) as pool:
        working = [pool.submit(work) for _ in range(instances)]
    errors = [error for each in working if (error := each.exception())]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError))
    taken = [each.result() for each in working]
    return Throughput(sum(batch * len(times) / sum(times) for times in taken), median(chain(*taken)))


def _own_stream(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    if device.type != "cuda":
        return contextlib.nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: a line for each measurement."""
    lines = ["| part | precision | batch | instances | pictures/s | a batch, median |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = f"{row['pictures_per_s']:.1f} | {1000 * row['median_s']:.1f} ms"
        lines.append(f"| {row['part']} | {row['precision']} | {row['batch']} | {row['instances']} | {figures} |")
    return "\n".join(lines)


def _gpu(device: torch.device) -> dict[str, object] | None:
    if device.type != "cuda":
        return None
    found = torch.cuda.get_device_properties(device)
    return {"name": found.name, "memory_gib": round(found.total_memory / 2**30, 1), "cuda": torch.version.cuda}
