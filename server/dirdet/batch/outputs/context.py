"""Input of every format's writer, and the counts that it returns."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dirdet.batch.job_record import Job
from dirdet.batch.outputs.request import Of, OutputsRequest
from dirdet.batch.outputs.results import JobPicture, pictures_of, selected
from dirdet.batch.progress import Progress
from dirdet.detector.options import Described
from dirdet.errors import PictureError


@dataclass(frozen=True, slots=True)
class Context:
    """A finished job and the requested outputs.

    Attributes:
        folder: of the results.
        job: as in job.json.
        manifest: of the detector.
        request: the formats and their options.
    """

    folder: Path
    job: Job
    manifest: Described
    request: OutputsRequest

    def pictures(self, of: Of) -> Iterator[JobPicture]:
        """The pictures that could be read, with the selected boxes, in the job's order."""
        return selected(self.everything(), of)

    def everything(self) -> Iterator[JobPicture]:
        """Every picture; reports progress on standard error if it takes long."""
        progress = Progress(self.job.identity.source.pictures, before=0, quiet=self.request.quiet)
        found = pictures_of(self.folder, self.job, keep=self.request.keep, review=self.request.review)
        number = 0
        try:
            for number, each in enumerate(found, start=1):
                progress.show(number, 0)
                yield each
        finally:
            if progress.printed:  # ends the bar's line
                progress.show(number, 0, last=True)


@dataclass(slots=True)
class Written:
    """Counts of a written format.

    Attributes:
        of: the selection of boxes.
        pictures: number of pictures.
        boxes: number of boxes in them.
        lost: name and error of the first picture that can no longer be read.
        losses: number of such pictures.
    """

    of: Of
    pictures: int = 0
    boxes: int = 0
    losses: int = 0
    lost: str | None = field(default=None)

    def add(self, picture: JobPicture) -> None:
        """Counts a written picture."""
        self.pictures += 1
        self.boxes += len(picture.result)

    def lose(self, picture: JobPicture, error: PictureError) -> None:
        """Counts a picture that was left out because it can no longer be read."""
        self.losses += 1
        self.lost = self.lost or f"{picture.result.name}: {error}"
