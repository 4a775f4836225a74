"""Reads a picture's bytes and places it on its canvas, in any thread; decodes huge pictures one at a time."""

import re
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, nullcontext

from dirdet.batch.source_picture import Entry
from dirdet.bundle.bundle import Manifest
from dirdet.bundle.interpolation import Decode
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
from dirdet.pictures.canvas import PlacedPicture, place_file
from dirdet.pictures.reading import open_picture
from dirdet.pictures.regions import Regions, open_regions

# Decoding a picture of 100 megapixels takes up to 700 MB; pictures above this size are decoded one at a time.
HUGE_PIXELS = 16_000_000
REASONS: dict[type[PictureError], str] = {
    NotAPictureError: "not a picture",
    BrokenPictureError: "broken",
    PictureTooLargeError: "too large",
    NotFoundError: "not found",
    UnreadableError: "unreadable",
    UnreachedError: "not reached",
}
# Pillow's messages contain memory addresses, which differ each time.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Reader:
    """Reads, decodes and places a picture; safe to call from several threads."""

    def __init__(self, manifest: Manifest, *, decode: Decode) -> None:
        """Takes the detector of the canvases, and whether JPEGs may be decoded at less than their size."""
        self._manifest = manifest
        self._decode: Decode = decode
        self._huge = threading.Lock()

    def __call__(self, entry: Entry) -> PlacedPicture:
        """Returns the picture on its canvas.

        Raises:
            PictureError: it cannot be read; any other error of a decoder is converted to this.
            MissingExtraError: a package that its kind needs is not installed.
        """
        with told_alike():
            file = entry.open()
            width, height = open_picture(file).size
            file.seek(0)
            with nullcontext() if width * height <= HUGE_PIXELS else self._huge:
                return place_file(file, self._manifest, decode=self._decode)

    @contextmanager
    def regions(self, entry: Entry) -> Generator[Regions]:
        """The picture to be read in parts, for the time of the block.

        Raises:
            PictureError: as a call.
            MissingExtraError: as a call.
        """
        with ExitStack() as stack:
            with told_alike():
                file = stack.enter_context(entry.opened())
                with self._huge:
                    regions = stack.enter_context(open_regions(file))
            yield regions


@contextmanager
def told_alike() -> Generator[None]:
    """Converts any error of the block to a PictureError whose text is the same each time.

    Raises:
        PictureError: the block raised.
        MissingExtraError: the block raised it.
    """
    try:
        yield
    except MissingExtraError:
        raise
    except PictureError as exc:
        raise type(exc)(without_addresses(str(exc))) from exc
    except MemoryError as exc:
        raise PictureTooLargeError("there is not enough memory to decode it") from exc
    except Exception as exc:
        raise BrokenPictureError(f"it cannot be decoded: {without_addresses(str(exc)) or type(exc).__name__}") from exc


def without_addresses(text: str) -> str:
    """A decoder's message without memory addresses: two runs give the same text."""
    return _ADDRESS.sub("", text)


def reason_of(error: PictureError) -> str:
    """The reason of a picture's error in a word or two."""
    return REASONS.get(type(error), "unreadable")
