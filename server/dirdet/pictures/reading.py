"""Reads picture files: checks the header against the limits, then decodes to an upright RGB picture."""

import importlib
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Protocol, cast

from PIL import Image, features
from PIL.ImageFile import ImageFile

from dirdet.errors import BrokenPictureError, DirdetError, NotAPictureError, PictureTooLargeError, shown
from dirdet.pictures.avif_frames import decoded_pixels
from dirdet.pictures.formats import JPEG, PNG, READ_NAMES, START_BYTES, PictureFormat, format_of
from dirdet.pictures.libtiff import silence_libtiff
from dirdet.pictures.orientation import SIDEWAYS, forget_xmp, turn_of, turned
from dirdet.pictures.png_chunks import PngWithoutMetadata
from dirdet.pictures.resizing import Part
from dirdet.pictures.samples import EXPECTED_SAMPLES, UNSUPPORTED, learn_samples, prepare, to_rgb

# Block size of the decoder. It needs Python's global lock between two blocks: with Pillow's default of 64 KiB a
# photograph would wait for the lock several times.
BLOCK_BYTES = 2**18
# An AVIF's pixels, its transparency and those of its animation, each of up to four times as many by its header.
MOST_AVIF_FRAMES = 16
# A marker is 0xFF and a byte; in coded data 0xFF is followed by 0 or a restart marker (ITU T.81, B.1.1.2), and more
# 0xFF may fill the space before a marker.
MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
START_OF_SCAN = b"\xff\xda"
END_OF_IMAGE = 0xD9
# Markers without a length: TEM, start and end of image.
ALONE = frozenset({0x01, 0xD8, END_OF_IMAGE})
# Frames that are baseline or extended sequential, by Huffman's code.
SEQUENTIAL = frozenset({0xC0, 0xC1})
# Where a segment, from its length on, has its number of components: of a frame and of a scan (B.2.2, B.2.3).
FRAME_COMPONENTS, SCAN_COMPONENTS = 7, 2


class Readable(Protocol):
    """The file interface that reading needs: an open file, or `dirdet.gateway.scheduling.deadline.WatchedFile`."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes from the current position."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Limits of a picture.

    Attributes:
        max_bytes: of the file.
        max_pixels: width times height, read from the header before anything is decoded.
        max_jpeg_scans: scans of a JPEG; photographs have up to about ten. Each can take as long as decoding all pixels.
            None: any number, and a JPEG's header is read alone.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 100_000_000
    max_jpeg_scans: int | None = 100


DEFAULT_LIMITS = PictureLimits()


def silence_parsers() -> None:
    """Keeps warnings of Pillow and libtiff about broken pictures out of this process's standard error and memory.

    For processes that read untrusted pictures: each warning has a different text, so that the log and Python's registry
    of warnings would grow with the requests. Errors are still raised.
    """
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    silence_libtiff()


def too_many_bytes(limits: PictureLimits) -> PictureTooLargeError:
    """The error of a file above `limits.max_bytes`."""
    return PictureTooLargeError(f"the picture has more than {limits.max_bytes / 2**20:g} MiB, the most accepted")


def _is_read(found: PictureFormat) -> bool:
    """Whether the format is read; Pillow can be built without AVIF."""
    return found.plugin != "" and (found.name != "AVIF" or features.check("avif") is True)


def open_picture(file: Readable, *, limits: PictureLimits = DEFAULT_LIMITS) -> Image.Image:
    """Reads a picture's header only; the pixels stay encoded.

    Raises:
        NotAPictureError: the bytes have no supported format (`dirdet.pictures.formats`).
        BrokenPictureError: the format is supported, but the header cannot be read.
        PictureTooLargeError: the picture has more pixels than the limit, or a JPEG too many scans.
    """
    start = file.read(START_BYTES)
    file.seek(0)
    found = format_of(start)
    if found is None:
        what = f"begins with {shown(start[:8])}" if start else "is empty"
        raise NotAPictureError(f"expected a {READ_NAMES} picture; the file {what}")
    if not _is_read(found):
        raise NotAPictureError(f"{found.name} is not supported: expected a {READ_NAMES} picture")
    try:
        shown_file = PngWithoutMetadata(file) if found is PNG else file
        # The format's own class: Image.open would warn about large pictures by a limit of the whole process.
        picture = _class_of(found)(cast(IO[bytes], shown_file))  # Pillow needs no more of a file
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        # The error of Pillow's own limit, for a WebP or the tile of a TIFF, has no size.
        raise PictureTooLargeError(
            f"the picture has far more pixels than the {limits.max_pixels / 1e6:g} megapixels that are accepted"
        ) from exc
    except DirdetError:  # raised by the file itself at its deadline
        raise
    except Exception as exc:  # Pillow raises a dozen exception types for untrusted bytes
        if UNSUPPORTED.match(str(exc)):
            raise NotAPictureError(f"the {found.name}'s samples are not supported: {EXPECTED_SAMPLES}") from exc
        raise BrokenPictureError(f"the {found.pillow} picture's header is broken or truncated") from exc
    picture.decodermaxblock = BLOCK_BYTES
    width, height = picture.size
    if width * height > limits.max_pixels:
        raise PictureTooLargeError(
            f"the picture is {width} x {height} = {width * height / 1e6:g} megapixels; "
            f"at most {limits.max_pixels / 1e6:g} are accepted"
        )
    if width < 1 or height < 1:
        raise BrokenPictureError(f"the {found.pillow} picture has no pixels: {width} x {height}")
    _check_content(file, found, width * height, limits)
    return picture


def _check_content(file: Readable, found: PictureFormat, pixels: int, limits: PictureLimits) -> None:
    """Checks what takes far more time or memory than a picture's size tells."""
    if found.name == "AVIF":
        _check_frames(_whole(file), pixels)
    if found is JPEG and limits.max_jpeg_scans is not None:
        _check_scans(_whole(file), limits.max_jpeg_scans)


def _whole(file: Readable) -> bytes:
    """The content; the file stays at its position."""
    position = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(position)
    return data


def _check_frames(data: bytes, pixels: int) -> None:
    try:
        decoded = decoded_pixels(data)
    except ValueError as exc:
        raise BrokenPictureError(f"the AVIF picture's header is broken or truncated: {exc}") from exc
    if decoded > MOST_AVIF_FRAMES * pixels + 2**22:
        raise BrokenPictureError(
            f"the AVIF picture decodes to {decoded / 1e6:.3g} megapixels, far more than its {pixels / 1e6:.3g}"
        )


def _class_of(read: PictureFormat) -> type[ImageFile]:
    """Pillow's class of a format, imported on first use."""
    if read.name == "TIFF":
        learn_samples()
    return getattr(importlib.import_module(f"PIL.{read.plugin}ImagePlugin"), f"{read.plugin}ImageFile")


def _check_scans(data: bytes, most: int) -> None:
    # Metadata can contain these bytes too; few of them need no further check.
    if has_one_scan(data) or data.count(START_OF_SCAN) <= most:
        return
    if count_scans(data, at_most=most) > most:
        raise PictureTooLargeError(f"the JPEG has more than {most} scans, the most accepted")


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """The code of each marker of a JPEG up to the end of the picture, and where what follows it begins."""
    position = 2
    while (marker := MARKER.search(data, position)) is not None and marker[1][0] != END_OF_IMAGE:
        code, position = marker[1][0], marker.end()
        yield code, position
        if code not in ALONE:
            position += int.from_bytes(data[position : position + 2], "big")


def has_one_scan(data: bytes) -> bool:
    """Whether the header tells that only one scan is decoded; a look at a few bytes, where counting reads them all.

    That is so if the frame is sequential and its first scan has all its components: libjpeg reads no scan after it.

    Args:
        data: bytes of a JPEG; may be truncated or broken.
    """
    components = None
    for code, position in _segments(data):
        if code == START_OF_SCAN[1]:
            scanned = data[position + SCAN_COMPONENTS : position + SCAN_COMPONENTS + 1]
            return components is not None and scanned == components
        if code in SEQUENTIAL:
            components = data[position + FRAME_COMPONENTS : position + FRAME_COMPONENTS + 1]
    return False


def count_scans(data: bytes, *, at_most: int) -> int:
    """Number of scans up to the end of the picture; counting stops above `at_most`.

    Each scan can require a pass over every pixel of the picture.

    Args:
        data: bytes of a JPEG; may be truncated or broken.
        at_most: scans after which counting stops.
    """
    scans = 0
    for code, _ in _segments(data):
        scans += code == START_OF_SCAN[1]
        if scans > at_most:
            break
    return scans


def upright_wh(picture: Image.Image) -> tuple[int, int]:
    """Width and height in pixels of a picture of `open_picture`, not decoded yet, once it is upright."""
    width, height = picture.size
    return (height, width) if turn_of(picture) in SIDEWAYS else (width, height)


def reduce(picture: Image.Image, divisor: int) -> Part | None:
    """Makes `decoded` decode a JPEG of `open_picture` at a part of its size: 1, 1/2, 1/4 or 1/8.

    Returns:
        The part, upright, of the decoded picture that the picture covers: sides are rounded up. None: all of it.
    """
    if divisor == 1:
        return None
    width, height = picture.size
    picture.draft(None, (width // divisor, height // divisor))
    covered = (0.0, 0.0, width / divisor, height / divisor)
    if covered[2:] == picture.size:
        return None
    return turned(covered, picture.size, turn_of(picture))


def read_picture(file: Readable, *, limits: PictureLimits = DEFAULT_LIMITS) -> Image.Image:
    """Reads a picture as training reads it, with OpenCV: first frame, upright by EXIF, RGB, without its alpha channel.

    Args:
        file: seekable, at its start.
        limits: of the picture.

    Raises:
        NotAPictureError: not a picture, or its pixel type is not supported.
        BrokenPictureError: truncated or broken.
        PictureTooLargeError: more pixels or scans than the limit.
        DirdetError: raised by the file itself (`dirdet.gateway.scheduling.deadline`).
    """
    return decoded(open_picture(file, limits=limits))


def decoded(picture: Image.Image) -> Image.Image:
    """Decodes a picture from `open_picture` as `read_picture` does.

    Raises:
        NotAPictureError: the pixel type is not supported.
        BrokenPictureError: truncated or broken.
        DirdetError: raised by the file itself (`dirdet.gateway.scheduling.deadline`).
    """
    kind = picture.format
    try:
        forget_xmp(picture)
        if picture.info.get("default_image"):  # an APNG's picture for programs that show no animation
            picture.seek(1)
        prepare(picture)
        picture.load()
        turn = turn_of(picture)
        rgb = to_rgb(picture)
    except DirdetError:
        raise
    except Exception as exc:  # as above
        raise BrokenPictureError(f"the {kind} picture is broken or truncated: {exc}") from exc
    return rgb if turn is None else rgb.transpose(turn)
