"""What scaled decoding of JPEGs changes in detections, on pictures with known objects, and how much time it saves."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path

import click
import numpy as np
from PIL import Image

from dirdet.bundle.interpolation import Decode
from dirdet.detection.ranking import Floats, iou_with
from dirdet.detector.detector import Detector
from dirdet.errors import ParameterError
from dirdet.pictures.canvas import Fit, place_file
from dirdet.quality.average_precision import average_precisions, coco_objects
from dirdet.quality.ground_truth import read_ground_truth
from dirdet_bench.harness.answers import LEAST_SCORE, Answers
from dirdet_bench.harness.canvases import open_picture
from dirdet_bench.harness.measurement import Result, detector_option, measurement
from dirdet_bench.harness.report import Goal, Row, rows_against
from dirdet_bench.harness.turns import seconds_in_turns

WAYS: tuple[Decode, ...] = ("exact", "scaled")
# IoU from which a box is the same one.
SAME = 0.5
SHOWN = ("AP", "AP50", "AP75", "AP_agnostic")
# AP that may be lost, and the median distance of matched boxes, in pixels of the canvas.
LOST, MOVED = Goal(at_least=-0.1), Goal(at_most=0.5)
PATH = click.Path(path_type=Path, exists=True)


@measurement("scaled", packages=("numpy", "onnxruntime", "pillow", "cykooz-resizer"), rounds=5)
@click.argument("annotations", type=PATH)
@click.argument("pictures", type=PATH)
@detector_option
@click.option(
    "--enlarge", type=click.IntRange(1), default=1, show_default=True,
    help="Write each picture as a JPEG of so many times its sides first: for sets of small pictures.",
)  # fmt: skip
@click.option("--grain", default=0.0, show_default=True, help="Noise in an enlarged picture: its deviation, of 255.")
def command(
    *, annotations: Path, pictures: Path, folder: Path | None, enlarge: int, grain: float, rounds: int
) -> Result:
    """Detect on the JPEGs of a COCO file ANNOTATIONS in PICTURES, decoded exactly and at the scale that is needed.

    Tells AP of both, how far boxes of both lie apart, and the time of decoding and placing. Rounds are of the time.
    """
    truth, detector = read_ground_truth(annotations), Detector.open(folder)
    files = {each.id: pictures / each.file_name for each in truth.pictures.values()}
    contents = {key: _content(path, enlarge, grain, key) for key, path in files.items()}
    answers = {way: Answers(detector, contents, decode=way, label=way) for way in WAYS}
    scales = Counter(placed.decoded_scale for placed in answers["scaled"].placed)
    if set(scales) == {1.0}:
        raise ParameterError("PICTURES", "expected JPEGs at least twice as large as the network's input, found none")
    objects = coco_objects(annotations)
    figures = {way: average_precisions(objects, each.results(enlarge), list(files)) for way, each in answers.items()}
    usual = detector.manifest.defaults.score_threshold
    (moved, lost), (moved_usual, _) = (
        _moved(answers["exact"], answers["scaled"], least) for least in (LEAST_SCORE, usual)
    )
    rows = [Row(f"{name}, {way}", [figures[way][name]], "") for name in SHOWN for way in WAYS]
    rows.append(Row("AP, scaled minus exact", [figures["scaled"]["AP"] - figures["exact"]["AP"]], "", goal=LOST))
    rows.append(Row("matched boxes moved, median, pixels of the canvas", [float(np.median(moved))], "", goal=MOVED))
    rows.append(Row("matched boxes moved, 95 of 100 at most", [float(np.quantile(moved, 0.95))], ""))
    rows.append(Row("boxes without a match", [lost], ""))
    rows.append(Row(f"median of those with a score above {usual:g}", [float(np.median(moved_usual))], ""))
    timed: dict[str, Callable[[], object]] = {
        way: partial(_place_all, list(contents.values()), detector, way) for way in WAYS
    }
    seconds = {way: [each / len(files) for each in found] for way, found in seconds_in_turns(timed, rounds).items()}
    rows += rows_against(seconds, "exact", group="decoded and placed, one thread")
    told = ", ".join(f"{count} at {scale:g}" for scale, count in sorted(scales.items()))
    return Result(f"{len(files)} pictures by {detector.manifest.name}, decoded at scales: {told}", rows)


def _content(path: Path, enlarge: int, grain: float, seed: int) -> bytes:
    if enlarge == 1:
        return path.read_bytes()
    picture = open_picture(path)
    large = picture.resize((picture.width * enlarge, picture.height * enlarge), Image.Resampling.LANCZOS)
    if grain:
        noise = np.random.default_rng(seed).normal(0, grain, (large.height, large.width, 1))
        large = Image.fromarray(np.clip(np.asarray(large) + noise, 0, 255).astype(np.uint8))
    file = BytesIO()
    large.save(file, "JPEG", quality=92)
    return file.getvalue()


def _moved(exact: Answers, scaled: Answers, least_score: float) -> tuple[list[float], float]:
    """The largest distance of edges of each matched pair, pixels of the canvas; and the share without a match.

    Args:
        exact: whose boxes with at least this score are matched.
        scaled: to whose boxes of any score.
        least_score: see above.
    """
    moved: list[float] = []
    boxes = 0
    for placed, these, those in zip(exact.placed, exact.found, scaled.found, strict=True):
        others = np.array([each.box_xyxy for each in those], np.float64).reshape(-1, 4)
        classes = np.array([each.class_id for each in those], np.int64)
        for each in (each for each in these if each.score >= least_score):
            boxes += 1
            ious = iou_with(np.array(each.box_xyxy), others) * (classes == each.class_id)  # [N]
            if ious.max(initial=0) > SAME:
                moved.append(_distance(np.array(each.box_xyxy), others[ious.argmax()], placed.fit))
    return moved, 1 - len(moved) / max(boxes, 1)


def _distance(box: Floats, other: Floats, fit: Fit) -> float:
    return float(np.abs((box - other) * fit.scale_xyxy).max())


def _place_all(contents: Sequence[bytes], detector: Detector, way: Decode) -> None:
    for content in contents:
        place_file(BytesIO(content), detector.manifest, decode=way)
