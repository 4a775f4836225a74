"""Plots of measured quality as SVG text that takes its text colour from the page, for light and dark pages."""

import io
import re
from collections.abc import Callable
from typing import Any

from dirdet.quality.arrays import Floats
from dirdet.quality.calibration_error import Reliability
from dirdet.quality.optional_libraries import library
from dirdet.quality.selection import RiskCoverage

# Mid-tones that are visible on white and on near-black; colour-blind readers tell them apart by lightness and marker.
COLOURS = ("#2f7fd1", "#d97a1e", "#2d9d78", "#b565c4", "#8a8f98")
MARKERS = ("o", "s", "^", "D", "v")
# Plots are drawn in this colour, which the page replaces by its own text colour.
INK = "#010203"
SIZE_INCHES = (5.2, 4.0)
STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.framealpha": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def pairs_plot(predicted: Floats, true: Floats) -> str:
    """Predicted against true IoU, [P] each: the darker, the more boxes (Figure 4)."""

    def draw(axes: Any) -> None:  # noqa: ANN401
        colours = library("matplotlib.colors")
        ramp = colours.LinearSegmentedColormap.from_list("ramp", [(*colours.to_rgb(COLOURS[0]), a) for a in (0.08, 1)])
        axes.hexbin(predicted, true, gridsize=24, extent=(0, 1, 0.5, 1), mincnt=1, cmap=ramp, linewidths=0)
        axes.plot([0.5, 1], [0.5, 1], color=INK, linewidth=1, linestyle=":")
        axes.set(xlabel="predicted iou", ylabel="true IoU", xlim=(0, 1), ylim=(0.5, 1))

    return plot_svg("pairs", draw)


def reliability_plot(name: str, curves: dict[str, Reliability], *, truth: str) -> str:
    """Reliability curves with the diagonal; `truth` labels the axis of the true values."""

    def draw(axes: Any) -> None:  # noqa: ANN401
        axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":")
        for number, (label, curve) in enumerate(curves.items()):
            axes.plot(curve.predicted, curve.true, label=label, **_look(number))
        axes.set(xlabel="predicted", ylabel=truth, xlim=(0, 1), ylim=(0, 1))
        axes.legend()

    return plot_svg(name, draw)


def risk_coverage_plot(curves: dict[str, RiskCoverage]) -> str:
    """Risk against coverage for each confidence that may rank the boxes."""

    def draw(axes: Any) -> None:  # noqa: ANN401
        for number, (label, curve) in enumerate(curves.items()):
            # A few hundred points look like all of them and keep the file small.
            step = max(1, len(curve.risk) // 300)
            look = _look(number) | {"marker": None}
            axes.plot(curve.coverage[::step], curve.risk[::step], label=label, **look)
        axes.set(xlabel="coverage: part of the detections kept", ylabel="risk: mean 1 - IoU", xlim=(0, 1))
        axes.set_ylim(bottom=0)
        axes.legend()

    return plot_svg("risk", draw)


def regret_plot(regrets: Floats) -> str:
    """Histogram of the IoU that clusters lost, [C]."""

    def draw(axes: Any) -> None:  # noqa: ANN401
        axes.hist(regrets, bins=20, range=(0, max(0.2, float(regrets.max()))), color=COLOURS[0], log=True)
        axes.set(xlabel="NMS regret: IoU lost", ylabel="clusters")

    return plot_svg("regret", draw)


def _look(number: int) -> dict[str, Any]:
    place = number % len(COLOURS)
    return {"color": COLOURS[place], "marker": MARKERS[place], "markersize": 5, "linewidth": 1.8}


def plot_svg(name: str, draw: Callable[[Any], None]) -> str:
    """One figure as SVG, with ids made unique by `name`, so that several figures can share a page."""
    with library("matplotlib").rc_context(STYLE | {"svg.hashsalt": name}):
        figure = library("matplotlib.figure").Figure(figsize=SIZE_INCHES, layout="constrained")
        draw(figure.add_subplot())
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    return text.replace(INK, "currentColor").replace("<svg", f'<svg role="img" aria-labelledby="{name}-says"', 1)
