"""The options of `dirdet batch` that choose the outputs after the job."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click

from dirdet.batch.filter_conditions import Condition
from dirdet.batch.filter_names import unreported_figures
from dirdet.batch.outputs.request import FORMATS, Format, Media, Of, OutputsRequest, annotate_asked
from dirdet.commands.option_groups import as_one
from dirdet.convert.common import Score
from dirdet.detector.options import Described
from dirdet.errors import ParameterError

# The conditions that each selection of boxes needs.
NEEDS: dict[Of, tuple[str, ...]] = {"kept": ("keep",), "sure": ("keep", "review"), "review": ("review",)}


@dataclass(frozen=True, slots=True)
class OutputFlags:
    """The options as the user typed them."""

    formats: tuple[Format, ...] = ()
    of: Of | None = None
    as_score: Score = "confidence"
    media: Media = "link"
    flat_names: bool = False
    yolo_confidence: bool = False
    label_studio_root: Path = Path("/")
    label_studio_prefix: str | None = None
    annotate: str | None = None

    def checked(
        self,
        manifest: Described,
        *,
        keep: Condition | None,
        review: Condition | None,
        seed: int,
        workers: int,
        quiet: bool,
    ) -> OutputsRequest:
        """Checks the options before the job, so that no output fails after it.

        Args:
            manifest: of the job's detector.
            keep: the condition for labels.
            review: the condition for detections that a person should review.
            seed: of the random choice of pictures to annotate.
            workers: threads that decode and draw.
            quiet: print no progress.

        Raises:
            ParameterError: `--of` needs a condition that is not given, the detector does not report the figure, or
                `--annotate` cannot be parsed.
        """
        for option, condition in (("keep", keep), ("review", review)):
            if condition is None and option in NEEDS.get(self.of or "all", ()):
                raise ParameterError("of", f"{self.of} needs --{option} CONDITION")
        if self.as_score in unreported_figures(manifest):
            raise ParameterError("as_score", f"detector {manifest.name!r} does not report {self.as_score}")
        annotate = None if self.annotate is None else annotate_asked(self.annotate, seed, manifest)
        return OutputsRequest(
            formats=tuple(dict.fromkeys(self.formats)),
            of=self.of,
            keep=keep,
            review=review,
            score=self.as_score,
            media=self.media,
            flat_names=self.flat_names,
            yolo_confidence=self.yolo_confidence,
            label_studio_root=self.label_studio_root,
            label_studio_prefix=self.label_studio_prefix,
            annotate=annotate,
            workers=workers,
            quiet=quiet,
        )


output_options = as_one(
    "outputs",
    OutputFlags,
    click.option(
        "--to", "formats", multiple=True, type=click.Choice(FORMATS),
        help="Also write the results in this format; repeatable, also for a finished job.",
    ),
    click.option(
        "--of", type=click.Choice(get_args(Of)),
        help="What --to writes. all: every detection; kept: those of --keep; sure: the same, without pictures "
        "with detections to review; review: only these pictures, with their kept and their reviewable detections. "
        "Default: for labels kept, or sure beside --review; review for Label Studio; all for coco-results, csv and "
        "fiftyone.",
    ),
    click.option(
        "--as-score", type=click.Choice(get_args(Score)), default="confidence", show_default=True,
        help="The figure that becomes the score in other tools' formats.",
    ),
    click.option(
        "--media", type=click.Choice(get_args(Media)), default="link", show_default=True,
        help="Pictures in data sets: link them (copies those in archives), copy all, or none.",
    ),
    click.option(
        "--flat-names", is_flag=True,
        help="Put all pictures of YOLO's and VOC's data sets into one folder, a__b.jpg for a/b.jpg: supervision and "
        "others load one folder alone.",
    ),
    click.option("--yolo-confidence", is_flag=True, help="Add the score to YOLO's labels; training refuses it."),
    click.option(
        "--label-studio-root", type=click.Path(path_type=Path, file_okay=False), default=Path("/"), show_default=True,
        help="Label Studio's LOCAL_FILES_DOCUMENT_ROOT, as a path on this machine.",
    ),
    click.option(
        "--label-studio-prefix", metavar="URL",
        help="Prefix of the pictures' addresses, if they are not Label Studio's local files.",
    ),
    click.option(
        "--annotate", metavar="N|all|CONDITION",
        help="Draw the detections on N random pictures, on all, or on those with a detection that meets CONDITION.",
    ),
)  # fmt: skip
