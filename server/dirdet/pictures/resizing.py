"""Resizes pictures as the network's training did: by OpenCV or by Pillow, with its interpolation."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dirdet.bundle.interpolation import Interpolation

# Left, top, right and bottom of a part of a picture, pixels, which need not be whole.
Part: TypeAlias = tuple[float, float, float, float]

# The variance, 1/6 in squared pixels, that a triangle loses if it is sampled once a pixel: a resize to the same size
# averages nothing. Of photographs, it makes what is decoded at the canvas's size the most similar to what is resized.
SOFT = np.array([1, 10, 1], np.float32) / 12

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


def resize(
    picture: Image.Image, resized_hw: tuple[int, int], *, interpolation: Interpolation, part: Part | None = None
) -> NDArray[np.uint8]:
    """The pixels [h, w, 3] of an RGB picture in another size, as the network was trained with (`ResizeRule`).

    Args:
        picture: RGB.
        resized_hw: height and width of the result, pixels.
        interpolation: of the rule.
        part: of the picture; None takes all of it. Only for interpolations that are `ANTIALIASED`.
    """
    height, width = resized_hw
    if (width, height) == picture.size and part is None:
        return np.asarray(picture)
    if interpolation in OPENCV:
        opencv = _opencv()
        return opencv.resize(np.asarray(picture), (width, height), interpolation=getattr(opencv, OPENCV[interpolation]))
    if interpolation == "antialiased":
        return np.asarray(resize_antialiased(picture, (width, height), part))
    if interpolation in PILLOW:
        return np.asarray(picture.resize((width, height), PILLOW[interpolation], part))
    # An affine map interpolates between the four nearest pixel centres.
    steps = (picture.width / width, 0.0, 0.0, 0.0, picture.height / height, 0.0)
    return np.asarray(picture.transform((width, height), Image.Transform.AFFINE, steps, Image.Resampling.BILINEAR))


def soften(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels [h, w, 3], each averaged a little with its neighbours (`SOFT`)."""
    opencv = _opencv()
    return opencv.sepFilter2D(pixels, -1, SOFT, SOFT, borderType=opencv.BORDER_REPLICATE)


@cache
def _opencv() -> Any:  # noqa: ANN401 - its types are incomplete
    """OpenCV, imported when a detector needs it first; one thread a call, since callers are threads themselves."""
    opencv: Any = import_module("cv2")
    opencv.setNumThreads(1)
    return opencv


def resize_by_pillow(picture: Image.Image, size_wh: tuple[int, int], part: Part | None = None) -> Image.Image:
    """Antialiased resize of Pillow."""
    return picture.resize(size_wh, Image.Resampling.BILINEAR, part)


def _fastest() -> Callable[[Image.Image, tuple[int, int], Part | None], Image.Image]:
    """Antialiased resize with the processor's vector instructions, if the installed wheel supports them."""
    try:
        vectors: Any = import_module("cykooz_resizer")  # it has no types
    except ModuleNotFoundError:
        return resize_by_pillow
    options = vectors.ResizeOptions(vectors.ResizeAlg.convolution(vectors.FilterType.bilinear))

    def resize_by_vectors(picture: Image.Image, size_wh: tuple[int, int], part: Part | None = None) -> Image.Image:
        resized, how = Image.new("RGB", size_wh), options
        if part is not None:
            left, top, right, bottom = part
            how = options.copy()
            how.crop_box = vectors.CropBox(left, top, right - left, bottom - top)
        vectors.Resizer().resize_pil(picture, resized, how)  # one per thread: threads must not share it
        return resized

    return resize_by_vectors


resize_antialiased: Callable[[Image.Image, tuple[int, int], Part | None], Image.Image] = _fastest()
"""An RGB picture, or a part of it, in another size; each pixel is the mean of those it covers, weighted by a triangle.

Both functions give Pillow's result; they round in different steps, so that a value differs by at most 1 of 255.
"""
