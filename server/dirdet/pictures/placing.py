"""From a picture's file to its canvas, for gateway, jobs and clients alike; decodes no more of a JPEG than is needed.

JPEG stores blocks of 8 x 8 pixels by frequency. A decoder that omits the higher frequencies gives a picture of a half,
a quarter or an eighth of the size, does much less work, and the picture is nearly what averaging the pixels gives.
"""

from PIL.Image import Image

from dirdet.bundle.bundle import Manifest
from dirdet.bundle.interpolation import ANTIALIASED, Decode
from dirdet.pictures.canvas import Fit, PlacedPicture, fit_picture, paint
from dirdet.pictures.orientation import turn_of, turned, upright_wh
from dirdet.pictures.reading import DEFAULT_LIMITS, PictureLimits, Readable, decoded, open_picture
from dirdet.pictures.resizing import Part, soften

# Of the sides, in the order of preference.
DIVISORS = (8, 4, 2)
# Pillow's names of what is JPEG; MPO is several of them.
BY_BLOCKS = ("JPEG", "MPO")


def place_file(
    file: Readable, manifest: Manifest, *, decode: Decode, limits: PictureLimits = DEFAULT_LIMITS
) -> PlacedPicture:
    """Places a picture on the smallest canvas of the detector that fits it.

    Args:
        file: seekable, at its start; of any supported format.
        manifest: the detector's.
        decode: whether a JPEG may be decoded at less than its size.
        limits: of the picture at its full size.

    Raises:
        PictureError: as `dirdet.pictures.reading.read_picture`.
    """
    picture = open_picture(file, limits=limits)
    width, height = upright_wh(picture)
    fit = fit_picture((height, width), rule=manifest.resize, canvases=manifest.canvases)
    divisor, part = 1, None
    if decode == "scaled" and picture.format in BY_BLOCKS and manifest.resize.interpolation in ANTIALIASED:
        divisor = divisor_of(fit)
        part = _reduce(picture, divisor)
    canvas = paint(decoded(picture), fit, rule=manifest.resize, part=part)
    if divisor > 1 and all(
        side / divisor - seen < 1 for side, seen in zip(fit.picture_hw, fit.resized_hw, strict=True)
    ):
        seen_h, seen_w = fit.resized_hw
        canvas[:seen_h, :seen_w] = soften(canvas[:seen_h, :seen_w])  # the resize had next to nothing to average
    return PlacedPicture(canvas, fit, 1 / divisor)


def divisor_of(fit: Fit) -> int:
    """The greatest by which a JPEG's sides can be divided without being shorter than on the canvas; else 1."""
    sides = list(zip(fit.picture_hw, fit.resized_hw, strict=True))
    large_enough = (each for each in DIVISORS if all(side >= each and -(-side // each) >= seen for side, seen in sides))
    return next(large_enough, 1)


def _reduce(picture: Image, divisor: int) -> Part | None:
    """Makes a picture be decoded at a part of its size.

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
