"""Parts of a picture: cut from a decoded one, or read from a file that is never decoded as a whole."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Protocol

from PIL import Image

from dirdet.errors import PictureTooLargeError
from dirdet.pictures.formats import START_BYTES, TIFF, format_of
from dirdet.pictures.reading import DEFAULT_LIMITS, PictureLimits, read_picture, too_many_bytes

# x1, y1, x2, y2 in pixels of the picture.
Rectangle = tuple[int, int, int, int]


class Regions(Protocol):
    """An upright RGB picture of which parts are read."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        ...

    def part(self, rectangle: Rectangle, *, least_hw: tuple[int, int]) -> Image.Image:
        """A part of the picture; it may be reduced, to no less than `least_hw`.

        Raises:
            PictureError: it cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture in memory."""

    picture: Image.Image

    @property
    def size(self) -> tuple[int, int]:
        return self.picture.size

    def part(self, rectangle: Rectangle, *, least_hw: tuple[int, int]) -> Image.Image:  # noqa: ARG002 - as Regions has it
        """The part as it is."""
        return self.picture.crop(rectangle)


@contextmanager
def open_regions(file: IO[bytes], *, limits: PictureLimits = DEFAULT_LIMITS) -> Generator[Regions]:
    """An upright picture: decoded, or read in parts if it is a TIFF beyond the limits; for the time of the block.

    Args:
        file: seekable, at its start.
        limits: of a decoded picture; `max_pixels` also bounds what is decoded at once of one that is read in parts.

    Raises:
        PictureError: it cannot be read, or is too large.
        MissingExtraError: a package that it needs is not installed.
    """
    try:
        if file.seek(0, os.SEEK_END) > limits.max_bytes:
            raise too_many_bytes(limits)
        file.seek(0)
        regions = Decoded(read_picture(file, limits=limits))
    except PictureTooLargeError:
        file.seek(0)
        if format_of(file.read(START_BYTES)) is not TIFF:
            raise
    else:
        yield regions
        return
    from dirdet.pictures.tiff_regions import open_tiff

    file.seek(0)
    with open_tiff(file, max_pixels=limits.max_pixels) as tiff:
        yield tiff
