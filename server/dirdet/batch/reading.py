"""A picture's bytes to its canvas, in whichever thread has time; huge ones one after the other."""

import re
import threading

from dirdet.batch.entry import Entry
from dirdet.batch.errors import JobStoppedError
from dirdet.bundle import Manifest
from dirdet.detector import PlacedPicture, place_picture
from dirdet.errors import (
    BrokenPictureError,
    MissingExtraError,
    NotAPictureError,
    NotFoundError,
    PictureError,
    PictureTooLargeError,
    UnreachedError,
    UnreadableError,
)
from dirdet.pictures import Readable, open_picture, read_picture
from dirdet.scaled_jpeg import place_scaled

# A picture of 100 megapixels takes up to 700 MB while it is decoded; of those above this, one at a time.
HUGE_PIXELS = 16_000_000
REASONS: dict[type[PictureError], str] = {
    NotAPictureError: "not a picture",
    BrokenPictureError: "broken",
    PictureTooLargeError: "too large",
    NotFoundError: "not found",
    UnreadableError: "unreadable",
    UnreachedError: "not reached",
}
# Pillow names objects by their place in memory, which is another one each time.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Reader:
    """Reads, decodes and places; safe to call from several threads."""

    def __init__(self, manifest: Manifest, *, scaled: bool = False) -> None:
        """For this detector's canvases; JPEGs at less than their size where `scaled` (`dirdet.scaled_jpeg`)."""
        self._manifest = manifest
        self._scaled = scaled
        self._huge = threading.Lock()

    def __call__(self, entry: Entry) -> PlacedPicture:
        """The picture on its canvas.

        Raises:
            PictureError: it cannot be read; whatever a decoder raises on strange bytes is one too.
            JobStoppedError: nothing at its place can be read any more.
            MissingExtraError: a package for its kind is not installed.
        """
        try:
            file = entry.open()
            width, height = open_picture(file).size
            file.seek(0)
            if width * height <= HUGE_PIXELS:
                return self._place(file)
            with self._huge:
                return self._place(file)
        except (JobStoppedError, MissingExtraError):
            raise
        except PictureError as exc:
            raise type(exc)(without_addresses(str(exc))) from exc
        except MemoryError as exc:
            raise PictureTooLargeError("there is not enough memory to decode it") from exc
        except Exception as exc:
            raise BrokenPictureError(
                f"it cannot be decoded: {without_addresses(str(exc)) or type(exc).__name__}"
            ) from exc

    def _place(self, file: Readable) -> PlacedPicture:
        if self._scaled:
            return place_scaled(file, self._manifest)
        return place_picture(read_picture(file), self._manifest)


def without_addresses(text: str) -> str:
    """What a decoder says, the same each time."""
    return _ADDRESS.sub("", text)


def reason_of(error: PictureError) -> str:
    """In a word or two, what is wrong with a picture."""
    return REASONS.get(type(error), "unreadable")
