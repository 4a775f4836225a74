"""How long each way to detect takes, as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirdet.quality.extra import library
from dirdet.quality.plots import COLOURS


def plot(content: Mapping[str, Any], path: Path) -> None:
    """Median time of each, with the half of the rounds in the middle.

    Args:
        content: of a report of `dirdet bench engine`.
        path: an image; its ending decides the format.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rows = content["rows"][::-1]
    figure = library("matplotlib.figure").Figure(figsize=(7, 0.5 * len(rows) + 1.4), layout="constrained")
    axes = figure.subplots()
    medians = [row["median"] for row in rows]
    errors = [[row["median"] - row["low"] for row in rows], [row["high"] - row["median"] for row in rows]]
    colours = [COLOURS[1] if row["against"] else COLOURS[0] for row in rows]
    axes.barh([row["name"] for row in rows], medians, xerr=errors, color=colours)
    axes.set(xlabel="s a picture, median and quartiles", title=content["what"].replace(", ", "\n"))
    axes.grid(visible=True, axis="x", alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
