"""Times of several runs taken in turns, so that what else the machine does meets them alike."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from dirdet.errors import ParameterError


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
    names = list(runs)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in rounds:
        first = number % len(names)
        for name in names[first:] + names[:first]:
            began = time.perf_counter()
            runs[name]()
            if number >= warm_up:
                seconds[name].append(time.perf_counter() - began)
    if not seconds[names[0]]:
        raise ParameterError("rounds", f"expected more than the {warm_up} of the warm-up")
    return seconds


def ratio(taken: Sequence[float], against: Sequence[float]) -> Ratio:
    """How much longer `taken` is than `against`, seconds of the same rounds."""
    return spread([one / other for one, other in zip(taken, against, strict=True)])


def spread(values: Sequence[float]) -> Ratio:
    """The median and the quartiles of at least one value."""
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else list(values) * 3
    return Ratio(median(values), low, high)
