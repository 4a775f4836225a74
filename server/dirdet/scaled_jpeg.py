"""JPEGs decoded at a half, a quarter or an eighth of their size where the network sees them smaller still.

The format stores blocks of 8 x 8 pixels by their frequencies, of which a decoder can leave the higher ones out: much
less work, and nearly the same picture. What it costs is boxes that move a little.
"""

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from dirdet.bundle import Manifest
from dirdet.canvas import fit_picture, paint
from dirdet.detector import PlacedPicture
from dirdet.pictures import DEFAULT_LIMITS, PictureLimits, Readable, decoded, open_picture, turn_of

# The decoded picture is at least so many times as large as what the network sees: the last step is always the
# antialiased resize that it was trained with.
AT_LEAST = 2
SIDEWAYS = frozenset(
    {Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_270}
)


def place_scaled(file: Readable, manifest: Manifest, *, limits: PictureLimits = DEFAULT_LIMITS) -> PlacedPicture:
    """A picture on its canvas, decoded at less than its size where that is enough.

    Args:
        file: seekable, at its start; of any type that is read, of which only JPEGs are scaled.
        manifest: the detector's.
        limits: what is accepted; they hold for the whole picture.

    Raises:
        PictureError: as `dirdet.pictures.read_picture`.
    """
    picture = open_picture(file, limits=limits)
    width, height = picture.size
    sideways = turn_of(picture) in SIDEWAYS
    picture_hw = (width, height) if sideways else (height, width)
    fit = fit_picture(picture_hw, rule=manifest.resize, canvases=manifest.canvases)
    if isinstance(picture, JpegImageFile):
        seen_h, seen_w = fit.resized_hw[::-1] if sideways else fit.resized_hw
        picture.draft(None, (AT_LEAST * seen_w, AT_LEAST * seen_h))
    return PlacedPicture(paint(decoded(picture), fit, rule=manifest.resize), fit)


def is_scaled(file: Readable, manifest: Manifest, *, limits: PictureLimits = DEFAULT_LIMITS) -> bool:
    """Whether `place_scaled` decodes less of a picture than there is; reads its header only.

    Raises:
        PictureError: as `dirdet.pictures.open_picture`.
    """
    picture = open_picture(file, limits=limits)
    if not isinstance(picture, JpegImageFile):
        return False
    # Both sides scale alike, so that it does not matter which way up it is.
    fit = fit_picture((picture.height, picture.width), rule=manifest.resize, canvases=manifest.canvases)
    return min(picture.height // fit.resized_hw[0], picture.width // fit.resized_hw[1]) >= 2 * AT_LEAST
