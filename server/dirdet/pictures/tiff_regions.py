"""Reads parts of a TIFF by its tiles or strips, so that a picture of any size takes little memory."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dirdet.errors import BrokenPictureError, NotAPictureError, PictureError, PictureTooLargeError
from dirdet.extras import import_extra
from dirdet.pictures.regions import Rectangle

# Of a full-width band that is decoded and reduced at once.
BAND_PIXELS = 2**24
PLAIN_PIXELS = 2**22
ORIENTATION, UPRIGHT = 274, 1
SEPARATE_PLANES = 2
RGBA, UNASSOCIATED = 4, 2
# Samples of a pixel by the kind of colour; one more than needed is alpha. JPEG's YCbCr is decoded to RGB.
SAMPLES = {"MINISBLACK": (1, 2), "MINISWHITE": (1, 2), "RGB": (3, 4), "YCBCR": (3,)}
Pixels = NDArray[np.uint8]


@contextmanager
def open_tiff(file: IO[bytes], *, max_pixels: int) -> "Generator[TiffRegions]":
    """The first picture of a TIFF; the file stays open until the end of the block.

    Args:
        file: seekable.
        max_pixels: decoded at once, at most: those of a row of tiles, or of a strip.

    Raises:
        BrokenPictureError: it cannot be read.
        NotAPictureError: its samples are not 8-bit grey or RGB.
        PictureTooLargeError: its tiles or strips are too large.
        MissingExtraError: tifffile is not installed.
    """
    tifffile = import_extra("tifffile", needs="TIFFs above the limits of a picture need", extra="tiff")
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # Errors are raised; its log would grow with broken files.
    try:
        tiff = tifffile.TiffFile(file, name="TIFF")  # the name of a file may be bytes, which tifffile does not take
        regions = TiffRegions(tiff.pages.first, max_pixels=max_pixels)
    except PictureError:
        raise
    except Exception as exc:  # of a broken file anything
        raise BrokenPictureError(f"the TIFF's header is broken or truncated: {exc}") from exc
    yield regions


class TiffRegions:
    """Regions of a TIFF whose pixels are 8-bit grey or RGB; alpha is ignored, as for other pictures."""

    def __init__(self, page: Any, *, max_pixels: int) -> None:  # noqa: ANN401 - tifffile.TiffPage
        """Takes a page of an open file."""
        self._page = page
        self._height, self._width = int(page.imagelength), int(page.imagewidth)
        self._samples = int(page.samplesperpixel)
        self._planes = self._samples if page.planarconfig == SEPARATE_PLANES and self._samples > 1 else 1
        self._white_is_zero = page.photometric.name == "MINISWHITE"
        self._check()
        if min(self._height, self._width) < 1:
            raise BrokenPictureError("the TIFF has no pixels")
        # Rows of pixels as they are can be read in any number, however large their strips.
        self._is_plain = not page.is_tiled and self._planes == 1 and bool(page.is_contiguous)
        if page.is_tiled:
            self._segment_hw = int(page.tilelength), int(page.tilewidth)
        else:
            rows = max(PLAIN_PIXELS // self._width, 1) if self._is_plain else int(page.rowsperstrip)
            self._segment_hw = min(rows, self._height), self._width
        self._across = -(-self._width // self._segment_hw[1])
        self._down = -(-self._height // self._segment_hw[0])
        row_pixels = self._segment_hw[0] * self._across * self._segment_hw[1]
        if row_pixels > max_pixels and not self._is_plain:
            kind = "row of tiles" if page.is_tiled else "strip"
            raise PictureTooLargeError(
                f"a {kind} of the TIFF has {row_pixels / 1e6:g} megapixels; at most {max_pixels / 1e6:g} (max_pixels) "
                "are decoded at once: save it with smaller tiles"
            )
        self._rows: dict[int, Pixels] = {}

    @property
    def size(self) -> tuple[int, int]:
        return self._width, self._height

    def part(self, rectangle: Rectangle, *, least_hw: tuple[int, int]) -> Image.Image:
        """The part; a large one is reduced by a whole factor to no less than twice `least_hw`.

        Raises:
            BrokenPictureError: it cannot be decoded.
            NotAPictureError: its compression is not supported.
        """
        left, top, right, bottom = rectangle
        factor = max(min((bottom - top) // (2 * least_hw[0]), (right - left) // (2 * least_hw[1])), 1)
        part = Image.new("RGB", (-(-(right - left) // factor), -(-(bottom - top) // factor)))
        step = max(BAND_PIXELS // self._width // factor, 1) * factor
        for begin in range(top, bottom, step):
            band = self._band(begin, min(begin + step, bottom), left, right)
            picture = Image.fromarray(band)
            part.paste(picture.reduce(factor) if factor > 1 else picture, (0, (begin - top) // factor))
        return part

    def _check(self) -> None:
        page = self._page
        kind = page.photometric.name
        kinds = SAMPLES.get(kind, ())
        if kind == "YCBCR" and page.compression.name != "JPEG":
            kinds = ()
        if page.dtype != np.uint8 or self._samples not in kinds or page.imagedepth != 1:
            raise NotAPictureError(
                f"the TIFF has {self._samples} samples of {page.dtype} a pixel ({kind}); expected 8-bit grey or RGB "
                "for a picture that is read in parts"
            )
        turned = page.tags.get(ORIENTATION)
        if turned is not None and turned.value != UPRIGHT:
            raise NotAPictureError("the TIFF is turned by its orientation; expected an upright one to read in parts")

    def _band(self, top: int, bottom: int, left: int, right: int) -> Pixels:
        """[bottom - top, right - left, 3] RGB."""
        height = self._segment_hw[0]
        needed = range(top // height, -(-bottom // height))
        self._rows = {row: pixels for row, pixels in self._rows.items() if row in needed}
        band = np.empty((bottom - top, right - left, 3), np.uint8)
        for row in needed:
            if row not in self._rows:
                self._rows[row] = self._decoded(row)
            first = row * height
            begin, end = max(first, top), min(first + height, bottom)
            band[begin - top : end - top] = self._rows[row][begin - first : end - first, left:right]
        return band

    def _decoded(self, row: int) -> Pixels:
        """[h, W, 3] of a row of tiles, or of a strip."""
        height, width = self._segment_hw
        found = np.zeros((min(height, self._height - row * height), self._width, self._samples), np.uint8)
        for plane in range(self._planes):
            samples = slice(plane, plane + 1) if self._planes > 1 else slice(None)
            for column in range(self._across):
                segment = self._segment((plane * self._down + row) * self._across + column)
                if segment is not None:  # else the file leaves it out
                    window = found[:, column * width : (column + 1) * width, samples]
                    shown = segment[: window.shape[0], : window.shape[1]]
                    window[: shown.shape[0], : shown.shape[1]] = shown
        if self._samples == RGBA and self._page.extrasamples == (UNASSOCIATED,):  # as `dirdet.pictures.samples`
            found = np.asarray(Image.frombytes("RGBA", (self._width, len(found)), found.tobytes()).convert("RGBa"))
        pixels = found[..., :3] if self._samples >= 3 else np.repeat(found[..., :1], 3, axis=2)
        return ~pixels if self._white_is_zero else pixels

    def _segment(self, index: int) -> Pixels | None:
        """[h, w, samples] of one tile or strip."""
        page = self._page
        if self._is_plain:
            return self._plain(index)
        if index >= min(len(page.dataoffsets), len(page.databytecounts)) or page.databytecounts[index] == 0:
            return None
        try:
            file = page.parent.filehandle
            file.seek(page.dataoffsets[index])
            data = file.read(page.databytecounts[index])
            pixels, _, _ = page.decode(data, index, jpegtables=page.jpegtables)
        except Exception as exc:  # imagecodecs has an error of its own for each codec
            if "imagecodecs" in str(exc) and "requires" in str(exc):
                import_extra("imagecodecs", needs=f"TIFFs with {page.compression.name} need", extra="tiff")
            raise BrokenPictureError(f"a part of the TIFF cannot be decoded: {exc}") from exc
        return None if pixels is None else pixels[0]

    def _plain(self, index: int) -> Pixels:
        """[h, W, samples] of rows that are not compressed."""
        row_bytes, first = self._width * self._samples, index * self._segment_hw[0]
        rows = min(self._segment_hw[0], self._height - first)
        file = self._page.parent.filehandle
        file.seek(self._page.dataoffsets[0] + first * row_bytes)
        data = file.read(rows * row_bytes)
        if len(data) < rows * row_bytes:
            raise BrokenPictureError("the TIFF is cut off")
        return np.frombuffer(data, np.uint8).reshape(rows, self._width, self._samples)
