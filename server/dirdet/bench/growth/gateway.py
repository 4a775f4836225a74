"""Curves of the gateway: callers at once, and those options of `dirdet serve` that decide its rate."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx

from dirdet.bench.callers import closed_loop
from dirdet.bench.growth.curves import Curve, Turn, rates_in_turns
from dirdet.bench.serving import serving
from dirdet.cores import decoding_threads, inferences_beside, usable_cores
from dirdet.detector import MAX_BATCH
from dirdet.errors import EngineError
from dirdet.limits import MAX_BATCH_DELAY_S

CALLERS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class Option:
    """An option of `dirdet serve` whose values are compared.

    Attributes:
        title: of its curve.
        option: as it is typed.
        values: ascending, the default among them.
        default: what it is unless told.
        callers: at once.
    """

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
        # With few callers the engine is often idle, and only then is anything waited for.
        "delay": Option("gateway: --max-batch-delay-ms", "--max-batch-delay-ms", delays, 1000 * MAX_BATCH_DELAY_S, 4),
    }


def caller_curve(
    body: bytes, rounds: Iterable[int], *, seconds: float, told: Sequence[str] = (), callers: Sequence[int] = CALLERS
) -> Curve:
    """Callers, each of whom asks again when answered, of one gateway.

    Args:
        body: of every request, a JPEG file.
        rounds: numbers.
        seconds: of a turn.
        told: more options of `dirdet serve`.
        callers: how many at once.
    """
    with serving(*told) as port:
        right = _right(port, body)
        turns = {float(count): _turn(port, body, count, seconds, right) for count in callers}
        return Curve("gateway: callers at once", rates_in_turns(turns, rounds))


def option_curve(
    option: Option, body: bytes, rounds: Iterable[int], *, seconds: float, told: Sequence[str] = ()
) -> Curve:
    """Gateways that differ in one option, all running, one of them asked at a time; else as `caller_curve`."""
    with ExitStack() as stack:
        turns: dict[float, Turn] = {}
        for value in option.values:
            port = stack.enter_context(serving(option.option, f"{value:g}", *told))
            turns[value] = _turn(port, body, option.callers, seconds, _right(port, body))
        rates = rates_in_turns(turns, rounds)
    title = f"{option.title}, {option.callers} callers"
    return Curve(title, rates, default=float(option.default))


def _right(port: int, body: bytes) -> Callable[[Any], bool]:
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


def _turn(port: int, body: bytes, callers: int, seconds: float, right: Callable[[Any], bool]) -> Turn:
    def run() -> float:
        return asyncio.run(closed_loop(port, [body], callers=callers, seconds=seconds, right=right))

    return run
