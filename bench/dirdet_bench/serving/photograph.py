"""How soon a large JPEG is answered: decoded exactly, at the scale that is needed, and shrunk by the client."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import get_args

import click
from PIL import Image

from dirdet import Client
from dirdet.bundle.interpolation import Decode
from dirdet.client.pictures import read
from dirdet.client.shrinking import Shrinking
from dirdet_bench.harness.measurement import Result, measurement
from dirdet_bench.harness.processes import serving
from dirdet_bench.harness.report import Goal, Row, rows_against
from dirdet_bench.harness.turns import results_in_turns, seconds_of

REQUESTS, TIMEOUT_S = 4, 60
SHRUNK = "shrunk by the client"
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
    with serving(*options) as server, ExitStack() as stack:
        whole, shrinking = (
            stack.enter_context(Client(f"http://127.0.0.1:{server.port}", timeout_s=TIMEOUT_S, shrink=shrink))
            for shrink in (False, True)
        )

        def answered(client: Client, decode: Decode) -> float:
            return seconds_of(lambda: [client.detect(content, decode=decode) for _ in range(REQUESTS)]) / REQUESTS

        ways: tuple[Decode, ...] = get_args(Decode)
        runs: dict[str, Callable[[], float]] = {way: partial(answered, whole, way) for way in ways}
        runs |= {f"{way}, {SHRUNK}": partial(answered, shrinking, way) for way in ways}
        seconds = results_in_turns(runs, rounds, warm_up=1)
        sent = Shrinking().shrunk(read(content), shrinking.detector(), {}).data
    rows = rows_against(seconds, "exact", {"scaled": GOAL})
    rows.append(Row(f"bytes {SHRUNK}, of the file's", [len(sent) / len(content)], ""))
    return Result(f"Seconds until a JPEG of {told} is answered", rows)
