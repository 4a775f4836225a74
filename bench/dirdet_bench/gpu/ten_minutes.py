"""Runs the steps of ten minutes on a GPU within a time limit; each writes its JSON before the next begins."""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch

from dirdet.bundle.bundle import Bundle
from dirdet.errors import NotFoundError, ParameterError
from dirdet_bench.gpu.bundles import fresh_bundle
from dirdet_bench.gpu.pool import compare_pools
from dirdet_bench.gpu.roi_stage import profile_roi_stage
from dirdet_bench.gpu.subprocesses import run_device_tests, train_shortly
from dirdet_bench.gpu.trunk import time_trunk
from dirdet_bench.gpu.versions import describe_machine
from dirdet_bench.harness.canvases import open_picture

R50 = "faster_rcnn_dir_r50_fpn_1x_coco"


@dataclass(frozen=True)
class Ten:
    """What the steps share.

    Attributes:
        device: where they compute.
        config: of the detector that is measured and trained.
        bundle: that detector, or the one of --detector.
        picture: a file, which fills the canvases.
        batches: sizes of batches.
        rounds: repetitions of each timing.
        tests: what pytest runs.
        iterations: of the training.
        folder: for logs.
        left_s: returns the seconds that are left.
    """

    device: torch.device
    config: str
    bundle: Bundle
    picture: Path
    batches: tuple[int, ...]
    rounds: int
    tests: tuple[str, ...]
    iterations: int
    folder: Path
    left_s: Callable[[], float]


STEPS: dict[str, Callable[[Ten], Any]] = {
    "versions": lambda ten: describe_machine(ten.device),
    "tests": lambda ten: run_device_tests(ten.tests, ten.device, ten.folder / "tests.log", limit_s=ten.left_s() / 2),
    "roi-stage": lambda ten: profile_roi_stage(
        ten.bundle, open_picture(ten.picture), ten.device, batches=ten.batches, rounds=ten.rounds
    ),
    "trunk": lambda ten: time_trunk(
        ten.bundle, open_picture(ten.picture), ten.device, batches=ten.batches, rounds=ten.rounds
    ),
    "pool": lambda ten: compare_pools(ten.bundle, open_picture(ten.picture), ten.folder / "tritonserver.log"),
    "training": lambda ten: train_shortly(
        ten.config, ten.device, ten.folder / "training", iterations=ten.iterations, limit_s=ten.left_s()
    ),
}


@click.command("gpu-ten")
@click.argument("picture", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for NUMBER_STEP.json of each step.")
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--config", default=R50, show_default=True, help="The detector that is measured and trained.")
@click.option(
    "--detector", "detector", type=click.Path(path_type=Path), help="A bundle to measure [CONFIG with fresh weights]."
)
@click.option("--step", "steps", multiple=True, type=click.Choice(list(STEPS)), help="Only this step; repeatable.")
@click.option("--batch", "batches", multiple=True, type=click.IntRange(1), default=(1, 8), show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=20, show_default=True, help="Repetitions of each timing.")
@click.option("--test", "tests", multiple=True, default=("tests/export", "tests/training"), show_default=True)
@click.option("--iterations", type=click.IntRange(2), default=60, show_default=True, help="Steps of the training.")
@click.option("--seconds", type=click.FloatRange(min=0), default=560.0, show_default=True, help="For all steps.")
def command(
    *,
    picture: Path,
    out: Path,
    device: str,
    config: str,
    detector: Path | None,
    steps: tuple[str, ...],
    batches: tuple[int, ...],
    rounds: int,
    tests: tuple[str, ...],
    iterations: int,
    seconds: float,
) -> None:
    """Run the steps on a GPU; a step that fails or has no time left says so in its file, and the next one begins."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ParameterError("--device", "cuda, but torch finds no NVIDIA GPU with a driver on this machine")
    out.mkdir(parents=True, exist_ok=True)
    end_s = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as place:
        # Made at the first use, so that a bundle that cannot be made is an error of one step.
        bundles: list[Bundle] = []

        def bundle() -> Bundle:
            if not bundles:
                bundles.append(Bundle.open(detector) if detector else fresh_bundle(config, Path(place) / "bundle"))
            return bundles[0]

        for number, name in enumerate(steps or STEPS, start=1):
            began_s = time.monotonic()
            ended = _ended(
                STEPS[name],
                lambda: Ten(
                    torch.device(device), config, bundle(), picture, batches, rounds, tests, iterations, out,
                    lambda: end_s - time.monotonic(),
                ),
                left_s=end_s - began_s,
            )  # fmt: skip
            ended["seconds"] = round(time.monotonic() - began_s, 1)
            path = out / f"{number}_{name}.json"
            path.write_text(json.dumps(ended, indent=2, default=str) + "\n", encoding="utf-8")
            click.echo(f"{path}: {ended['state']}{': ' + ended['why'] if 'why' in ended else ''}")


def _ended(step: Callable[[Ten], Any], ready: Callable[[], Ten], *, left_s: float) -> dict[str, Any]:
    if left_s <= 0:
        return {"state": "not run", "why": "no time was left"}
    try:
        return {"state": "ran", "found": step(ready())}
    except NotFoundError as exc:
        return {"state": "not run", "why": str(exc)}
    except Exception as exc:  # whatever a step meets, the others still tell something
        return {"state": "failed", "why": f"{type(exc).__name__}: {exc}"}
