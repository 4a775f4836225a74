"""Bytes to an upright RGB picture, after its header has been checked against the limits."""

import re
import warnings
from dataclasses import dataclass
from typing import IO, Protocol, cast

import numpy as np
from PIL import ExifTags, Image

from dirdet.errors import BrokenPictureError, DirdetError, NotAPictureError, PictureTooLargeError
from dirdet.faults import shown
from dirdet.jpeg_scans import count_scans
from dirdet.libtiff import silence_libtiff

# What Pillow may open, and how the bytes of each begin. "BM" alone also begins English words: a bitmap's header
# is followed by the size of its second header, one of a few.
MAGIC = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "BMP": re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
}
MAGIC_BYTES = 18
# Read by the decoder at once. Between two blocks it wants Python's lock, which others hold: at Pillow's own 64 KiB a
# photograph would wait for it several times.
BLOCK_BYTES = 2**18
READ_TYPES = "JPEG, PNG, WebP, BMP or TIFF"
# How the names of pictures end: first of what is read, then of what is not and should not be passed over unsaid.
PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff"}
    | {".avif", ".gif", ".heic", ".heif", ".j2k", ".jp2", ".jxl"}
)

# EXIF 2.32, tag 0x0112: what has been done to the upright picture, and so what undoes it.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Readable(Protocol):
    """What is read of a file: an open one, or `dirdet.watched_file.WatchedFile`."""

    def read(self, size: int = -1, /) -> bytes:
        """Bytes from where the file is."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Goes elsewhere in the file."""
        ...

    def tell(self) -> int:
        """Where the file is."""
        ...


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """How much of a picture is accepted.

    Attributes:
        max_bytes: of the file.
        max_pixels: width times height, read from the header before anything is decoded.
        max_jpeg_scans: of a JPEG; photographs have up to about ten. Each may cost as much as decoding all pixels.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 100_000_000
    max_jpeg_scans: int = 100


DEFAULT_LIMITS = PictureLimits()

# Pillow's own guard, put at our limit: at twice that it refuses even to open, which keeps its WebP reader
# from allocating a canvas before we have seen the size.
Image.MAX_IMAGE_PIXELS = DEFAULT_LIMITS.max_pixels
# Between its limit and twice that Pillow warns on standard error; the header's size is checked here.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# What its parsers remark on broken metadata is different for every picture: the log, and Python's memory of what it has
# warned of, would grow with what callers send.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
silence_libtiff()


def too_many_bytes(limits: PictureLimits) -> PictureTooLargeError:
    """The error for a file above `limits.max_bytes`."""
    return PictureTooLargeError(f"the picture has more than {limits.max_bytes / 2**20:g} MiB, the most accepted")


def open_picture(file: Readable, *, limits: PictureLimits = DEFAULT_LIMITS) -> Image.Image:
    """Reads a picture's header only: the result has a size and a type, its pixels are still encoded.

    Raises:
        NotAPictureError: the bytes are no JPEG, PNG, WebP, BMP or TIFF.
        BrokenPictureError: they begin as one of these, and the header cannot be read.
        PictureTooLargeError: the header says more pixels than the limit, or a JPEG has too many scans.
    """
    start = file.read(MAGIC_BYTES)
    file.seek(0)
    kind = next((name for name, magic in MAGIC.items() if magic.match(start)), None)
    if kind is None:
        what = f"begins with {shown(start[:8])}" if start else "is empty"
        raise NotAPictureError(f"expected a {READ_TYPES} picture; the file {what}")
    try:
        picture = Image.open(cast(IO[bytes], file), formats=[kind])  # Pillow needs no more of it
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        # Pillow's own limit, above ours, keeps the size to itself.
        raise PictureTooLargeError(
            f"the picture has far more pixels than the {limits.max_pixels / 1e6:g} megapixels that are accepted"
        ) from exc
    except DirdetError:  # the file's own, which has been told to end
        raise
    except Exception as exc:  # a parser of untrusted bytes: Pillow raises a dozen types here
        raise BrokenPictureError(f"the {kind} picture's header is broken or truncated") from exc
    picture.decodermaxblock = BLOCK_BYTES
    width, height = picture.size
    if width * height > limits.max_pixels:
        raise PictureTooLargeError(
            f"the picture is {width} x {height} = {width * height / 1e6:g} megapixels; "
            f"at most {limits.max_pixels / 1e6:g} are accepted"
        )
    if width < 1 or height < 1:
        raise BrokenPictureError(f"the {kind} picture has no pixels: {width} x {height}")
    if kind == "JPEG":
        _check_scans(file, limits)
    return picture


def _check_scans(file: Readable, limits: PictureLimits) -> None:
    position = file.tell()
    file.seek(0)
    scans = count_scans(file.read(), at_most=limits.max_jpeg_scans)
    file.seek(position)
    if scans > limits.max_jpeg_scans:
        raise PictureTooLargeError(f"the JPEG has more than {limits.max_jpeg_scans} scans, the most accepted")


def read_picture(file: Readable, *, limits: PictureLimits = DEFAULT_LIMITS) -> Image.Image:
    """A picture as a viewer shows it: first frame, EXIF-upright, RGB, transparency on white.

    Args:
        file: seekable, at its start.
        limits: what is accepted.

    Raises:
        NotAPictureError: no picture, or of a pixel type that is not read.
        BrokenPictureError: truncated or broken.
        PictureTooLargeError: more pixels or scans than the limit.
        DirdetError: raised by the file itself (`dirdet.watched_file`).
    """
    return decoded(open_picture(file, limits=limits))


def decoded(picture: Image.Image) -> Image.Image:
    """A picture whose header was read by `open_picture`, as a viewer shows it; see `read_picture`.

    Raises:
        NotAPictureError: of a pixel type that is not read.
        BrokenPictureError: truncated or broken.
        DirdetError: raised by the file itself (`dirdet.watched_file`).
    """
    kind = picture.format
    try:
        _forget_xmp(picture)
        picture.load()
        _forget_xmp(picture)
        turn = turn_of(picture)
        rgb = _to_rgb(picture)
    except DirdetError:
        raise
    except Exception as exc:  # as above
        raise BrokenPictureError(f"the {kind} picture is broken or truncated: {exc}") from exc
    return rgb if turn is None else rgb.transpose(turn)


def turn_of(picture: Image.Image) -> Image.Transpose | None:
    """What turns a picture upright, by its EXIF block; None if it stands so or does not say."""
    return UPRIGHT.get(_orientation(picture))


def _forget_xmp(picture: Image.Image) -> None:
    """Pillow also takes an orientation from XMP, which viewers do not."""
    for key in ("xmp", "XML:com.adobe.xmp"):
        picture.info.pop(key, None)


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a broken EXIF block: viewers show such a picture as it is stored
        return 1


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255.
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise NotAPictureError("expected 8 or 16 bits per channel; the picture has 32, whose range is not known")
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGB", rgba.size, "white")
        white.paste(rgba, mask=rgba.getchannel("A"))
        return white
    return picture if picture.mode == "RGB" else picture.convert("RGB")
