"""Runs that take turns: other work on the machine then disturbs all of them alike."""

import sys
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import TypeVar

import click

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def progress(count: int, label: str) -> Iterator[int]:
    """0 to count - 1, with a progress bar on standard error."""
    with click.progressbar(range(count), label=label, file=sys.stderr, show_pos=True) as bar:
        yield from bar


def results_in_turns(
    runs: Mapping[K, Callable[[], T]],
    rounds: int,
    *,
    warm_up: int = 0,
    label: str = "rounds",
    before: Callable[[int], object] = lambda _: None,
) -> dict[K, list[T]]:
    """Calls every run once a round, beginning with another one each round.

    Args:
        runs: what is called, by name.
        rounds: whose results are kept.
        warm_up: rounds before these.
        label: of the progress bar.
        before: is called with the number of each round before it begins.

    Returns:
        Results by name, one a kept round.
    """
    found: dict[K, list[T]] = {key: [] for key in runs}
    keys = list(runs)
    for number in progress(rounds + warm_up, label):
        before(number)
        first = number % len(keys)
        for key in keys[first:] + keys[:first]:
            result = runs[key]()
            if number >= warm_up:
                found[key].append(result)
    return found


def seconds_in_turns(
    runs: Mapping[K, Callable[[], object]],
    rounds: int,
    *,
    warm_up: int = 1,
    turn_s: float = 0.0,
    label: str = "rounds",
    before: Callable[[int], object] = lambda _: None,
) -> dict[K, list[float]]:
    """Seconds of one call of every run, one value a round.

    With `turn_s` a turn repeats the call for about so many seconds, at most 1000 times: the clock, and the caches that
    another run left behind, then cost little beside it.
    """
    timed = {key: _timed(run, _calls(run, turn_s) if turn_s else 1) for key, run in runs.items()}
    return results_in_turns(timed, rounds, warm_up=warm_up, label=label, before=before)


def seconds_of(run: Callable[[], object]) -> float:
    """Of one call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _calls(run: Callable[[], object], turn_s: float) -> int:
    run()
    return max(1, min(1000, round(turn_s / seconds_of(run))))


def _timed(run: Callable[[], object], calls: int) -> Callable[[], float]:
    def turn() -> float:
        began = time.perf_counter()
        for _ in range(calls):
            run()
        return (time.perf_counter() - began) / calls

    return turn
