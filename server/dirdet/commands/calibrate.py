"""Calibrate a bundle: fit maps that make its score and iou true on average, thresholds, and a margin for its boxes."""

from collections.abc import Iterator
from pathlib import Path

import click

from dirdet.bundle.bundle import Manifest
from dirdet.bundle.copying import check_new, copy_with
from dirdet.bundle.shipped import open_bundle
from dirdet.detection.calibration import Calibration
from dirdet.errors import ResultsError, counted
from dirdet.quality.calibration_fit import fit_calibration
from dirdet.quality.detections_file import read_results
from dirdet.quality.ground_truth import GroundTruth, read_ground_truth


@click.command()
@click.argument("folder", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option(
    "--candidates", "results", required=True, type=click.Path(path_type=Path),
    help="The bundle's detections on a split: `dirdet evaluate --candidates`, `dirdet detect --json`, or COCO results.",
)  # fmt: skip
@click.option(
    "--ann", required=True, type=click.Path(path_type=Path), help="COCO JSON of that split; not the training split."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the calibrated bundle.")
@click.option(
    "--coverage", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.9, show_default=True,
    help="Part of the objects that outer_box should contain.",
)  # fmt: skip
def command(folder: Path, results: Path, ann: Path, out: Path, coverage: float) -> None:
    """Write BUNDLE with a calibration to another folder.

    Detections then also have score_calibrated, iou_calibrated and outer_box; score, iou and confidence do not change.
    The file's detections should reach down to a score of 0.05: a default score threshold and a min_iou are chosen from
    them, and boxes on no object count too. Candidates before NMS, as `dirdet evaluate` writes them, are calibrated for
    themselves.
    """
    check_new(out)
    bundle = open_bundle(folder)
    truth = read_ground_truth(ann)
    _check_classes(bundle.manifest, truth)
    found = read_results(results, truth)
    if bundle.manifest.localization_confidence is None and "iou" in found.predictions:
        raise ResultsError(
            f"{results}: its detections have an iou, but the bundle's detector reports none: another detector's file"
        )
    category_ids = [each.category_id for each in bundle.manifest.categories]
    calibration = fit_calibration(found, truth, category_ids=category_ids, coverage=coverage)
    defaults = bundle.manifest.defaults.model_copy(update={"score_threshold": calibration.suggested.score_threshold})
    copy_with(bundle, bundle.manifest.model_copy(update={"calibration": calibration, "defaults": defaults}), out)
    for line in summary(calibration, bundle.manifest):
        click.echo(line)


def summary(calibration: Calibration, manifest: Manifest) -> Iterator[str]:
    """What was fitted, in lines for people."""
    for kind, meaning in (("detections", calibration.detections), ("candidates", calibration.candidates)):
        if meaning is not None:
            own = [manifest.categories[class_id].name for class_id in meaning.score.of_class]
            by_class = f"by class for {', '.join(own)}, else together" if own else "of all classes together"
            yield f"{kind}: {counted(meaning.boxes, 'box')}, {by_class}"
    values = calibration.suggested
    yield (
        f"score_threshold: {values.score_threshold:.2f} by default: {values.precision:.1%} of the detections are "
        f"right, {values.recall:.1%} of the objects are found"
    )
    if values.min_iou is not None:
        yield (
            f"min_iou: {values.min_iou:.2f} drops {values.wrong_removed:.1%} of the wrong detections and "
            f"{values.right_lost:.1%} of the right ones"
        )
    if (margin := calibration.box_margin) is not None:
        text = f"{margin.margin:.1%} of a side"
        if margin.missing:
            text += f" and {margin.missing:.1%} x (1 - integrity)"
        yield f"outer_box: {text} contain {margin.coverage:.1%} of the objects"


def _check_classes(manifest: Manifest, truth: GroundTruth) -> None:
    """Refuses annotations whose classes differ from the bundle's: they belong to another data set."""
    for category in manifest.categories:
        found = truth.categories.get(category.category_id)
        if found != category.name:
            raise ResultsError(
                f"{truth.path}: category_id {category.category_id} is {category.name!r} in the bundle, "
                f"found {'no such category' if found is None else repr(found)}"
            )
