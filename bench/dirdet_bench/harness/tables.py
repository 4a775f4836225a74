"""A measurement's file as a Markdown table."""

from collections.abc import Mapping
from typing import Any

UNITS = {"s": (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))}


def table(content: Mapping[str, Any], *, only_goals: bool = False) -> str:
    """A line for each row: its median, what it is to another, and its goal.

    Args:
        content: see `dirdet_bench.harness.report.Report.content`.
        only_goals: leave out rows that have no goal.
    """
    rows = [row for row in content["rows"] if row["goal"] or not only_goals]
    groups, ratios = any(row["group"] for row in rows), any(row["ratio"] for row in rows)
    goals = any(row["goal"] for row in rows)
    head = ["on"] * groups + ["", "median", "half of the rounds within", "rounds"]
    head += ["times", "half of the rounds within"] * ratios + ["goal"] * goals
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [row["group"]] * groups + [row["name"], *_figures(row), str(row["rounds"])]
        lines.append("| " + " | ".join(cells + _ratio(row) * ratios + [_goal(row)] * goals) + " |")
    return "\n".join(lines)


def _figures(row: Mapping[str, Any]) -> list[str]:
    if row["median"] is None:
        return ["", ""]
    name, scale = row["unit"], 1.0
    for smaller in UNITS.get(row["unit"], ()):
        name, scale = smaller
        if row["median"] >= scale:
            break
    middle, low, high = (three_digits(row[key] / scale) for key in ("median", "low", "high"))
    return [f"{middle} {name}".rstrip(), f"{low} to {high}"]


def _ratio(row: Mapping[str, Any]) -> list[str]:
    if row["ratio"] is None:
        return ["", ""]
    middle, low, high = (three_digits(row["ratio"][key]) for key in ("median", "low", "high"))
    return [f"{middle} of {row['against']}", f"{low} to {high}"]


def goal_cells(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Of a row with a goal: the figure that it is about, the goal, and whether it was met."""
    limits = ", ".join(f"{key.replace('_', ' ')} {limit:g}" for key, limit in row["goal"].items())
    figure = _figures(row)[0] if row["ratio"] is None else _ratio(row)[0]
    return figure, limits, "met" if row["met"] else "missed"


def _goal(row: Mapping[str, Any]) -> str:
    return ": ".join(goal_cells(row)[1:]) if row["goal"] else ""


def three_digits(value: float) -> str:
    """1234, 123, 12.3, 1.23, 0.123, 0.0123."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    while digits < 6 and 0 < abs(value) < 10 ** (2 - digits):
        digits += 1
    return f"{value:.{digits}f}"
