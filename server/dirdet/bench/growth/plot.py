"""Curves as one picture of small panels."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirdet.quality.extra import library
from dirdet.quality.plots import COLOURS

PANEL_INCHES = (3.6, 2.9)
COLUMNS = 3


def plot(content: Mapping[str, Any], path: Path) -> None:
    """A panel a curve: median rate with the middle half of the rounds, the knee dashed, the default ringed.

    Args:
        content: of a report of `dirdet bench growth`.
        path: an image; its ending decides the format.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    curves: Mapping[str, Mapping[str, Any]] = content["facts"]["curves"]
    rows = {(row["group"], row["name"]): row for row in content["rows"]}
    columns = min(COLUMNS, len(curves))
    lines = math.ceil(len(curves) / columns)
    width, height = PANEL_INCHES
    figure = library("matplotlib.figure").Figure(figsize=(width * columns, height * lines), layout="constrained")
    panels: list[Any] = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axes, (title, curve) in zip(panels, curves.items(), strict=False):
        _panel(axes, title, curve, [rows[title, label] for label in curve["labels"]])
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with library("matplotlib").rc_context({"svg.hashsalt": "growth"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _panel(axes: Any, title: str, curve: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> None:  # noqa: ANN401
    places = range(len(rows))  # evenly: most values double from one to the next, and 0 has a place too
    medians = [row["median"] for row in rows]
    axes.plot(places, medians, color=COLOURS[0], marker="o", markersize=4)
    axes.fill_between(
        places, [row["low"] for row in rows], [row["high"] for row in rows], color=COLOURS[0], alpha=0.2, linewidth=0
    )
    labels: list[str] = list(curve["labels"])
    knee = labels.index(curve["knee"])
    axes.axvline(knee, color=COLOURS[1], linestyle="--", linewidth=1, label=f"knee: {curve['knee']}")
    if curve["default"] in labels:
        place = labels.index(curve["default"])
        ring = {"marker": "o", "markersize": 10, "markerfacecolor": "none", "markeredgecolor": COLOURS[2]}
        axes.plot([place], [medians[place]], linestyle="", label=f"default: {curve['default']}", **ring)
    axes.set_xticks(list(places), labels, fontsize=8 if max(map(len, labels)) < 8 else 7)
    axes.tick_params(axis="y", labelsize=8)
    axes.set_title(title, fontsize=10)
    axes.set_ylabel("pictures/s", fontsize=9)
    axes.set_ylim(bottom=0, top=1.15 * max(row["high"] for row in rows))
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8, loc="lower right" if medians[-1] >= medians[0] else "best")
