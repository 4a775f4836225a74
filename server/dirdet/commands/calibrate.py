"""Calibrate a bundle: make its score and iou mean what they say, and give boxes a margin that holds."""

from pathlib import Path

import click

from dirdet.bundle import Bundle, Manifest
from dirdet.bundle_copy import check_new, copy_with
from dirdet.errors import ResultsError
from dirdet.quality.fitting import fit_calibration
from dirdet.quality.ground_truth import GroundTruth, read_ground_truth
from dirdet.quality.results import read_results


@click.command()
@click.argument("folder", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option(
    "--candidates", "results", required=True, type=click.Path(path_type=Path),
    help="Its detections on a split: `dirdet evaluate --candidates`, `dirdet detect --json`, or COCO results.",
)  # fmt: skip
@click.option(
    "--ann", required=True, type=click.Path(path_type=Path), help="COCO JSON of that split; not the training split."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the calibrated bundle; new.")
@click.option(
    "--coverage", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.9, show_default=True,
    help="Part of the objects that outer_box is to contain.",
)  # fmt: skip
def command(folder: Path, results: Path, ann: Path, out: Path, coverage: float) -> None:
    """Write BUNDLE with a calibration to another folder.

    Detections then also carry score_calibrated, iou_calibrated and outer_box; score, iou and confidence stay. Fitted
    on detections after NMS; iou and margin on those that overlap an object with an IoU of at least 0.5.
    """
    check_new(out)
    bundle = Bundle.open(folder)
    truth = read_ground_truth(ann)
    _check_classes(bundle.manifest, truth)
    found = read_results(results, truth)
    if bundle.manifest.localization_confidence is None and "iou" in found.predictions:
        raise ResultsError(
            f"{results}: its detections tell an iou, the bundle's detector tells none: not of this bundle"
        )
    calibration = fit_calibration(found, truth, coverage=coverage)
    copy_with(bundle, bundle.manifest.model_copy(update={"calibration": calibration}), out)
    click.echo(f"{out}: calibrated on {calibration.detections} detections, {calibration.matched} of them on an object")
    if calibration.box_margin is not None:
        margin = calibration.box_margin
        told = f"{margin.margin:.1%} of a side"
        if margin.missing:
            told += f" and {margin.missing:.1%} x (1 - integrity)"
        click.echo(f"outer_box: {told} hold {coverage:.1%} of the objects")


def _check_classes(manifest: Manifest, truth: GroundTruth) -> None:
    """The annotations must speak of the bundle's classes, or the split is another data set's."""
    for category in manifest.categories:
        found = truth.categories.get(category.category_id)
        if found != category.name:
            raise ResultsError(
                f"{truth.path}: category_id {category.category_id} is {category.name!r} in the bundle, "
                f"found {'no such category' if found is None else repr(found)}"
            )
