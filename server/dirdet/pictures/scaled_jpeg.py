"""Decodes JPEGs at a half, a quarter or an eighth of their size if the network's input is smaller still.

JPEG stores blocks of 8 x 8 pixels by frequency. A decoder that omits the higher frequencies does much less work and
gives nearly the same picture. Boxes move a little. Only for detectors whose resize is antialiased: another one skips
pixels, and would see another picture.
"""

from PIL.JpegImagePlugin import JpegImageFile

from dirdet.bundle.bundle import Manifest
from dirdet.bundle.interpolation import ANTIALIASED
from dirdet.pictures.canvas import PlacedPicture, fit_picture, paint
from dirdet.pictures.orientation import upright_wh
from dirdet.pictures.reading import DEFAULT_LIMITS, PictureLimits, Readable, decoded, open_picture

# Least ratio of the decoded size to the network's input size: the last step is always the antialiased resize that the
# network was trained with.
AT_LEAST = 2


def place_scaled(file: Readable, manifest: Manifest, *, limits: PictureLimits = DEFAULT_LIMITS) -> PlacedPicture:
    """Places a picture on its canvas, decoded at a reduced size if that is sufficient.

    Args:
        file: seekable, at its start; of any supported format. Only JPEGs are decoded at a reduced size.
        manifest: the detector's.
        limits: of the picture at its full size.

    Raises:
        PictureError: as `dirdet.pictures.reading.read_picture`.
    """
    picture = open_picture(file, limits=limits)
    width, height = upright_wh(picture)
    fit = fit_picture((height, width), rule=manifest.resize, canvases=manifest.canvases)
    if isinstance(picture, JpegImageFile) and manifest.resize.interpolation in ANTIALIASED:
        seen_h, seen_w = fit.resized_hw if (width, height) == picture.size else fit.resized_hw[::-1]
        picture.draft(None, (AT_LEAST * seen_w, AT_LEAST * seen_h))
    return PlacedPicture(paint(decoded(picture), fit, rule=manifest.resize), fit)


def is_scaled(file: Readable, manifest: Manifest, *, limits: PictureLimits = DEFAULT_LIMITS) -> bool:
    """Whether `place_scaled` decodes a picture at a reduced size; reads its header only.

    Raises:
        PictureError: as `dirdet.pictures.reading.open_picture`.
    """
    picture = open_picture(file, limits=limits)
    if not isinstance(picture, JpegImageFile) or manifest.resize.interpolation not in ANTIALIASED:
        return False
    # Both sides scale alike, so that the orientation does not matter.
    fit = fit_picture((picture.height, picture.width), rule=manifest.resize, canvases=manifest.canvases)
    return min(picture.height // fit.resized_hw[0], picture.width // fit.resized_hw[1]) >= 2 * AT_LEAST
