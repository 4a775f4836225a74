"""Pictures a second of each way to train, as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirdet.quality.extra import library
from dirdet.quality.plots import COLOURS

BAR_INCHES, WIDTH_INCHES = 0.45, 7


def plot(content: Mapping[str, Any], path: Path) -> None:
    """A bar for each way, with the half of the rounds in the middle.

    Args:
        content: of a report of `dirdet bench train --against stock`.
        path: an image; its ending decides the format.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rows = [row for row in content["rows"] if row["unit"] == "/s"]
    names, medians = [row["name"] for row in rows], [row["median"] for row in rows]
    around = [
        [row["median"] - row["low"] for row in rows],
        [row["high"] - row["median"] for row in rows],
    ]
    size = (WIDTH_INCHES, 1 + BAR_INCHES * len(rows))
    figure = library("matplotlib.figure").Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.barh(names, medians, xerr=around, color=COLOURS[0], height=0.6)
    axes.invert_yaxis()
    axes.set(xlabel="pictures a second", title=content["what"])
    axes.grid(visible=True, axis="x", alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
