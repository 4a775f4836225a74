"""Pictures a second by threads, a panel for each type of file, as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirdet.quality.extra import library
from dirdet.quality.plots import MARKERS

PANEL_INCHES = (3.4, 3.4)


def plot(content: Mapping[str, Any], path: Path) -> None:
    """Median rates.

    Args:
        content: of a report of `dirdet bench decode`.
        path: an image; its ending decides the format.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in content["rows"]:
        kind, _, threads = row["group"].partition(", ")
        panels.setdefault(kind, {}).setdefault(row["name"], []).append((int(threads.split()[0]), row["median"]))
    names = list(dict.fromkeys(row["name"] for row in content["rows"]))
    width, height = PANEL_INCHES
    figure = library("matplotlib.figure").Figure(figsize=(width * len(panels), height), layout="constrained")
    colours = library("matplotlib").colormaps["tab10"].colors
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for each, (kind, lines) in zip(axes, panels.items(), strict=True):
        for name, points in lines.items():
            number = names.index(name)
            style = {"color": colours[number % len(colours)], "marker": MARKERS[number % len(MARKERS)]}
            each.plot(*zip(*sorted(points), strict=True), label=name, **style)
        threads = sorted({point[0] for points in lines.values() for point in points})
        each.set(xlabel="threads", title=kind, xticks=threads)
        each.set_ylim(bottom=0)
        each.grid(visible=True, alpha=0.3)
    axes[0].set_ylabel("pictures a second, median")
    axes[0].legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
