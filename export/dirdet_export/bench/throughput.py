"""Pictures a second, of several instances that work side by side as Triton's do."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import Any

import torch

WARM_UP = 3
# In which every instance is to be loaded and warm; beyond, one of them has failed.
START_S = 300


@dataclass(frozen=True)
class Throughput:
    """What one measurement gave.

    Attributes:
        pictures_per_s: of all instances together.
        median_s: of one batch in one instance.
    """

    pictures_per_s: float
    median_s: float


def throughput(
    prepare: Callable[[], Callable[[], object]], *, device: torch.device, batch: int, instances: int, seconds: float
) -> Throughput:
    """Runs batches in instances of their own, each on a thread and, on a GPU, a stream of its own.

    Args:
        prepare: makes an instance, on the thread that it will have: what runs one batch and returns when it is done.
        device: where they run.
        batch: pictures of one run.
        instances: how many side by side.
        seconds: in which batches are begun.

    Raises:
        Exception: what the first instance that failed raised.
    """
    go = threading.Barrier(instances)

    def work() -> list[float]:
        try:
            with _own_stream(device):
                run = prepare()
                for _ in range(WARM_UP):
                    run()
                go.wait(START_S)
                return _times(run, seconds)
        except BaseException:
            go.abort()  # so that nobody waits for this one
            raise

    with ThreadPoolExecutor(instances) as pool:
        working = [pool.submit(work) for _ in range(instances)]
    errors = [error for each in working if (error := each.exception())]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError))
    taken = [each.result() for each in working]
    return Throughput(sum(batch * len(times) / sum(times) for times in taken), median(chain(*taken)))


def _times(run: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of each run that began in time, at least of one."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end or not times:
        run()
        times.append(time.perf_counter() - began)
    return times


def _own_stream(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    if device.type != "cuda":
        return contextlib.nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))
