"""What every format is written from, and what is told of it afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dirdet.batch.job import Job
from dirdet.batch.outputs.ask import Of, OutputsAsk
from dirdet.batch.outputs.results import JobPicture, pictures_of, selected
from dirdet.batch.progress import Progress
from dirdet.errors import PictureError
from dirdet.options import Described


@dataclass(frozen=True, slots=True)
class Context:
    """A finished job, and what is asked for.

    Attributes:
        folder: of the results.
        job: as job.json has it.
        manifest: of the detector.
        ask: the formats and what belongs to them.
    """

    folder: Path
    job: Job
    manifest: Described
    ask: OutputsAsk

    def pictures(self, of: Of) -> Iterator[JobPicture]:
        """The pictures that were read, with the boxes that are wanted, in the job's order."""
        return selected(self.everything(), of)

    def everything(self) -> Iterator[JobPicture]:
        """Every picture; standard error tells how far it is, if it takes long."""
        progress = Progress(self.job.identity.source.pictures, before=0, quiet=self.ask.quiet)
        found = pictures_of(self.folder, self.job, keep=self.ask.keep, review=self.ask.review)
        number = 0
        try:
            for number, each in enumerate(found, start=1):
                progress.show(number, 0)
                yield each
        finally:
            if progress.told:  # a bar's line is to be ended
                progress.show(number, 0, last=True)


@dataclass(slots=True)
class Written:
    """What a format was written of.

    Attributes:
        of: which boxes.
        pictures: how many.
        boxes: in them.
        lost: of the first picture that could not be had any more, its name and why.
        losses: how many could not.
    """

    of: Of
    pictures: int = 0
    boxes: int = 0
    losses: int = 0
    lost: str | None = field(default=None)

    def add(self, picture: JobPicture) -> None:
        """Counts a picture that was written."""
        self.pictures += 1
        self.boxes += len(picture.result)

    def lose(self, picture: JobPicture, error: PictureError) -> None:
        """Counts a picture that was left out because it is not to be had any more."""
        self.losses += 1
        self.lost = self.lost or f"{picture.result.name}: {error}"
