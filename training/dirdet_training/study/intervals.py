"""Means over seeds with their 95% intervals, and the verdict of an interval on a statement."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal

from dirdet.quality.optional_libraries import library

LEVEL = 0.95
Verdict = Literal["holds", "does not hold", "within the interval", "one seed", "not measured"]


@dataclass(frozen=True)
class Interval:
    """A figure over seeds.

    Attributes:
        mean: the mean over seeds; nan without a seed.
        half_width: the half width of the 95% interval by Student's t over seeds; None with fewer than two seeds.
        values: one for each seed.
    """

    mean: float
    half_width: float | None
    values: tuple[float, ...]

    def shown(self, digits: int = 1, *, sign: bool = False) -> str:
        """Formats the mean and, for several seeds, the half width; empty without a seed."""
        if not self.values:
            return ""
        text = f"{self.mean:{'+' if sign else ''}.{digits}f}"
        return text if self.half_width is None else f"{text} ± {self.half_width:.{digits}f}"

    def spread(self, deviation: float) -> "Interval":
        """Returns the interval with the half width of a standard deviation that was not computed over seeds."""
        quantile = float(library("scipy.stats").norm.ppf((1 + LEVEL) / 2))
        return Interval(self.mean, quantile * deviation, self.values)


def interval(values: Sequence[float]) -> Interval:
    """Computes the interval of a figure over seeds; seeds without the figure (nan) are left out."""
    found = tuple(value for value in values if not math.isnan(value))
    if len(found) < 2:
        return Interval(found[0] if found else math.nan, None, found)
    quantile = float(library("scipy.stats").t.ppf((1 + LEVEL) / 2, len(found) - 1))
    return Interval(mean(found), quantile * stdev(found) / math.sqrt(len(found)), found)


def paired(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Computes the interval of the difference, paired by seed.

    Raises:
        ValueError: the numbers of seeds differ.
    """
    return interval([a - b for a, b in zip(ours, theirs, strict=True)])


def verdict(difference: Interval) -> Verdict:
    """Returns the verdict of a paired difference on the statement that it is above 0."""
    if not difference.values:
        return "not measured"
    if difference.half_width is None:
        return "one seed"
    if difference.mean - difference.half_width > 0:
        return "holds"
    return "does not hold" if difference.mean + difference.half_width < 0 else "within the interval"
