"""A measurement's report: what was timed on which machine, against what, and whether it reached its goal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from dirdet.errors import ParameterError
from dirdet.files import write_whole
from dirdet_bench.harness.tables import table

SCHEMA = 1
# Significant digits of values in a file.
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Goal:
    """The largest or the smallest value that is good enough; one of the two."""

    at_most: float | None = None
    at_least: float | None = None

    def met(self, figure: float) -> bool:
        return (self.at_most is None or figure <= self.at_most) and (self.at_least is None or figure >= self.at_least)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured in every round.

    Attributes:
        name: of what was measured.
        values: one a round.
        unit: of the values: "s", "MB", "/s", or "" for shares.
        against: name of the row of the same group whose values of the same rounds divide these.
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
class Spread:
    """The median and the first and third quartile."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Report:
    """A whole measurement: the command that repeats it, the machine, the rows, and facts that explain them."""

    what: str
    command: str
    machine: Mapping[str, object]
    rows: Sequence[Row]
    facts: Mapping[str, object] = field(default_factory=dict[str, object])

    def content(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "what": self.what,
            "command": self.command,
            "machine": dict(self.machine),
            "facts": dict(self.facts),
            "rows": [_row(row, self.rows) for row in self.rows],
        }

    def table(self) -> str:
        return table(self.content())

    def write(self, path: Path) -> None:
        text = json.dumps(self.content(), indent=1) + "\n"
        write_whole(path, lambda file: file.write(text.encode()))


def read_report(path: Path, *, named_by: str = "document") -> Mapping[str, Any]:
    """The content of a file that a `dirdet bench` wrote with --json.

    Raises:
        ParameterError: the file cannot be read, or is no report; it names `named_by`.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        schema = content["schema"]
    except OSError as exc:
        raise ParameterError(named_by, f"it names {path}, which cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise ParameterError(named_by, f"it names {path}, which no `dirdet bench` wrote") from exc
    if schema != SCHEMA:
        raise ParameterError(named_by, f"it names {path} of schema {schema!r}; this dirdet reads {SCHEMA}")
    return content


def rows_against(
    values: Mapping[str, Sequence[float]],
    against: str,
    goals: Mapping[str, Goal] | None = None,
    *,
    unit: str = "s",
    group: str = "",
) -> list[Row]:
    """Rows of runs that took turns, each divided by one of them."""
    return [
        Row(name, each, unit, None if name == against else against, (goals or {}).get(name), group)
        for name, each in values.items()
    ]


def ratio(values: Sequence[float], others: Sequence[float]) -> Spread:
    """Of values divided by others of the same rounds."""
    return spread([one / other for one, other in zip(values, others, strict=True)])


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else list(values) * 3
    return Spread(median(values), low, high)


def _row(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    found: dict[str, Any] = {"group": row.group, "name": row.name, "unit": row.unit, "rounds": len(row.values)}
    found |= {"median": None, "low": None, "high": None, "against": row.against, "ratio": None}
    figure = None
    if row.values:
        found |= _rounded(spread(row.values))
        figure = median(row.values)
    if row.against is not None:
        [other] = [each for each in rows if (each.group, each.name) == (row.group, row.against)]
        between = ratio(row.values, other.values)
        found["ratio"], figure = _rounded(between), between.median
    goal = row.goal
    found["goal"] = goal and {name: limit for name, limit in asdict(goal).items() if limit is not None}
    found["met"] = None if goal is None or figure is None else goal.met(figure)
    return found | {"values": [float(f"{value:.{DIGITS}g}") for value in row.values]}


def _rounded(found: Spread) -> dict[str, float]:
    return {name: float(f"{value:.{DIGITS}g}") for name, value in asdict(found).items()}
