"""The report: one self-contained HTML file with plots, each with a sentence that explains it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from dirdet.errors import ParameterError
from dirdet.quality.measure import LOCALIZATION, Quality
from dirdet.quality.page import Plot, figure_rows, render
from dirdet.quality.plots import pairs_plot, regret_plot, reliability_plot, risk_coverage_plot
from dirdet.quality.table import shown


def write_report(path: Path, quality: Quality, *, title: str) -> None:
    """Writes the HTML file; its plots follow the reader's light or dark setting.

    Raises:
        ParameterError: the file cannot be written.
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    figures = quality.figures
    text = render(
        "quality.html",
        title=title,
        summary=summary(figures),
        plots=quality_plots(quality),
        figures=figure_rows(figures),
    )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ParameterError("--report", f"{path} cannot be written: {exc.strerror or exc}") from exc


def summary(figures: Mapping[str, float]) -> str:
    """One sentence: the number of detections, pictures and objects, AP and oLRP."""
    return (
        f"{shown('detections', figures['detections'])} detections on {shown('pictures', figures['pictures'])} "
        f"pictures with {shown('objects', figures['objects'])} objects; AP {shown('AP', figures['AP'])}, "
        f"oLRP {shown('oLRP', figures['oLRP'])}."
    )


def quality_plots(quality: Quality) -> list[Plot]:
    """Every plot for which there are values."""
    plots: list[Plot] = []
    if "iou" in quality.pairs and len(quality.pairs["iou"]):
        plots.append(Plot("pairs", pairs_plot(quality.pairs["iou"], quality.pairs["true"]), _on_pairs(quality)))
    curves = {name: curve for name, curve in quality.reliability.items() if len(curve.weight)}
    fits = {name: curve for name, curve in curves.items() if name in LOCALIZATION}
    if fits:
        says = (
            "On the dotted line the mean true value equals the prediction; mean distance from the line: "
            f"{_errors(quality, fits)}."
        )
        plots.append(Plot("fit", reliability_plot("fit", fits, truth="true, mean"), says))
    chances = {name: curve for name, curve in curves.items() if name not in LOCALIZATION}
    if chances:
        says = (
            "On the dotted line the part of the detections with the right class and an IoU of at least 0.5 equals the "
            f"prediction; mean distance from the line: {_errors(quality, chances)}."
        )
        plots.append(Plot("chance", reliability_plot("chance", chances, truth="part that is right"), says))
    risks = {name: curve for name, curve in quality.risk_coverage.items() if len(curve.risk)}
    if risks:
        areas = _list({name: curve.area for name, curve in risks.items()})
        says = f"The most confident boxes should fit best: a lower curve is better; mean risk: {areas}."
        plots.append(Plot("risk", risk_coverage_plot(risks), says))
    if len(quality.regrets):
        says = (
            f"NMS did not keep the best box in {quality.figures['NMS_regret_part']:.0%} of "
            f"{len(quality.regrets)} clusters, and lost {quality.figures['NMS_regret']:.3f} IoU on average."
        )
        plots.append(Plot("regret", regret_plot(quality.regrets), says))
    return plots


def _on_pairs(quality: Quality) -> str:
    values = {name: quality.figures[f"pearson/{name}"] for name in quality.pairs if name != "true"}
    return f"Pearson's correlation with the true IoU over {len(quality.pairs['true'])} candidates: {_list(values)}."


def _errors(quality: Quality, names: Iterable[str]) -> str:
    """Calibration error of each prediction, by the measure that applies to it."""
    figures = quality.figures
    return _list({name: figures.get(f"calibration_error/{name}", figures.get(f"D-ECE/{name}")) for name in names})


def _list(values: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {shown('', value)}" for name, value in values.items() if value is not None)
