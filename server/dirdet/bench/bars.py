"""Any report as a picture: a bar for each thing measured, with the half of the rounds in the middle."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dirdet.quality.extra import library
from dirdet.quality.plots import COLOURS

WIDTH_INCHES, BAR_INCHES, PANEL_INCHES = 7.0, 0.36, 1.0
UNITS = {"": "share", "s": "seconds", "/s": "a second"}


def plot(content: Mapping[str, Any], path: Path) -> None:
    """A panel for each unit. What is divided by something else is drawn once.

    Args:
        content: of a report (`Report.content`).
        path: an image; its ending decides the format.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    panels = _panels(content["rows"])
    counts = [len(rows) for rows in panels.values()]
    height = sum(PANEL_INCHES + BAR_INCHES * count for count in counts)
    figure = library("matplotlib.figure").Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    ratios = [2 + count for count in counts]
    all_axes = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": ratios})[:, 0]
    for axes, (unit, rows) in zip(all_axes, panels.items(), strict=True):
        medians = [row["median"] for row in rows]
        around = [[row["median"] - row["low"] for row in rows], [row["high"] - row["median"] for row in rows]]
        axes.barh([_name(row) for row in rows], medians, xerr=around, color=COLOURS[0], height=0.6)
        axes.invert_yaxis()
        axes.set_xlabel(UNITS.get(unit, unit))
        axes.grid(visible=True, axis="x", alpha=0.3)
    figure.suptitle(str(content["what"]).replace("; ", "\n").replace(", ", "\n"), fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _panels(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Rows that have been measured, by unit."""
    panels: dict[str, list[Mapping[str, Any]]] = {}
    seen: list[tuple[str, Sequence[float]]] = []
    for row in rows:
        if row["median"] is None or (row["unit"], row["values"]) in seen:
            continue
        seen.append((row["unit"], row["values"]))
        panels.setdefault(row["unit"], []).append(row)
    return panels


def _name(row: Mapping[str, Any]) -> str:
    return ": ".join(part for part in (row["group"], row["name"]) if part)
