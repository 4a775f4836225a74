"""Curves of the gateway: callers at once, and the options of `dirdet serve` that decide its rate."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx

from dirdet.engines.cores import decoding_threads, inferences_beside, usable_cores
from dirdet.engines.tensors import MAX_BATCH
from dirdet.errors import EngineError
from dirdet.gateway.scheduling.server_limits import MAX_BATCH_DELAY_S
from dirdet_bench.harness.processes import serving
from dirdet_bench.harness.turns import results_in_turns
from dirdet_bench.serving.curves import Curve
from dirdet_bench.serving.http_load import closed_loop

CALLERS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class Option:
    """An option of `dirdet serve` whose values, ascending, are compared under so many callers."""

    title: str
    option: str
    values: Sequence[float]
    default: float
    callers: int


def options() -> dict[str, Option]:
    """By the name of their curve."""
    cores = usable_cores()
    own = decoding_threads(cores)
    threads = sorted({1.0, 2.0, float(own), float(cores), 2.0 * cores})
    beside = inferences_beside(cores, max_batch=MAX_BATCH)
    inferences = sorted({1.0, 2.0, float(beside)})
    delays = (0.0, 2.0, 5.0, 10.0, 20.0)
    return {
        "decoders": Option("gateway: threads that decode", "--decoding-threads", threads, own, 8),
        "inferences": Option("gateway: --inferences", "--inferences", inferences, beside, 16),
        "max-batch": Option("gateway: --max-batch", "--max-batch", (1.0, 2.0, 4.0, 8.0, 16.0), MAX_BATCH, 16),
        # Few callers: a batch waits for more requests only while the engine is idle.
        "delay": Option("gateway: --max-batch-delay-ms", "--max-batch-delay-ms", delays, 1000 * MAX_BATCH_DELAY_S, 4),
    }


def caller_curve(body: bytes, rounds: int, *, seconds: float, serve: Sequence[str] = ()) -> Curve:
    """Callers of one gateway, which send a JPEG file again after each answer; `serve` are options of `dirdet serve`."""
    with serving(*serve) as server:
        is_right = _same_number_of_detections(server.port, body)
        runs = {float(count): _asking(server.port, body, count, seconds, is_right) for count in CALLERS}
        return Curve("gateway: callers at once", results_in_turns(runs, rounds, warm_up=1, label="callers"))


def option_curve(option: Option, body: bytes, rounds: int, *, seconds: float, serve: Sequence[str] = ()) -> Curve:
    """Gateways that differ in one option, all running, one of them asked at a time; else as `caller_curve`."""
    with ExitStack() as stack:
        runs: dict[float, Callable[[], float]] = {}
        for value in option.values:
            port = stack.enter_context(serving(option.option, f"{value:g}", *serve)).port
            is_right = _same_number_of_detections(port, body)
            runs[value] = _asking(port, body, option.callers, seconds, is_right)
        rates = results_in_turns(runs, rounds, warm_up=1, label=option.option)
    return Curve(f"{option.title}, {option.callers} callers", rates, default=float(option.default))


def _same_number_of_detections(port: int, body: bytes) -> Callable[[Any], bool]:
    """Whether an answer has as many detections as the first one.

    Raises:
        EngineError: there is no answer.
    """
    answer = httpx.post(
        f"http://127.0.0.1:{port}/detect", content=body, headers={"Content-Type": "image/jpeg"}, timeout=60
    )
    if answer.status_code != 200:
        raise EngineError(f"the gateway answered {answer.status_code}: {answer.text[:200]}")
    expected = len(answer.json()["images"][0]["detections"])
    return lambda content: len(content["images"][0]["detections"]) == expected


def _asking(
    port: int, body: bytes, callers: int, seconds: float, is_right: Callable[[Any], bool]
) -> Callable[[], float]:
    return lambda: asyncio.run(closed_loop(port, [body], callers=callers, seconds=seconds, is_right=is_right))
