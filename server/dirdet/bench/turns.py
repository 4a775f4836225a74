"""Times of several runs taken in turns, so that what else the machine does meets them alike."""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles
from typing import TypeVar

from dirdet.errors import ParameterError

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Ratio:
    """How much longer one run takes than another, or any figure, over several rounds.

    Attributes:
        median: of the rounds.
        low: their first quartile.
        high: their third.
    """

    median: float
    low: float
    high: float


def in_turn(all_of_them: Sequence[T], number: int) -> list[T]:
    """All of them, another one first each round."""
    first = number % len(all_of_them)
    return [*all_of_them[first:], *all_of_them[:first]]


def in_turns(
    runs: Mapping[str, Callable[[], object]], rounds: Iterable[int], *, warm_up: int
) -> dict[str, list[float]]:
    """Runs everything once a round, another one first each time.

    Args:
        runs: what to time, by name.
        rounds: numbers of the rounds, the warm-up's included; an iterable, so that a progress bar can be one.
        warm_up: first rounds that do not count.

    Returns:
        Seconds by name, one a counted round.

    Raises:
        ParameterError: no round is left to count.
    """
    seconds = figures_in_turns({name: partial(_seconds, run) for name, run in runs.items()}, rounds, warm_up=warm_up)
    if not all(seconds.values()):
        raise ParameterError("rounds", f"expected more than the {warm_up} of the warm-up")
    return seconds


def figures_in_turns(
    runs: Mapping[K, Callable[[], float]], rounds: Iterable[int], *, warm_up: int = 0
) -> dict[K, list[float]]:
    """As `in_turns`, of runs that give their figure themselves; without a counted round there is none."""
    found: dict[K, list[float]] = {key: [] for key in runs}
    for number in rounds:
        for key in in_turn(list(runs), number):
            figure = runs[key]()
            if number >= warm_up:
                found[key].append(figure)
    return found


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def ratio(taken: Sequence[float], against: Sequence[float]) -> Ratio:
    """How much longer `taken` is than `against`, seconds of the same rounds."""
    return spread([one / other for one, other in zip(taken, against, strict=True)])


def spread(values: Sequence[float]) -> Ratio:
    """The median and the quartiles of at least one value."""
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else list(values) * 3
    return Ratio(median(values), low, high)
