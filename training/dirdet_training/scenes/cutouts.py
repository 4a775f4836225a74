"""Reads one stamp as a cut-out: an RGBA picture cropped to what is opaque, and says why one is of no use."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from dirdet_training.scenes.errors import ScenesError

# Twice what the largest object measures is more than a resize can use.
_LONGEST_SIDE_PX: Final = 440
_OPAQUE: Final = 127
_FEWEST_OPAQUE_PX: Final = 200

# Opened, looked at and found to show no object of their class.
_UNUSABLE: Final = {
    "vehicles/emergency/sedan_police.png": "only the livery of a car, the car itself is transparent",
    "vehicles/locomotive/cartoon/trainSign.png": "a road sign among the vehicles",
}


@dataclass(frozen=True)
class Cutout:
    """One cut-out.

    Attributes:
        path: relative to the stamps folder, with forward slashes.
        class_index: position in `CLASSES`.
        picture: RGBA with straight alpha, cropped to its opaque part.
    """

    path: str
    class_index: int
    picture: Image.Image


def why_unusable(identity: str) -> str | None:
    """The reason why a known identity is left out, or None."""
    return _UNUSABLE.get(identity)


def read_cutout(file: Path) -> Image.Image | str:
    """Reads a stamp.

    Args:
        file: a PNG.

    Returns:
        RGBA with straight alpha, cropped to the opaque part; or the reason why the stamp is of no use, as text.

    Raises:
        ScenesError: the file is not a PNG that can be read.
    """
    try:
        with Image.open(file, formats=["PNG"]) as opened:
            if not opened.has_transparency_data:
                return "no alpha channel"
            picture = opened.convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        raise ScenesError(f"{file}: expected a readable PNG, found a broken one ({type(exc).__name__})") from exc
    opaque = np.asarray(picture.getchannel("A")) > _OPAQUE  # [H, W]
    if int(opaque.sum()) < _FEWEST_OPAQUE_PX:
        return f"{int(opaque.sum())} opaque pixels, at least {_FEWEST_OPAQUE_PX} are needed"
    rows, columns = np.flatnonzero(opaque.any(axis=1)), np.flatnonzero(opaque.any(axis=0))
    picture = picture.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
    # Pillow multiplies colour by alpha around every resize of RGBA, so transparent pixels leave no halo.
    picture.thumbnail((_LONGEST_SIDE_PX, _LONGEST_SIDE_PX), Image.Resampling.LANCZOS)
    return picture
