"""A curve: pictures a second against one growing number, its knee, and what the default loses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any, Literal

from dirdet.quality.plots import COLOURS
from dirdet_bench.harness.plots import Content, panels
from dirdet_bench.harness.report import Goal, Row

# A rate within this of the best one is as good; a default has to be.
NEAR = 0.05
GOAL = Goal(at_least=1 - NEAR)


@dataclass(frozen=True, slots=True)
class Curve:
    """Rates at several values of one number.

    Attributes:
        title: what grows, and of what.
        rates: pictures a second by value, one a round; ascending values.
        default: dirdet's default; None where there is none.
        knee_is: "from" is the smallest value whose rate is within 5% of the best one, "up to" the largest.
        work: of one picture at a value, where that differs; the knee is then that of rate times work.
        labels: of the values, where the number says too little.
        chosen: whether the default is chosen for speed, and so has a goal.
    """

    title: str
    rates: Mapping[float, Sequence[float]]
    default: float | None = None
    knee_is: Literal["from", "up to"] = "from"
    work: Mapping[float, float] = field(default_factory=dict[float, float])
    labels: Mapping[float, str] = field(default_factory=dict[float, str])
    chosen: bool = True

    def label(self, value: float) -> str:
        return self.labels.get(value, f"{value:g}")

    @property
    def shares(self) -> dict[float, float]:
        """Median over rounds of the rate as a share of its round's mean: a slow round then counts like any other."""
        means = [mean(each) for each in zip(*self.rates.values(), strict=True)]
        return {
            value: median(rate / of for rate, of in zip(rates, means, strict=True))
            for value, rates in self.rates.items()
        }

    @property
    def knee(self) -> float:
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
        """For the report's facts, from which `plot` draws."""
        default = None if self.default is None else self.label(self.default)
        return {
            "values": list(self.rates),
            "labels": [self.label(value) for value in self.rates],
            "default": default,
            "knee": self.label(self.knee),
            "knee is": f"{self.knee_is} here",
        }


def plot(content: Content, path: Path) -> None:
    """A panel a curve: median rate with the middle half of the rounds, the knee dashed, the default ringed."""
    curves: Mapping[str, Mapping[str, Any]] = content["facts"]["curves"]
    rows = {(row["group"], row["name"]): row for row in content["rows"]}
    with panels(path, len(curves), size=(3.6, 2.9), columns=3) as (_, all_axes):
        for axes, (title, curve) in zip(all_axes, curves.items(), strict=True):
            _panel(axes, title, curve, [rows[title, label] for label in curve["labels"]])


def _panel(axes: Any, title: str, curve: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> None:  # noqa: ANN401
    places = range(len(rows))  # evenly: most values double from one to the next, and some are 0
    medians, low, high = ([row[key] for row in rows] for key in ("median", "low", "high"))
    labels: list[str] = list(curve["labels"])
    axes.plot(places, medians, color=COLOURS[0], marker="o", markersize=4)
    axes.fill_between(places, low, high, color=COLOURS[0], alpha=0.2, linewidth=0)
    knee = labels.index(curve["knee"])
    axes.axvline(knee, color=COLOURS[1], linestyle="--", linewidth=1, label=f"knee: {curve['knee']}")
    if curve["default"] in labels:
        place = labels.index(curve["default"])
        ring = {"marker": "o", "markersize": 10, "markerfacecolor": "none", "markeredgecolor": COLOURS[2]}
        axes.plot([place], [medians[place]], linestyle="", label=f"default: {curve['default']}", **ring)
    axes.set_xticks(list(places), labels, fontsize=8 if max(map(len, labels)) < 8 else 7)
    axes.set_title(title, fontsize=10)
    axes.set_ylabel("pictures/s", fontsize=9)
    axes.set_ylim(bottom=0, top=1.15 * max(high))
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8, loc="lower right" if medians[-1] >= medians[0] else "best")
