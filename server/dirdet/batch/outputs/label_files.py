"""Writes a label file and a picture under the picture's name in the job, for YOLO's and VOC's data sets."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.media import put, with_usual_suffix
from dirdet.batch.outputs.places import claim, create
from dirdet.batch.outputs.request import Of
from dirdet.batch.outputs.results import JobPicture
from dirdet.errors import PictureError

# In place of the folders' `/` in a flat name.
FLAT = "__"


@dataclass(frozen=True, slots=True)
class LabelFiles:
    """The layout of a format.

    Attributes:
        folder: of the data set.
        label_of: returns the path of a picture's label file below `folder`; its argument is the picture's below
            `pictures`.
        pictures: the folder of pictures.
        text: returns a picture's label file; its argument is the picture's path below `pictures`.
    """

    folder: Path
    label_of: Callable[[PurePosixPath], PurePosixPath]
    pictures: Path
    text: Callable[[JobPicture, PurePosixPath], bytes]

    def write(
        self, context: Context, of: Of, *, on_written: Callable[[PurePosixPath], object] | None = None
    ) -> Written:
        """Writes a job's files; `on_written` takes the path of each labelled picture."""
        written = Written(of)
        for picture in context.pictures(of):

            def make(place: PurePosixPath, picture: JobPicture = picture) -> None:
                place = self._put(context, picture, place)
                if on_written is not None:
                    on_written(place)

            name = picture.result.name.replace("/", FLAT) if context.request.flat_names else picture.result.name
            try:
                claim(name, picture.position, make)
            except PictureError as exc:
                written.lose(picture, exc)
            else:
                written.add(picture)
        return written

    def _put(self, context: Context, picture: JobPicture, place: PurePosixPath) -> PurePosixPath:
        media = context.request.media
        if media != "none":
            place = with_usual_suffix(place, picture.entry)
        path = self.folder / self.label_of(place)
        create(path, self.text(picture, place))
        if media != "none":
            try:
                put(picture.entry, self.pictures / place, media)
            except BaseException:
                path.unlink()
                raise
        return place
