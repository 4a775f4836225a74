"""The report's plots: the distribution of a figure, and score against iou."""

from typing import Any

import numpy as np

from dirdet.quality.arrays import Ints
from dirdet.quality.optional_libraries import library
from dirdet.quality.plots import COLOURS, plot_svg

LINES = ("-", "--", ":")


def distribution_plot(name: str, histogram: Ints, *, cuts: dict[str, tuple[float, ...]]) -> str:
    """Number of detections by a figure's value in 0..1, [B]; lines mark the cuts of each option."""
    bars = histogram.reshape(-1, 2).sum(axis=1)  # [B / 2]

    def draw(axes: Any) -> None:  # noqa: ANN401
        edges = np.linspace(0, 1, len(bars) + 1)
        axes.stairs(bars, edges, fill=True, color=COLOURS[0], alpha=0.85)
        for number, (option, values) in enumerate(cuts.items()):
            label = f"{option} {', '.join(f'{each:g}' for each in values)}"
            look = {"colors": COLOURS[1 + number % 3], "linestyles": LINES[number % len(LINES)], "linewidth": 2}
            axes.vlines(values, 0, 1, transform=axes.get_xaxis_transform(), label=label, **look)
        if cuts:
            axes.legend(loc="best")
        axes.set(xlabel=name, ylabel="detections", xlim=(0, 1))
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(library("matplotlib.ticker").MaxNLocator(nbins=5, integer=True))
        axes.yaxis.set_major_formatter(library("matplotlib.ticker").FuncFormatter(_thousands))

    return plot_svg(f"all-{name}", draw)


def plane_plot(plane: Ints) -> str:
    """Number of detections by score and iou, [B, B]: the stronger the colour, the more."""

    def draw(axes: Any) -> None:  # noqa: ANN401
        colours = library("matplotlib.colors")
        ramp = colours.LinearSegmentedColormap.from_list("ramp", [(*colours.to_rgb(COLOURS[0]), a) for a in (0.12, 1)])
        score, iou = np.nonzero(plane)
        shade = ramp(np.log1p(plane[score, iou]) / np.log1p(plane.max()))  # [K, 4]
        size = 1 / len(plane)
        patches = [library("matplotlib.patches").Rectangle((x * size, y * size), size, size) for x, y in zip(score, iou, strict=True)]  # fmt: skip  # noqa: E501
        axes.add_collection(
            library("matplotlib.collections").PatchCollection(patches, facecolors=shade, edgecolors="none")
        )
        axes.set(xlabel="score", ylabel="iou", xlim=(0, 1), ylim=(0, 1))

    return plot_svg("plane", draw)


def _thousands(value: float, _: int) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    return f"{value / 1000:g} k" if value >= 10_000 else f"{value:g}"
