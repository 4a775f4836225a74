"""Twice as many requests as the gateway can answer, and pictures of many sizes: what it makes of both."""

import asyncio
import multiprocessing
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from statistics import quantiles

import click
import numpy as np
import uvicorn
from PIL import Image

from dirdet.app import create_app
from dirdet.bench.callers import Call, closed_loop, open_loop
from dirdet.bench.known_speed import sleeping_detector
from dirdet.bench.machine import machine
from dirdet.bench.report import Goal, Report, Row
from dirdet.bench.serving import serving
from dirdet.bench.telling import command_line, tell
from dirdet.commands.serve import listen
from dirdet.limits import ServerLimits

SINGLE = "answered, pictures of one size"
SINGLE_HW = (256, 320)
# Who ask at once, each again when answered: enough for three full batches.
CALLERS = 24
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
@click.option(
    "--rounds", default=3, show_default=True, type=click.IntRange(min=1), help="Of all measurements in turns."
)
@click.option(
    "--seconds", default=10.0, show_default=True, help="That too much comes, each time; capacity takes a third."
)
@click.option(
    "--times", default=2.0, show_default=True, help="Requests that come, as a multiple of what can be answered."
)
@click.option("--timeout-s", default=2.0, show_default=True, help="Time that each request has.")
@click.option("--json", "--out", "out", type=click.Path(path_type=Path), help="Also write all figures to this file.")
def command(
    kind: str,
    batch_ms: float,
    canvas_ms: float,
    rounds: int,
    seconds: float,
    times: float,
    timeout_s: float,
    out: Path | None,
) -> None:
    """Measures a gateway of its own on a loopback port, in a process of its own: `dirdet serve`, or one that sleeps.

    Capacity is what callers get who ask again when they are answered, measured before and after each time that too much
    comes. Goodput is what is answered in time per second while TIMES as much comes.
    """
    with serving() if kind == "shipped" else sleeping_gateway(batch_ms / 1000, canvas_ms / 1000) as port:
        rows, facts = asyncio.run(_measured(port, rounds, seconds=seconds, times=times, timeout_s=timeout_s))
    what = f"A gateway asked {times:g} times what it can answer, over the {kind} engine"
    tell(Report(what, command_line(), machine(PACKAGES), rows, facts), out)


async def _measured(
    port: int, rounds: int, *, seconds: float, times: float, timeout_s: float
) -> tuple[list[Row], dict[str, object]]:
    single, mixed = _pictures([SINGLE_HW] * len(MIXED_HW)), _pictures(MIXED_HW)

    async def capacity(bodies: Sequence[bytes]) -> float:
        return await closed_loop(port, bodies, callers=CALLERS, seconds=seconds / 3)

    await closed_loop(port, mixed, callers=CALLERS, seconds=2)
    before, after, of_many_sizes, goodput, refusals = (list[float]() for _ in range(5))
    calls: list[Call] = []
    for _ in range(rounds):
        of_many_sizes.append(await capacity(mixed))
        before.append(await capacity(single))
        begun_s = time.perf_counter()
        came = await open_loop(port, single, per_second=times * before[-1], seconds=seconds, timeout_s=timeout_s)
        after.append(await capacity(single))
        in_time = sum(each.status == 200 and each.ended_s <= begun_s + seconds for each in came)
        goodput.append(in_time / (seconds * (before[-1] + after[-1]) / 2))
        shed = [each.seconds for each in came if each.status == 503]
        refusals += [_percentiles(shed)["p99"]] if len(shed) > 1 else []
        calls += came
    statuses = {each.status for each in calls}
    rows = [
        Row(SINGLE, before, unit="/s"),
        Row("answered, pictures of many sizes", of_many_sizes, unit="/s", against=SINGLE, goal=SHARE_GOAL),
        Row("answered in time while too much comes, of what can be", goodput, unit="", goal=SHARE_GOAL),
        Row("refused, 99 of 100 within", refusals, goal=REFUSAL_GOAL),
        Row("answered afterwards", after, unit="/s"),
    ]
    return rows, {
        "came_per_s": [times * each for each in before],
        "statuses": {status: sum(each.status == status for each in calls) for status in sorted(statuses)},
        "answered_s": _percentiles([each.seconds for each in calls if each.status == 200]),
        "timeout_s": timeout_s,
        "shed_s": _percentiles([each.seconds for each in calls if each.status == 503]),
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
def sleeping_gateway(per_batch_s: float, per_canvas_s: float) -> Generator[int]:
    """The port of a gateway in another process over an engine that sleeps, which ends with the block."""
    context = multiprocessing.get_context("spawn")
    port = context.Value("i", 0)
    process = context.Process(target=_serve, args=(per_batch_s, per_canvas_s, port), daemon=True)
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


def _serve(per_batch_s: float, per_canvas_s: float, port: object) -> None:
    detector = sleeping_detector(per_batch_s, per_canvas_s)
    detector.warm_up()
    with listen("127.0.0.1", 0) as listener:
        app = create_app(detector, limits=ServerLimits())
        port.value = listener.getsockname()[1]  # pyright: ignore[reportAttributeAccessIssue]
        asyncio.run(uvicorn.Server(uvicorn.Config(app, log_config=None)).serve([listener]))
