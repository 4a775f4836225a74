"""Measure how good detections and their localization confidence are, from a results file."""

import json
import math
from dataclasses import replace
from pathlib import Path

import click

from dirdet.bundle import Bundle
from dirdet.errors import ParameterError
from dirdet.quality.calibrated import margin_figures, with_calibration
from dirdet.quality.ground_truth import read_ground_truth
from dirdet.quality.measure import measure
from dirdet.quality.report import write_report
from dirdet.quality.results import read_results
from dirdet.quality.table import figures_table


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--ann", required=True, type=click.Path(path_type=Path), help="COCO JSON with the objects.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table; what has no value is null.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the figures with plots to this HTML file.")
@click.option(
    "--nms-iou-threshold", type=click.FloatRange(0, 1), default=0.5, show_default=True,
    help="Of the NMS that kept the boxes; NMS regret needs it.",
)  # fmt: skip
@click.option(
    "--calibrated-by", "folder", type=click.Path(path_type=Path),
    help="A calibrated bundle: measure its calibration too, which was best fitted on another split.",
)  # fmt: skip
def command(
    results: Path, ann: Path, as_json: bool, report: Path | None, nms_iou_threshold: float, folder: Path | None
) -> None:
    """Measure RESULTS, detections on pictures whose objects are known.

    RESULTS is a COCO results list, whose entries may also carry purity, integrity, iou, confidence and, of candidates
    before NMS, kept; or what `dirdet detect --json` or POST /detect answers. docs/quality.md defines every figure.
    """
    if report is not None and not report.parent.is_dir():
        raise ParameterError("--report", f"there is no folder {report.parent}")
    calibration = None
    if folder is not None:
        calibration = Bundle.open(folder).manifest.calibration
        if calibration is None:
            raise ParameterError("--calibrated-by", f"{folder} is not calibrated; `dirdet calibrate` does that")
    truth = read_ground_truth(ann)
    found = read_results(results, truth)
    if calibration is not None:
        found = with_calibration(found, calibration)
    quality = measure(found, truth, nms_iou_threshold=nms_iou_threshold)
    if calibration is not None:
        quality = replace(quality, figures=quality.figures | margin_figures(found, truth, calibration))
    if report is not None:
        write_report(report, quality, title=f"{results.name} on {ann.name}")
    if as_json:
        numbers = {name: None if math.isnan(value) else value for name, value in quality.figures.items()}
        click.echo(json.dumps(numbers, indent=2))
    else:
        click.echo(figures_table(quality.figures))
