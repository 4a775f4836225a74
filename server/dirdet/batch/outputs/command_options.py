"""The options of `dirdet batch` that say what is written after the job."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, cast, get_args

import click

from dirdet.batch.expression import Condition
from dirdet.batch.outputs.ask import FORMATS, Format, Media, Of, OutputsAsk, annotate_asked
from dirdet.batch.split import check_tells, untold
from dirdet.convert.common import Score
from dirdet.errors import ParameterError
from dirdet.options import Described

# The conditions without which there are no such boxes.
NEEDS: dict[Of, tuple[str, ...]] = {"kept": ("keep",), "sure": ("keep", "review"), "review": ("review",)}
_OPTIONS = (
    click.option(
        "--to", "formats", multiple=True, type=click.Choice(FORMATS),
        help="Afterwards also in this format; may be repeated, and asked of a finished job.",
    ),
    click.option(
        "--of", type=click.Choice(get_args(Of)),
        help="What --to writes: all detections; what is kept; this only of pictures with nothing to review; of the "
        "others what is to be reviewed and what is kept. Unless told, labels are kept ones, Label Studio's tasks to be "
        "reviewed, and coco-results, csv and fiftyone have all.",
    ),
    click.option(
        "--as-score", type=click.Choice(get_args(Score)), default="confidence", show_default=True,
        help="The figure for the one number that other tools know.",
    ),
    click.option(
        "--media", type=click.Choice(get_args(Media)), default="link", show_default=True,
        help="Pictures in data sets: linked (those in archives are copied), all copied, or none.",
    ),
    click.option("--yolo-confidence", is_flag=True, help="In YOLO's labels a sixth column, which training refuses."),
    click.option(
        "--label-studio-root", type=click.Path(path_type=Path, file_okay=False), default=Path("/"), show_default=True,
        help="Label Studio's LOCAL_FILES_DOCUMENT_ROOT, as it is called on this machine.",
    ),
    click.option("--label-studio-prefix", metavar="URL", help="What pictures' addresses begin with, if it is another."),
    click.option(
        "--annotate", metavar="N|all|CONDITION",
        help="Draw the detections on so many pictures at random, on all, or on those that have such a detection.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class OutputOptions:
    """The options as they were typed."""

    ask: OutputsAsk
    annotate: str | None

    def checked(
        self,
        manifest: Described,
        *,
        keep: Condition | None,
        review: Condition | None,
        seed: int,
        workers: int,
        quiet: bool,
    ) -> OutputsAsk:
        """What is asked for, refused before the job if it could not be written after it.

        Args:
            manifest: of the job's detector.
            keep: the condition for labels.
            review: the condition for what a person should see.
            seed: of the draw of pictures to annotate.
            workers: threads that decode and draw.
            quiet: tell no progress.

        Raises:
            ParameterError: boxes are wanted of a condition that is not given, a figure that the detector does not
                tell, or pictures to annotate in words that are not understood.
        """
        for option, condition in (("keep", keep), ("review", review)):
            if condition is None and option in NEEDS.get(self.ask.of or "all", ()):
                raise ParameterError("of", f"{self.ask.of} needs --{option} CONDITION")
        if self.ask.score in untold(manifest):
            raise ParameterError("as_score", f"detector {manifest.name!r} does not tell {self.ask.score}")
        annotate = None if self.annotate is None else annotate_asked(self.annotate, seed)
        if annotate is not None and annotate.condition is not None:
            check_tells(annotate.condition, manifest, parameter="annotate")
        return replace(self.ask, keep=keep, review=review, annotate=annotate, workers=workers, quiet=quiet)


def output_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command these options; it gets them as one argument, `outputs`."""

    @wraps(function)
    def collected(
        *arguments: Any,  # noqa: ANN401
        formats: tuple[str, ...],
        of: Of | None,
        as_score: Score,
        media: Media,
        yolo_confidence: bool,
        label_studio_root: Path,
        label_studio_prefix: str | None,
        annotate: str | None,
        **others: Any,  # noqa: ANN401
    ) -> None:
        ask = OutputsAsk(
            formats=cast(tuple[Format, ...], tuple(dict.fromkeys(formats))),
            of=of,
            score=as_score,
            media=media,
            yolo_confidence=yolo_confidence,
            label_studio_root=label_studio_root,
            label_studio_prefix=label_studio_prefix,
        )
        function(*arguments, outputs=OutputOptions(ask, annotate), **others)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected
