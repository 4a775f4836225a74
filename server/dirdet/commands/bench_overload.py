"""Twice as many requests as the gateway can answer, and pictures of many sizes: what it makes of both."""

import asyncio
import multiprocessing
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from statistics import median, quantiles

import click
import numpy as np
import uvicorn
from PIL import Image

from dirdet.app import create_app
from dirdet.bench.callers import closed_loop, open_loop
from dirdet.bench.known_speed import sleeping_detector
from dirdet.bench.machine import machine
from dirdet.bench.report import Goal, Report, Row
from dirdet.bench.telling import command_line, tell
from dirdet.commands.serve import listen
from dirdet.detector import Detector
from dirdet.limits import ServerLimits

SINGLE = "answered, pictures of one size"
SINGLE_HW = (256, 320)
# Of about as many pixels, so that decoding costs the same; they need three canvases.
MIXED_HW = ((256, 320), (320, 256), (286, 286), (240, 340), (340, 240), (290, 282))
# Of what can be answered: in time while too much comes, and of pictures of many sizes; seconds to a refusal.
SHARE_GOAL, REFUSAL_GOAL = Goal(at_least=0.9), Goal(at_most=0.05)
PACKAGES = ("dirdet", "numpy", "onnxruntime", "pillow", "starlette", "uvicorn")


@click.command("overload")
@click.option(
    "--engine", "kind", type=click.Choice(["known", "shipped"]), default="known", show_default=True,
    help="An engine that sleeps, or the detector that comes with the package.",
)  # fmt: skip
@click.option("--batch-ms", default=10.0, show_default=True, help="Of the known engine, for every batch.")
@click.option("--canvas-ms", default=15.0, show_default=True, help="Of the known engine, for every canvas.")
@click.option("--seconds", default=10.0, show_default=True, help="Of each measurement.")
@click.option(
    "--times", default=2.0, show_default=True, help="Requests that come, as a multiple of what can be answered."
)
@click.option("--timeout-s", default=2.0, show_default=True, help="Time that each request has.")
@click.option("--json", "--out", "out", type=click.Path(path_type=Path), help="Also write all figures to this file.")
def command(
    kind: str, batch_ms: float, canvas_ms: float, seconds: float, times: float, timeout_s: float, out: Path | None
) -> None:
    """Measures a gateway of its own on a loopback port, in a process of its own.

    Capacity is what callers get who ask again when they are answered. Goodput is what is answered in time per second
    while TIMES as much comes.
    """
    with gateway(kind, batch_ms / 1000, canvas_ms / 1000) as port:
        rows, facts = asyncio.run(_measured(port, seconds=seconds, times=times, timeout_s=timeout_s))
    what = f"A gateway asked {times:g} times what it can answer, over the {kind} engine"
    tell(Report(what, command_line(), machine(PACKAGES), rows, facts), out)


async def _measured(
    port: int, *, seconds: float, times: float, timeout_s: float
) -> tuple[list[Row], dict[str, object]]:
    single, mixed = _pictures([SINGLE_HW] * len(MIXED_HW)), _pictures(MIXED_HW)
    callers = 24
    await closed_loop(port, mixed, callers=callers, seconds=2)
    rates: dict[str, list[float]] = {"single": [], "mixed": []}
    for _ in range(3):  # in turns, so that what else the machine does meets both
        for name, bodies in (("single", single), ("mixed", mixed)):
            rates[name].append(await closed_loop(port, bodies, callers=callers, seconds=seconds / 3))
    capacity = median(rates["single"])
    begun_s = time.perf_counter()
    calls = await open_loop(port, single, per_second=times * capacity, seconds=seconds, timeout_s=timeout_s)
    in_time = sum(each.status == 200 and each.ended_s <= begun_s + seconds for each in calls)
    after = await closed_loop(port, single, callers=callers, seconds=seconds / 3)
    answered = [each.seconds for each in calls if each.status == 200]
    shed = [each.seconds for each in calls if each.status == 503]
    statuses = {each.status for each in calls}
    goodput = in_time / (seconds * (capacity + after) / 2)
    rows = [
        Row(SINGLE, rates["single"], unit="/s"),
        Row("answered, pictures of many sizes", rates["mixed"], unit="/s", against=SINGLE, goal=SHARE_GOAL),
        Row("answered in time while too much comes, of what can be", [goodput], unit="", goal=SHARE_GOAL),
        Row("refused, 99 of 100 within", [_percentiles(shed)["p99"]] if len(shed) > 1 else [], goal=REFUSAL_GOAL),
        Row("answered afterwards", [after], unit="/s"),
    ]
    return rows, {
        "came_per_s": times * capacity,
        "statuses": {status: sum(each.status == status for each in calls) for status in sorted(statuses)},
        "answered_s": _percentiles(answered),
        "timeout_s": timeout_s,
        "shed_s": _percentiles(shed),
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {
        "p50": round(cuts[49], 4),
        "p95": round(cuts[94], 4),
        "p99": round(cuts[98], 4),
        "max": round(max(seconds), 4),
    }


def _pictures(sizes_hw: Sequence[tuple[int, int]]) -> list[bytes]:
    made: list[bytes] = []
    for number, (height, width) in enumerate(sizes_hw):
        noise = np.random.default_rng(number).integers(0, 256, (8, 10, 3), np.uint8)
        file = BytesIO()
        Image.fromarray(noise).resize((width, height)).save(file, "JPEG")
        made.append(file.getvalue())
    return made


@contextmanager
def gateway(kind: str, per_batch_s: float, per_canvas_s: float) -> Generator[int]:
    """The port of a gateway in another process, which ends with the block."""
    context = multiprocessing.get_context("spawn")
    port = context.Value("i", 0)
    process = context.Process(target=_serve, args=(kind, per_batch_s, per_canvas_s, port), daemon=True)
    process.start()
    try:
        while not port.value:
            if not process.is_alive():
                raise click.ClickException("the gateway ended before it answered")
            time.sleep(0.05)
        yield port.value
    finally:
        process.kill()
        process.join()


def _serve(kind: str, per_batch_s: float, per_canvas_s: float, port: object) -> None:
    detector = sleeping_detector(per_batch_s, per_canvas_s) if kind == "known" else Detector.open()
    detector.warm_up()
    with listen("127.0.0.1", 0) as listener:
        app = create_app(detector, limits=ServerLimits())
        port.value = listener.getsockname()[1]  # pyright: ignore[reportAttributeAccessIssue]
        asyncio.run(uvicorn.Server(uvicorn.Config(app, log_config=None)).serve([listener]))
