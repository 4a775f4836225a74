"""What the serving path makes of a picture, read and placed on a canvas, and what Pillow decodes alone."""

from collections.abc import Mapping
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dirdet.bundle import Manifest
from dirdet.canvas import fit_picture, paint
from dirdet.pictures import read_picture

# How a picture is written for each type; WebP is lossy there as on the web.
WRITTEN: Mapping[str, Mapping[str, object]] = {
    "JPEG": {"quality": 90},
    "PNG": {},
    "WEBP": {"quality": 90},
}


def encoded(picture: Image.Image, kind: str) -> bytes:
    """An RGB picture as a file of a type of `WRITTEN`."""
    file = BytesIO()
    picture.save(file, kind, **WRITTEN[kind])
    return file.getvalue()


def place(content: bytes, manifest: Manifest) -> NDArray[np.uint8]:
    """What serving does with a picture: the canvas [H, W, 3]."""
    picture = read_picture(BytesIO(content))
    fit = fit_picture((picture.height, picture.width), rule=manifest.resize, canvases=manifest.canvases)
    return paint(picture, fit, rule=manifest.resize)


def read(content: bytes) -> NDArray[np.uint8]:
    """What serving reads: pixels [H, W, 3] RGB."""
    return np.asarray(read_picture(BytesIO(content)))


def pillow_alone(content: bytes) -> NDArray[np.uint8]:
    """Pixels [H, W, 3] RGB by Pillow, without limits, EXIF or transparency."""
    with Image.open(BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))
