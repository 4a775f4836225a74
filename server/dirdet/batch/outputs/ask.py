"""Which formats are asked for, of which boxes, and what goes beside them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dirdet.batch.expression import Condition, parse
from dirdet.convert.common import Score
from dirdet.errors import ParameterError

Format = Literal["coco", "coco-results", "csv", "fiftyone", "label-studio", "voc", "yolo"]
Of = Literal["all", "kept", "sure", "review"]
Media = Literal["link", "copy", "none"]
FORMATS: tuple[Format, ...] = get_args(Format)
# With these one looks at a detector, and wants all that it says; the others are labels, to train with or to correct.
LOOKING: frozenset[Format] = frozenset({"coco-results", "csv", "fiftyone"})


@dataclass(frozen=True)
class Annotate:
    """Which pictures are drawn: all, so many drawn at random, or those with a detection that a condition wants."""

    number: int | None = None
    condition: Condition | None = None
    seed: int = 0


@dataclass(frozen=True)
class OutputsAsk:
    """What is to be written after a job.

    Attributes:
        formats: each once.
        of: which boxes; None leaves it to each format (`of_format`).
        keep: the condition for labels.
        review: the condition for what a person should see.
        score: the figure for the one number that other tools know.
        media: whether data sets have the pictures as links or as copies, or only where they cannot do without.
        yolo_confidence: a sixth column with that number.
        label_studio_root: the folder that Label Studio serves local files from.
        label_studio_prefix: what addresses begin with where pictures are served otherwise.
        annotate: which pictures are drawn; None draws none.
        workers: threads that decode and draw.
        quiet: tell no progress.
    """

    formats: tuple[Format, ...] = ()
    of: Of | None = None
    keep: Condition | None = None
    review: Condition | None = None
    score: Score = "confidence"
    media: Media = "link"
    yolo_confidence: bool = False
    label_studio_root: Path = Path("/")
    label_studio_prefix: str | None = None
    annotate: Annotate | None = None
    workers: int = 1
    quiet: bool = False

    def of_format(self, name: Format) -> Of:
        """What a format is written of unless told: labels of what is kept, tasks of what is to be reviewed."""
        if self.of is not None:
            return self.of
        if name in LOOKING:
            return "all"
        if name == "label-studio" and self.review is not None:
            return "review"
        return "all" if self.keep is None else "kept"


def annotate_asked(text: str, seed: int) -> Annotate:
    """What `--annotate` says: `all`, a number, or a condition.

    Raises:
        ParameterError: it is none of them.
    """
    if text.strip() == "all":
        return Annotate()
    if text.strip().isdecimal():
        if (number := int(text)) < 1:
            raise ParameterError("annotate", f"expected all, a number from 1, or a condition, got {text}")
        return Annotate(number=number, seed=seed)
    return Annotate(condition=parse(text, parameter="annotate"))
