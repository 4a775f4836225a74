"""The meaning of a picture's samples: converts every kind that is read to 8 bits of RGB, as OpenCV does.

OpenCV's `IMREAD_COLOR`, with which MMDetection reads: 16 bits keep their high byte, alpha is dropped. Two formats are
special: colours of a TIFF with unassociated alpha are multiplied by it, and a GIF's transparent pixels have its
background colour.
"""

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, TiffImagePlugin
from PIL.ImageFile import ImageFile

from dirdet.errors import NotAPictureError

EXPECTED_SAMPLES = "expected grey, palette, RGB or CMYK of 1, 2, 4, 8 or 16 bits, or grey of 12"
# Pillow's messages for kinds of TIFF, of BMP and of JPEG (12 bits) that it does not read.
UNSUPPORTED = re.compile("unknown pixel mode|Unsupported BMP|cannot handle ")
# Tags of TIFF 6.0.
_BITS, _COMPRESSION, _PHOTOMETRIC, _PLANAR, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 258, 259, 262, 284, 338, 339
_WHITE_IS_ZERO, _CIE_LAB, _SEPARATE, _UNASSOCIATED, _SIGNED, _RAW = 0, 8, 2, 2, 2, 1
_GREY_ALPHA = (16, 16)
# Of a bitmap's 5 or 6 bits Pillow fills the lower ones of 8, OpenCV does not.
_FEW_BITS, _KEPT = "few bits", {"BGR;15": (0xF8, 0xF8, 0xF8), "BGR;16": (0xF8, 0xFC, 0xF8)}


def learn_samples() -> None:
    """Adds to Pillow's table of a TIFF's samples what it lacks: grey of 12 and 16 bits in any order, also with alpha.

    Its keys are: byte order, PhotometricInterpretation, SampleFormat, FillOrder, BitsPerSample, ExtraSamples. Packed
    samples of 12 bits have no byte order. Grey and alpha of 16 bits are taken for four samples of 8.
    """
    table = cast("dict[Any, tuple[str, str]]", TiffImagePlugin.OPEN_INFO)
    for order, sixteen in ((b"II", "I;16"), (b"MM", "I;16B")):
        for photometric in (0, 1):
            table.setdefault((order, photometric, (1,), 1, (16,), ()), (sixteen, sixteen))
            table.setdefault((order, photometric, (1,), 1, (12,), ()), ("I;16", "I;12"))
        for alpha in (0, 1, 2):
            table.setdefault((order, 1, (1,), 1, _GREY_ALPHA, (alpha,)), ("RGBX", "RGBX"))


def prepare(picture: Image.Image) -> None:
    """Corrects Pillow's reading of samples before a picture is decoded.

    Raises:
        NotAPictureError: the samples are not supported.
    """
    if isinstance(picture, BmpImagePlugin.BmpImageFile):
        tiles: list[Any] = picture.tile
        picture.info[_FEW_BITS] = _KEPT.get(tiles[0].args[0])
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return
    tags: Any = picture.tag_v2
    if tags.get(_PHOTOMETRIC) == _CIE_LAB:
        raise NotAPictureError(f"the TIFF's colours are CIE L*a*b*: {EXPECTED_SAMPLES}")
    if tags.get(_BITS) == _GREY_ALPHA and tags.get(_PLANAR) == _SEPARATE:
        raise NotAPictureError(f"the TIFF has grey and alpha of 16 bits in planes of their own: {EXPECTED_SAMPLES}")
    if picture.mode == "RGBA":  # colours as they are stored, where Pillow would divide them by alpha
        _unpack(picture, lambda rawmode: rawmode.replace("RGBa", "RGBA"))
    if tags.get(_PLANAR) == _SEPARATE and tags[_BITS][0] == 16:  # of which Pillow would take each byte for a sample
        order = ";16B" if tags.prefix == b"MM" else ";16L"
        _unpack(picture, lambda rawmode: rawmode if ";" in rawmode else rawmode + order)


def _unpack(picture: ImageFile, changed: Callable[[str], str]) -> None:
    """Changes the names by which Pillow's decoders know the layout of samples."""
    tiles: list[Any] = picture.tile
    picture.tile = [each._replace(args=(changed(each.args[0]), *each.args[1:])) for each in tiles]


def to_rgb(picture: Image.Image) -> Image.Image:
    """Converts a decoded picture to RGB.

    Raises:
        NotAPictureError: the range of its values is not known.
    """
    tags = _tags(picture)
    if picture.mode.startswith("I;16"):
        return Image.fromarray(_high_bits(picture)).convert("RGB")
    if picture.mode == "I" and tags.get(_SAMPLE_FORMAT) == (_SIGNED,) and tags.get(_BITS) == (16,):
        return Image.fromarray((np.asarray(picture) >> 8 & 0xFF).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise NotAPictureError(f"the picture's samples have 32 bits or a sign: {EXPECTED_SAMPLES}")
    if tags.get(_BITS) == _GREY_ALPHA:
        return _high_grey(picture, tags).convert("RGB")
    if picture.mode in ("LA", "La"):
        return picture.getchannel(0).convert("RGB")
    if picture.mode == "RGBA" and picture.format == "TIFF":
        unassociated = tags.get(_EXTRA_SAMPLES) == (_UNASSOCIATED,)
        return _without_alpha(picture.convert("RGBa") if unassociated else picture)
    if isinstance(picture, GifImagePlugin.GifImageFile):
        return _on_background(picture)
    if (kept := picture.info.get(_FEW_BITS)) is not None:
        return Image.fromarray(np.asarray(picture) & np.array(kept, np.uint8))
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _tags(picture: Image.Image) -> Mapping[int, Any]:
    """A TIFF's tags; of other formats none."""
    return picture.tag_v2 if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}


def _high_bits(picture: Image.Image) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """[H, W] of grey with more than 8 bits: its 8 high bits."""
    tags = _tags(picture)
    bits = 12 if tags.get(_BITS) == (12,) else 16
    grey = (np.asarray(picture) >> (bits - 8)).astype(np.uint8)
    return ~grey if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else grey


def _high_grey(picture: Image.Image, tags: Any) -> Image.Image:  # noqa: ANN401
    """The high bytes of grey with alpha, whose pixels have four: libtiff gives its samples in this machine's order."""
    as_stored = tags.get(_COMPRESSION, _RAW) == _RAW
    high_first = tags.prefix == b"MM" if as_stored else sys.byteorder == "big"
    return picture.getchannel(0 if high_first else 1)


def _without_alpha(picture: Image.Image) -> Image.Image:
    return Image.merge("RGB", [picture.getchannel(channel) for channel in range(3)])


def _on_background(picture: GifImagePlugin.GifImageFile) -> Image.Image:
    """A GIF's first frame, whose transparent entry has the colour of the background's."""
    clear, palette = picture.info.get("transparency"), picture.global_palette
    if not isinstance(clear, int) or palette is None:
        return picture.convert("RGB")
    indices = np.asarray(picture if picture.mode in ("P", "L") else picture.convert("P"))
    rgb = np.array(picture.convert("RGB"))
    background = 3 * picture.info.get("background", 0)
    rgb[indices == clear] = list(palette.palette[background : background + 3]) or [0, 0, 0]
    return Image.fromarray(rgb)
