"""Twice as many requests as the gateway can answer, and pictures of many sizes."""

import asyncio
import time
from collections.abc import Sequence
from io import BytesIO
from statistics import quantiles

import click
import numpy as np
from PIL import Image

from dirdet_bench.harness.measurement import Result, measurement
from dirdet_bench.harness.processes import serving
from dirdet_bench.harness.report import Goal, Row
from dirdet_bench.harness.turns import progress
from dirdet_bench.serving.fake_engine import BATCH_S, CANVAS_S
from dirdet_bench.serving.http_load import Call, closed_loop, open_loop

SINGLE = "answered, pictures of one size"
SINGLE_HW = (256, 320)
# Enough for three full batches.
CALLERS = 24
# Of about as many pixels, so that decoding costs the same; they need several canvases.
MIXED_HW = ((256, 320), (320, 256), (286, 286), (240, 340), (340, 240), (290, 282))
# Shares of the possible answers: in time under overload, with pictures of many sizes; seconds to a refusal.
SHARE_GOAL, REFUSAL_GOAL = Goal(at_least=0.9), Goal(at_most=0.05)


@measurement("overload", packages=("numpy", "onnxruntime", "pillow", "starlette", "uvicorn"), rounds=3)
@click.option(
    "--engine", "kind", type=click.Choice(["known", "shipped"]), default="known", show_default=True,
    help="An engine that sleeps, or the detector that comes with the package.",
)  # fmt: skip
@click.option("--batch-ms", default=10.0, show_default=True, help="Of the sleeping engine, for every batch.")
@click.option("--canvas-ms", default=15.0, show_default=True, help="Of the sleeping engine, for every canvas.")
@click.option("--seconds", default=10.0, show_default=True, help="Of overload, each round; capacity takes a third.")
@click.option("--times", default=2.0, show_default=True, help="Requests under overload, as a multiple of capacity.")
@click.option("--timeout-s", default=2.0, show_default=True, help="Time that each request has.")
def command(
    kind: str, batch_ms: float, canvas_ms: float, rounds: int, seconds: float, times: float, timeout_s: float
) -> Result:
    """Ask a gateway on this machine, in a process of its own, for TIMES as many pictures as it can answer.

    Capacity is the rate of callers that send the next request after the answer, measured before and after each
    overload. Goodput is what is answered in time per second of overload.
    """
    sleeps = {BATCH_S: str(batch_ms / 1000), CANVAS_S: str(canvas_ms / 1000)}
    module = "dirdet" if kind == "shipped" else "dirdet_bench.serving.fake_engine"
    # An engine that sleeps would otherwise sleep several times at once.
    options = () if kind == "shipped" else ("--inferences", "1")
    with serving(*options, module=module, environment=sleeps) as server:
        rows, facts = asyncio.run(_measured(server.port, rounds, seconds=seconds, times=times, timeout_s=timeout_s))
    return Result(f"A gateway asked {times:g} times what it can answer, over the {kind} engine", rows, facts)


async def _measured(
    port: int, rounds: int, *, seconds: float, times: float, timeout_s: float
) -> tuple[list[Row], dict[str, object]]:
    single, mixed = _pictures([SINGLE_HW] * len(MIXED_HW)), _pictures(MIXED_HW)

    async def capacity(bodies: Sequence[bytes]) -> float:
        return await closed_loop(port, bodies, callers=CALLERS, seconds=seconds / 3)

    await closed_loop(port, mixed, callers=CALLERS, seconds=2)
    before, after, of_many_sizes, goodput, refusals = (list[float]() for _ in range(5))
    calls: list[Call] = []
    for _ in progress(rounds, "rounds"):
        of_many_sizes.append(await capacity(mixed))
        before.append(await capacity(single))
        begun_s = time.perf_counter()
        ended = await open_loop(port, single, per_second=times * before[-1], seconds=seconds, timeout_s=timeout_s)
        after.append(await capacity(single))
        in_time = sum(each.status == 200 and each.ended_s <= begun_s + seconds for each in ended)
        goodput.append(in_time / (seconds * (before[-1] + after[-1]) / 2))
        refused = _percentiles(ended, 503)
        refusals += [refused["p99"]] if refused else []
        calls += ended
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
        "answered_s": _percentiles(calls, 200),
        "timeout_s": timeout_s,
        "shed_s": _percentiles(calls, 503),
    }


def _percentiles(calls: Sequence[Call], status: int) -> dict[str, float]:
    """Seconds of the calls that ended with a status; empty if there are not two."""
    seconds = [each.seconds for each in calls if each.status == status]
    if len(seconds) < 2:
        return {}
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {**{f"p{each}": round(cuts[each - 1], 4) for each in (50, 95, 99)}, "max": round(max(seconds), 4)}


def _pictures(sizes_hw: Sequence[tuple[int, int]]) -> list[bytes]:
    """A JPEG file of noise for each size."""
    made: list[bytes] = []
    for number, (height, width) in enumerate(sizes_hw):
        noise = np.random.default_rng(number).integers(0, 256, (8, 10, 3), np.uint8)
        file = BytesIO()
        Image.fromarray(noise).resize((width, height)).save(file, "JPEG")
        made.append(file.getvalue())
    return made
