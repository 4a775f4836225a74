"""The report: one self-contained HTML file with plots, each with a sentence of what it says."""

import html
from collections.abc import Iterable, Mapping
from pathlib import Path

from dirdet.errors import ParameterError
from dirdet.quality.measure import LOCALIZATION, Quality
from dirdet.quality.page import STYLE, figure, figure_rows
from dirdet.quality.plots import pairs_plot, regret_plot, reliability_plot, risk_coverage_plot
from dirdet.quality.table import shown

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
<p>{summary}</p>
<div class="plots">
{plots}
</div>
<h2>All figures</h2>
<p>AP in percent; everything else from 0 to 1, correlations from -1 to 1.</p>
<table>
{rows}
</table>
</html>
"""


def write_report(path: Path, quality: Quality, *, title: str) -> None:
    """Writes the HTML file; its plots follow the reader's light or dark setting.

    Raises:
        ParameterError: the file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    figures = quality.figures
    text = PAGE.format(
        title=html.escape(title),
        summary=summary(figures),
        style=STYLE,
        plots="\n".join(figure(*plot) for plot in quality_plots(quality)),
        rows=figure_rows(figures),
    )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ParameterError("--report", f"{path} cannot be written: {exc.strerror or exc}") from exc


def summary(figures: Mapping[str, float]) -> str:
    """In a sentence: on what it was measured, AP and oLRP."""
    return (
        f"{shown('detections', figures['detections'])} detections on {shown('pictures', figures['pictures'])} "
        f"pictures with {shown('objects', figures['objects'])} objects; AP {shown('AP', figures['AP'])}, "
        f"oLRP {shown('oLRP', figures['oLRP'])}."
    )


def quality_plots(quality: Quality) -> list[tuple[str, str, str]]:
    """Name, SVG and sentence of every plot that has something to show."""
    plots: list[tuple[str, str, str]] = []
    if "iou" in quality.pairs and len(quality.pairs["iou"]):
        plots.append(("pairs", pairs_plot(quality.pairs["iou"], quality.pairs["true"]), _on_pairs(quality)))
    curves = {name: curve for name, curve in quality.reliability.items() if len(curve.weight)}
    fits = {name: curve for name, curve in curves.items() if name in LOCALIZATION}
    if fits:
        says = (
            f"On the dotted line a box fits as well as it was said to; mean distance from it: {_errors(quality, fits)}."
        )
        plots.append(("fit", reliability_plot("fit", fits, truth="true, mean"), says))
    chances = {name: curve for name, curve in curves.items() if name not in LOCALIZATION}
    if chances:
        says = (
            "On the dotted line that part of the detections has the right class and an IoU of at least 0.5; mean "
            f"distance from it: {_errors(quality, chances)}."
        )
        plots.append(("chance", reliability_plot("chance", chances, truth="part that is right"), says))
    risks = {name: curve for name, curve in quality.risk_coverage.items() if len(curve.risk)}
    if risks:
        areas = _list({name: curve.area for name, curve in risks.items()})
        says = f"Keeping only the surest detections should leave the better boxes: lower is better; mean risk: {areas}."
        plots.append(("risk", risk_coverage_plot(risks), says))
    if len(quality.regrets):
        says = (
            f"NMS kept a worse box than it could in {quality.figures['NMS_regret_part']:.0%} of "
            f"{len(quality.regrets)} clusters, and lost {quality.figures['NMS_regret']:.3f} IoU on average."
        )
        plots.append(("regret", regret_plot(quality.regrets), says))
    return plots


def _on_pairs(quality: Quality) -> str:
    values = {name: quality.figures[f"pearson/{name}"] for name in quality.pairs if name != "true"}
    return f"Pearson's correlation with the true IoU over {len(quality.pairs['true'])} candidates: {_list(values)}."


def _errors(quality: Quality, names: Iterable[str]) -> str:
    """Calibration error of each, by whichever measure applies to it."""
    figures = quality.figures
    return _list({name: figures.get(f"calibration_error/{name}", figures.get(f"D-ECE/{name}")) for name in names})


def _list(values: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {shown('', value)}" for name, value in values.items() if value is not None)
