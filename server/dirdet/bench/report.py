"""A measurement: what was timed on which machine, against what, and whether it reached its goal; for people and a file.

Every `dirdet bench` gives one, so that one table shows any and one reader understands all.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from dirdet.bench.tables import table
from dirdet.bench.turns import Ratio, ratio, spread
from dirdet.files import write_whole

SCHEMA = 1
# Of the values in a file: more than any clock or machine gives.
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to reach; one of the two.

    Attributes:
        at_most: the most it may be.
        at_least: the least.
    """

    at_most: float | None = None
    at_least: float | None = None

    def met(self, figure: float) -> bool:
        """Whether the figure reaches it."""
        return (self.at_most is None or figure <= self.at_most) and (self.at_least is None or figure >= self.at_least)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured in every round.

    Attributes:
        name: of what was measured.
        values: one a round.
        unit: of the values: "s", "MiB", "/s", or "" for shares.
        against: name of the row of the same group whose values of the same rounds these are divided by.
        goal: of the median ratio, or of the median value where there is nothing to divide by.
        group: what it was measured on, where that differs from row to row.
    """

    name: str
    values: Sequence[float]
    unit: str = "s"
    against: str | None = None
    goal: Goal | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A whole measurement.

    Attributes:
        what: was measured, in a line.
        command: that repeats it.
        machine: see `dirdet.bench.machine.machine`.
        rows: what was measured.
        facts: what else is to be known.
    """

    what: str
    command: str
    machine: Mapping[str, object]
    rows: Sequence[Row]
    facts: Mapping[str, object] = field(default_factory=dict[str, object])

    def content(self) -> dict[str, Any]:
        """As in a file."""
        return {
            "schema": SCHEMA,
            "what": self.what,
            "command": self.command,
            "machine": dict(self.machine),
            "facts": dict(self.facts),
            "rows": [_row(row, self.rows) for row in self.rows],
        }

    def table(self) -> str:
        """Markdown."""
        return table(self.content())

    def write(self, path: Path) -> None:
        """Writes it as JSON, whole or not at all."""
        text = json.dumps(self.content(), indent=1) + "\n"
        write_whole(path, lambda file: file.write(text.encode()))


def _row(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    found: dict[str, Any] = {"group": row.group, "name": row.name, "unit": row.unit, "rounds": len(row.values)}
    found |= {"median": None, "low": None, "high": None, "against": row.against, "ratio": None}
    figure = None
    if row.values:
        found |= {name: _rounded(value) for name, value in asdict(spread(row.values)).items()}
        figure = median(row.values)
    if row.against is not None:
        [other] = [each for each in rows if (each.group, each.name) == (row.group, row.against)]
        between = ratio(row.values, other.values)
        found["ratio"] = {name: _rounded(value) for name, value in asdict(between).items()}
        figure = between.median
    goal = row.goal
    found["goal"] = goal and {name: limit for name, limit in asdict(goal).items() if limit is not None}
    found["met"] = None if goal is None or figure is None else goal.met(figure)
    return found | {"values": [_rounded(value) for value in row.values]}


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def rows_against(
    seconds: Mapping[str, Sequence[float]], against: str, goals: Mapping[str, Goal] | None = None
) -> list[Row]:
    """Rows of runs that took turns, each against one of them."""
    told = goals or {}
    return [
        Row(name, taken, against=None if name == against else against, goal=told.get(name))
        for name, taken in seconds.items()
    ]


def compared(seconds: Mapping[str, Sequence[float]], against: str) -> dict[str, Ratio]:
    """Every run's ratio to one of them."""
    return {name: ratio(taken, seconds[against]) for name, taken in seconds.items()}


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds that half, 95 and 99 of a hundred requests took at most."""
    return {f"p{each}": round(1000 * float(np.percentile(seconds, each)), 3) for each in (50, 95, 99)}


def latency_table(seconds: Mapping[str, Sequence[float]]) -> str:
    """Markdown: the percentiles of each run's requests."""
    rows = {name: percentiles_ms(taken) for name, taken in seconds.items()}
    lines = ["| a request | p50 | p95 | p99 |", "|---|---|---|---|"]
    lines += [f"| {name} | {' | '.join(f'{each:.2f} ms' for each in row.values())} |" for name, row in rows.items()]
    return "\n".join(lines)
