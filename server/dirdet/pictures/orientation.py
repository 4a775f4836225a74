"""The orientation of a picture: by EXIF alone, in the formats in which OpenCV, and so training, applies it."""

import struct
from contextlib import suppress

from PIL import ExifTags, Image

from dirdet.pictures.formats import READ
from dirdet.pictures.resizing import Part

# EXIF 2.32, tag 0x0112: the transposition that makes the stored picture upright, by the tag's value.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = frozenset(
    {Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_270}
)
_FLIPPED_X = frozenset(
    {
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.ROTATE_180,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE,
    }
)
_FLIPPED_Y = frozenset(
    {Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE}
)
# Pillow turns a TIFF itself while it decodes it, and states its upright size from the beginning.
_TURNED = frozenset(each.pillow for each in READ if each.turned) - {"TIFF"}


def turn_of(picture: Image.Image) -> Image.Transpose | None:
    """The transposition that makes a picture of `open_picture` upright, before or after it is decoded; None: none."""
    if picture.format not in _TURNED:
        return None
    block = picture.info.get("exif")
    return UPRIGHT.get(_orientation(block)) if isinstance(block, bytes) else None


def _orientation(block: bytes) -> int:
    """The tag's value in an EXIF block, 1 without one; read as OpenCV does, whatever its type and what else is broken.

    Pillow's own reading would take XMP's orientation where EXIF has none.
    """
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return 1
    with suppress(struct.error):  # a truncated block: the picture is shown as it is stored
        [start] = struct.unpack_from(f"{order}I", block, 4)
        [entries] = struct.unpack_from(f"{order}H", block, start)
        for place in range(start + 2, start + 2 + 12 * entries, 12):
            tag, value = struct.unpack_from(f"{order}H6xH", block, place)
            if tag == ExifTags.Base.Orientation:
                return value
    return 1


def turned(part: Part, size_wh: tuple[int, int], turn: Image.Transpose | None) -> Part:
    """A part of a picture of this size, after the picture is turned."""
    (x1, y1, x2, y2), (width, height) = part, size_wh
    if turn in SIDEWAYS:
        x1, y1, x2, y2, width, height = y1, x1, y2, x2, height, width
    if turn in _FLIPPED_X:
        x1, x2 = width - x2, width - x1
    if turn in _FLIPPED_Y:
        y1, y2 = height - y2, height - y1
    return x1, y1, x2, y2


def forget_xmp(picture: Image.Image) -> None:
    """Removes XMP, so that Pillow does not turn a TIFF by it."""
    for key in ("xmp", "XML:com.adobe.xmp"):
        picture.info.pop(key, None)
