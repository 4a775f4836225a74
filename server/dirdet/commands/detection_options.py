"""The command line's options of a detection."""

from dataclasses import asdict, dataclass
from typing import get_args

import click

from dirdet.bundle.interpolation import Decode
from dirdet.commands.option_groups import as_one
from dirdet.detection.selection import Nms
from dirdet.detector.options import DetectOptions, JoinRule


@dataclass(frozen=True, slots=True)
class DetectionFlags:
    """The options as the user typed them, under the names of `DetectOptions`."""

    score_threshold: float | None
    nms_iou_threshold: float | None
    nms: Nms | None
    min_iou: float | None
    iou_weight: float | None
    max_detections: int | None
    classes: tuple[str, ...]
    tiles: str | None
    join: str
    decode: Decode | None

    def checked(self) -> DetectOptions:
        """Checks the values.

        Raises:
            ParameterError: a value is out of its range; the message names the first such option.
        """
        return DetectOptions.checked(**asdict(self) | {"classes": list(self.classes)})


detection_options = as_one(
    "wanted",
    DetectionFlags,
    click.option(
        "--score-threshold", type=float, metavar="0..1",
        help="Least classification score [the detector's own, which calibrating chooses].",
    ),
    click.option(
        "--nms-iou-threshold", type=float, metavar="0..1",
        help="NMS removes one of two boxes of a class with a higher IoU than this.",
    ),
    click.option(
        "--nms", type=click.Choice(get_args(Nms)),
        help="class-agnostic: NMS also removes one of two boxes of different classes; one box a place "
        "[the detector's own].",
    ),
    click.option(
        "--min-iou", type=float, metavar="0..1",
        help="Least IoU that is predicted for a box; GET /detector and bundle.json suggest one.",
    ),
    click.option(
        "--iou-weight", type=float, metavar="0..1",
        help="w in confidence = score^(1-w) * iou^w; 0 is the plain detector.",
    ),
    click.option("--max-detections", type=int, help="Most detections per picture; keeps the most confident."),
    click.option("--classes", multiple=True, help="Only these classes: names or ids, comma-separated or repeated."),
    click.option(
        "--tiles", metavar="auto|WxH[:OVERLAP]",
        help="Cut large pictures into overlapping tiles of this size in pixels, and join what they show; "
        "auto: the size that the network sees unscaled.",
    ),
    click.option(
        "--join", type=click.Choice(get_args(JoinRule)), default="integrity", show_default=True,
        help="How boxes of overlapping tiles become one: by predicted integrity, or by a rule of SAHI.",
    ),
    click.option(
        "--decode", type=click.Choice(get_args(Decode)),
        help="scaled: decode a JPEG at a half to an eighth of its size if that is still at least what the network "
        "sees; exact: at its full size [the detector's own].",
    ),
)  # fmt: skip
