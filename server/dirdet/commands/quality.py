"""Measure how good detections and their localization confidence are, from a results file."""

import json
import math
from dataclasses import replace
from pathlib import Path

import click

from dirdet.bundle.shipped import open_bundle
from dirdet.errors import ParameterError
from dirdet.quality.calibration_check import candidate_errors, margin_figures, with_calibration
from dirdet.quality.detections_file import read_results
from dirdet.quality.ground_truth import read_ground_truth
from dirdet.quality.measure import measure
from dirdet.quality.report import write_report
from dirdet.quality.rivals import compare_rivals, rivals_table
from dirdet.quality.table import figures_table


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--ann", required=True, type=click.Path(path_type=Path), help="COCO JSON with the objects.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table; a missing value is null.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the figures with plots to this HTML file.")
@click.option(
    "--nms-iou-threshold", type=click.FloatRange(0, 1), default=0.5, show_default=True,
    help="Threshold of the NMS that kept the boxes; needed for NMS regret.",
)  # fmt: skip
@click.option(
    "--calibrated-by", "folder", type=click.Path(path_type=Path),
    help="A calibrated bundle: also measure its calibration; RESULTS should be of another split than its fit.",
)  # fmt: skip
@click.option(
    "--rivals", is_flag=True,
    help="Instead, compare every NMS on RESULTS, candidates of any detector; needs the extra [torch].",
)  # fmt: skip
@click.option(
    "--max-detections", type=click.IntRange(min=1), default=100, show_default=True,
    help="With --rivals: most boxes that an NMS keeps of a picture.",
)  # fmt: skip
def command(
    results: Path,
    ann: Path,
    as_json: bool,
    report: Path | None,
    nms_iou_threshold: float,
    folder: Path | None,
    rivals: bool,
    max_detections: int,
) -> None:
    """Measure RESULTS, detections on pictures with known objects.

    RESULTS is a COCO results list, whose entries may also have purity, integrity, iou, confidence and, for candidates
    before NMS, kept; or the answer of `dirdet detect --json` or POST /detect. docs/quality.md defines every figure.
    """
    if report is not None and not report.parent.is_dir():
        raise ParameterError("--report", f"there is no folder {report.parent}")
    calibration, category_ids = None, list[int]()
    if folder is not None:
        manifest = open_bundle(folder).manifest
        calibration, category_ids = manifest.calibration, [each.category_id for each in manifest.categories]
        if calibration is None:
            raise ParameterError("--calibrated-by", f"{folder} is not calibrated; see `dirdet calibrate`")
    truth = read_ground_truth(ann)
    found = read_results(results, truth)
    if rivals:
        if report is not None or folder is not None:
            raise ParameterError("--rivals", "cannot be combined with --report or --calibrated-by")
        compared = compare_rivals(found, truth, nms_iou_threshold=nms_iou_threshold, max_detections=max_detections)
        click.echo(json.dumps(compared, indent=2) if as_json else rivals_table(compared))
        return
    if calibration is not None:
        found = with_calibration(found, calibration, category_ids=category_ids)
    quality = measure(found, truth, nms_iou_threshold=nms_iou_threshold)
    if calibration is not None:
        more = candidate_errors(found, truth, calibration, category_ids=category_ids)
        more |= margin_figures(found, truth, calibration)
        quality = replace(quality, figures=quality.figures | more)
    if report is not None:
        write_report(report, quality, title=f"{results.name} on {ann.name}")
    if as_json:
        numbers = {name: None if math.isnan(value) else value for name, value in quality.figures.items()}
        click.echo(json.dumps(numbers, indent=2))
    else:
        click.echo(figures_table(quality.figures))
