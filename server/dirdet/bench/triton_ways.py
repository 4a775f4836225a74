"""Times of several of Triton's models that detect the same, under the same load."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from dirdet.bench.turns import in_turns
from dirdet.engines.base import Engine
from dirdet.tensors import CanvasBatch

# Rounds that do not count: connections are made, and every size of batch is seen for the first time.
WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Load:
    """What every turn sends.

    Attributes:
        batches: one canvas each, sent one after the other and again from the beginning.
        requests: of a turn.
        concurrency: of them that wait at once.
    """

    batches: Sequence[CanvasBatch]
    requests: int
    concurrency: int


@dataclass(frozen=True, slots=True)
class WayTimes:
    """Times by way.

    Attributes:
        seconds: of each counted turn.
        latencies_s: of each request of the counted turns.
    """

    seconds: dict[str, list[float]]
    latencies_s: dict[str, list[float]]


def time_ways(engines: Mapping[str, Engine], load: Load, rounds: Iterable[int]) -> WayTimes:
    """Lets each engine answer the whole load once a round, another one first each time.

    Args:
        engines: by the name of the way.
        load: the same for all.
        rounds: numbers of the rounds, `WARM_UP` that do not count included.

    Raises:
        EngineError: an engine did not answer.
        ParameterError: no round is left to count.
    """
    latencies_s: dict[str, list[float]] = {name: [] for name in engines}
    with ThreadPoolExecutor(load.concurrency) as pool:

        def turn(name: str, engine: Engine) -> None:
            latencies_s[name] += pool.map(partial(_timed, engine, load), range(load.requests))

        runs: dict[str, Callable[[], None]] = {
            name: (lambda name=name, engine=engine: turn(name, engine)) for name, engine in engines.items()
        }
        seconds = in_turns(runs, rounds, warm_up=WARM_UP)
    counted = len(next(iter(seconds.values()))) * load.requests
    return WayTimes(seconds, {name: taken[-counted:] for name, taken in latencies_s.items()})


def _timed(engine: Engine, load: Load, number: int) -> float:
    began = time.perf_counter()
    engine.detect(load.batches[number % len(load.batches)])
    return time.perf_counter() - began
