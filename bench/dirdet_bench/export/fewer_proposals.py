"""What another number of proposals changes: AP on pictures with known objects, and the time of a picture."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
import onnx

from dirdet.bundle.bundle import DETECTOR
from dirdet.bundle.shipped import open_bundle
from dirdet.detector.detector import Detector
from dirdet.quality.average_precision import average_precisions, coco_objects
from dirdet.quality.ground_truth import read_ground_truth
from dirdet_bench.export.proposals import engine_with_proposals, own_proposals
from dirdet_bench.harness.answers import Answers
from dirdet_bench.harness.canvases import canvas_batch, open_picture
from dirdet_bench.harness.measurement import Result, detector_option, measurement
from dirdet_bench.harness.report import Goal, Row, rows_against
from dirdet_bench.harness.turns import seconds_in_turns

SHOWN = ("AP", "AP50", "AP75", "AP_agnostic")
LOST = Goal(at_least=-0.1)
PATH = click.Path(path_type=Path, exists=True)


@measurement("proposals", packages=("numpy", "onnxruntime"), rounds=40)
@click.argument("annotations", type=PATH)
@click.argument("pictures", type=PATH)
@detector_option
@click.option(
    "--proposals", "counts", type=click.IntRange(1), multiple=True, default=(200,), show_default=True,
    help="To compare with the detector's own number.",
)  # fmt: skip
def command(*, annotations: Path, pictures: Path, folder: Path | None, counts: Sequence[int], rounds: int) -> Result:
    """Detect on the pictures of a COCO file ANNOTATIONS in PICTURES with fewer or more proposals and the same weights.

    Tells AP of each number, and the time of a picture; rounds are of the time.
    """
    bundle, truth = open_bundle(folder), read_ground_truth(annotations)
    contents = {each.id: (pictures / each.file_name).read_bytes() for each in truth.pictures.values()}
    own = own_proposals(onnx.load(str(bundle.file(DETECTOR))))
    names = {count: f"{count} proposals" for count in (own, *counts)}
    detectors = {count: Detector(bundle.manifest, engine_with_proposals(bundle, count)) for count in names}
    objects, decode = coco_objects(annotations), bundle.manifest.defaults.decode
    figures = {
        count: average_precisions(
            objects, Answers(detector, contents, decode=decode, label=names[count]).results(), list(contents)
        )
        for count, detector in detectors.items()
    }
    rows = [Row(f"{name}, {names[count]}", [figures[count][name]], "") for name in SHOWN for count in names]
    rows += [
        Row(f"AP, {names[count]} minus {own}", [figures[count]["AP"] - figures[own]["AP"]], "", goal=LOST)
        for count in counts
    ]
    first = canvas_batch(open_picture(pictures / next(iter(truth.pictures.values())).file_name), bundle.manifest)
    runs = {names[count]: partial(detector.engine.detect, first) for count, detector in detectors.items()}
    seconds = seconds_in_turns(runs, rounds, warm_up=1)
    rows += rows_against(seconds, names[own], group="one picture at a time")
    return Result(f"{len(contents)} pictures by {bundle.manifest.name}, whose own number of proposals is {own}", rows)
