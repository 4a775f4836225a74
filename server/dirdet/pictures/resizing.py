"""Resizes pictures as the network's training did: by OpenCV or by Pillow, with its interpolation."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dirdet.bundle.interpolation import Interpolation

PILLOW = {
    "pillow_nearest": Image.Resampling.NEAREST,
    "pillow_bilinear": Image.Resampling.BILINEAR,
    "pillow_bicubic": Image.Resampling.BICUBIC,
    "pillow_lanczos": Image.Resampling.LANCZOS,
    "pillow_box": Image.Resampling.BOX,
    "pillow_hamming": Image.Resampling.HAMMING,
}
# OpenCV's names of its interpolations.
OPENCV = {
    "opencv_nearest": "INTER_NEAREST",
    "opencv_bilinear": "INTER_LINEAR",
    "opencv_bicubic": "INTER_CUBIC",
    "opencv_area": "INTER_AREA",
    "opencv_lanczos": "INTER_LANCZOS4",
}


def resize(picture: Image.Image, resized_hw: tuple[int, int], *, interpolation: Interpolation) -> NDArray[np.uint8]:
    """The pixels [h, w, 3] of an RGB picture in another size, as the network was trained with (`ResizeRule`)."""
    height, width = resized_hw
    if (width, height) == picture.size:
        return np.asarray(picture)
    if interpolation in OPENCV:
        opencv = _opencv()
        return opencv.resize(np.asarray(picture), (width, height), interpolation=getattr(opencv, OPENCV[interpolation]))
    if interpolation == "antialiased":
        return np.asarray(resize_antialiased(picture, (width, height)))
    if interpolation in PILLOW:
        return np.asarray(picture.resize((width, height), PILLOW[interpolation]))
    # An affine map interpolates between the four nearest pixel centres.
    steps = (picture.width / width, 0.0, 0.0, 0.0, picture.height / height, 0.0)
    return np.asarray(picture.transform((width, height), Image.Transform.AFFINE, steps, Image.Resampling.BILINEAR))


@cache
def _opencv() -> Any:  # noqa: ANN401 - its types are incomplete
    """OpenCV, imported when a detector needs it first; one thread a call, since callers are threads themselves."""
    opencv: Any = import_module("cv2")
    opencv.setNumThreads(1)
    return opencv


def resize_by_pillow(picture: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
    """Antialiased resize of Pillow."""
    return picture.resize(size_wh, Image.Resampling.BILINEAR)


def _fastest() -> Callable[[Image.Image, tuple[int, int]], Image.Image]:
    """Antialiased resize with the processor's vector instructions, if the installed wheel supports them."""
    try:
        vectors: Any = import_module("cykooz_resizer")  # it has no types
    except ModuleNotFoundError:
        return resize_by_pillow
    options = vectors.ResizeOptions(vectors.ResizeAlg.convolution(vectors.FilterType.bilinear))

    def resize_by_vectors(picture: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
        resized = Image.new("RGB", size_wh)
        vectors.Resizer().resize_pil(picture, resized, options)  # one per thread: threads must not share it
        return resized

    return resize_by_vectors


resize_antialiased: Callable[[Image.Image, tuple[int, int]], Image.Image] = _fastest()
"""An RGB picture in another size in pixels, each pixel the mean of those it covers, weighted by a triangle.

Both functions give Pillow's result; they round in different steps, so that a value differs by at most 1 of 255.
"""
