"""The requested outputs: formats, selection of boxes, and options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dirdet.batch.filter_conditions import Condition, read_condition
from dirdet.convert.common import Score
from dirdet.detector.options import Described
from dirdet.errors import ParameterError

Format = Literal["coco", "coco-results", "csv", "fiftyone", "label-studio", "voc", "yolo"]
Of = Literal["all", "kept", "sure", "review"]
Media = Literal["link", "copy", "none"]
FORMATS: tuple[Format, ...] = get_args(Format)
# Formats for looking at a detector, which get all detections; the others are labels for training or correction.
LOOKING: frozenset[Format] = frozenset({"coco-results", "csv", "fiftyone"})


@dataclass(frozen=True)
class Annotate:
    """Selects the pictures to draw: all, a number of random ones, or those with a detection that meets a condition."""

    number: int | None = None
    condition: Condition | None = None
    seed: int = 0


@dataclass(frozen=True)
class OutputsRequest:
    """Outputs to write after a job.

    Attributes:
        formats: each once.
        of: the selection of boxes; None takes each format's default (`of_format`).
        keep: the condition for labels.
        review: the condition for detections that a person should review.
        score: the figure that becomes the score in other tools' formats.
        media: whether data sets link or copy the pictures, or hold them only if the format requires it.
        flat_names: in YOLO's and VOC's data sets all pictures are in one folder, `a__b.jpg` for `a/b.jpg`.
        yolo_confidence: adds the score as a sixth column.
        label_studio_root: the folder from which Label Studio serves local files.
        label_studio_prefix: prefix of the pictures' addresses if another server serves them.
        annotate: selects the pictures to draw; None draws none.
        workers: threads that decode and draw.
        quiet: print no progress.
    """

    formats: tuple[Format, ...] = ()
    of: Of | None = None
    keep: Condition | None = None
    review: Condition | None = None
    score: Score = "confidence"
    media: Media = "link"
    flat_names: bool = False
    yolo_confidence: bool = False
    label_studio_root: Path = Path("/")
    label_studio_prefix: str | None = None
    annotate: Annotate | None = None
    workers: int = 1
    quiet: bool = False

    def of_format(self, name: Format) -> Of:
        """A format's selection of boxes; by default, those without doubt for labels, and those to review for tasks."""
        if self.of is not None:
            return self.of
        if name in LOOKING:
            return "all"
        if name == "label-studio" and self.review is not None:
            return "review"
        if self.keep is None:
            return "all"
        return "kept" if self.review is None else "sure"


def annotate_asked(text: str, seed: int, described: Described) -> Annotate:
    """Parses `--annotate`: `all`, a number, or a condition.

    Raises:
        ParameterError: it is none of them, or a condition that does not fit the detector.
    """
    if text.strip() == "all":
        return Annotate()
    if text.strip().isdecimal():
        if (number := int(text)) < 1:
            raise ParameterError("annotate", f"expected all, a number of at least 1, or a condition, got {text}")
        return Annotate(number=number, seed=seed)
    return Annotate(condition=read_condition(text, described, parameter="annotate"))
