"""How soon a large JPEG is answered, decoded exactly and at the scale that is needed."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

import click
import httpx
from PIL import Image

from dirdet.bundle.interpolation import Decode
from dirdet_bench.harness.measurement import Result, measurement
from dirdet_bench.harness.processes import serving
from dirdet_bench.harness.report import Goal, rows_against
from dirdet_bench.harness.turns import results_in_turns

REQUESTS = 4
# Of the time of an exactly decoded one.
GOAL = Goal(at_most=0.5)


@measurement("photograph", packages=("fastapi", "numpy", "onnxruntime", "pillow", "uvicorn"), rounds=5)
@click.argument("picture", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--detector", help="Of `dirdet serve` [the shipped one].")
def command(*, picture: Path, detector: str | None, rounds: int) -> Result:
    """Send PICTURE, a JPEG of many megapixels, to `dirdet serve`, one request after another; each way in turns."""
    content = picture.read_bytes()
    with Image.open(picture) as opened:
        told = f"{opened.width} x {opened.height}, {len(content) / 1e6:.1f} MB"
    options = [] if detector is None else ["--detector", detector]
    with serving(*options) as server, httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:

        def answered(decode: Decode) -> float:
            began = time.perf_counter()
            for _ in range(REQUESTS):
                client.post("/detect", params={"decode": decode}, files={"image": content}).raise_for_status()
            return (time.perf_counter() - began) / REQUESTS

        ways: tuple[Decode, ...] = get_args(Decode)
        runs: dict[str, Callable[[], float]] = {way: partial(answered, way) for way in ways}
        seconds = results_in_turns(runs, rounds, warm_up=1)
    return Result(f"Seconds until a JPEG of {told} is answered", rows_against(seconds, "exact", {"scaled": GOAL}))
