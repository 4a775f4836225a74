"""A curve: pictures a second against one thing that grows, where it bends, and what the default loses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any, Literal

from dirdet.bench.report import Goal, Row
from dirdet.bench.turns import figures_in_turns

# A rate within this of the best one is as good; and a default is to be as good.
NEAR = 0.05
GOAL = Goal(at_least=1 - NEAR)
# Pictures a second, of one turn.
Turn = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Curve:
    """Rates at several values of one thing.

    Attributes:
        title: what grows, and of what.
        rates: pictures a second by value, one a round; ascending values.
        default: the value that dirdet uses unless told; None where nobody chooses it.
        knee_is: "from" is the smallest value whose rate is within 5% of the best one, "up to" the largest.
        work: of one picture at a value, where that differs; the knee is then that of rate times work.
        labels: of the values, where the number says too little.
        chosen: whether the default is there for speed, and so has a goal; else it is for what is found.
    """

    title: str
    rates: Mapping[float, Sequence[float]]
    default: float | None = None
    knee_is: Literal["from", "up to"] = "from"
    work: Mapping[float, float] = field(default_factory=dict[float, float])
    labels: Mapping[float, str] = field(default_factory=dict[float, str])
    chosen: bool = True

    def label(self, value: float) -> str:
        """As people write the value."""
        return self.labels.get(value, f"{value:g}")

    @property
    def shares(self) -> dict[float, float]:
        """Rates as shares of the mean of their round, medians of the rounds: what slows a round counts for nothing."""
        means = [mean(each) for each in zip(*self.rates.values(), strict=True)]
        return {
            value: median(rate / of for rate, of in zip(rates, means, strict=True))
            for value, rates in self.rates.items()
        }

    @property
    def knee(self) -> float:
        """Where the curve bends, by the rule of `knee_is`."""
        done = {value: share * self.work.get(value, 1.0) for value, share in self.shares.items()}
        near = [value for value, rate in done.items() if rate >= (1 - NEAR) * max(done.values())]
        return min(near) if self.knee_is == "from" else max(near)

    def rows(self) -> list[Row]:
        """A row for each value, and one for the default against the best."""
        rows = [Row(self.label(value), rates, unit="/s", group=self.title) for value, rates in self.rates.items()]
        if self.chosen and self.default is not None and self.default in self.rates:
            shares = self.shares
            best = max(shares, key=shares.__getitem__)
            rates = self.rates[self.default]
            name = f"the default, {self.label(self.default)}"
            rows.append(Row(name, rates, unit="/s", against=self.label(best), goal=GOAL, group=self.title))
        return rows

    def content(self) -> dict[str, Any]:
        """What a report tells beside the rows, and what the plot draws."""
        default = None if self.default is None else self.label(self.default)
        return {
            "values": list(self.rates),
            "labels": [self.label(value) for value in self.rates],
            "default": default,
            "knee": self.label(self.knee),
            "knee is": f"{self.knee_is} here",
        }


def rates_in_turns(turns: Mapping[float, Turn], rounds: Iterable[int]) -> dict[float, list[float]]:
    """Every value's rate once a round; the first round does not count."""
    return figures_in_turns(turns, rounds, warm_up=1)
