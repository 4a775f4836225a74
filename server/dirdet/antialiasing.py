"""Pillow's antialiased resize, by the processor's vector instructions where there is a wheel for it."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from PIL import Image

Resize = Callable[[Image.Image, tuple[int, int]], Image.Image]


def resize_by_pillow(picture: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
    """See `resize_antialiased`."""
    return picture.resize(size_wh, Image.Resampling.BILINEAR)


def _fastest() -> Resize:
    try:
        vectors: Any = import_module("cykooz_resizer")  # it has no types
    except ModuleNotFoundError:
        return resize_by_pillow
    options = vectors.ResizeOptions(vectors.ResizeAlg.convolution(vectors.FilterType.bilinear))

    def resize_by_vectors(picture: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
        resized = Image.new("RGB", size_wh)
        vectors.Resizer().resize_pil(picture, resized, options)  # one each: threads must not share it
        return resized

    return resize_by_vectors


resize_antialiased: Resize = _fastest()
"""An RGB picture in another size in pixels, each pixel the mean of those it covers, weighted by a triangle.

Either way gives Pillow's picture; they round in different places, so that a value differs by at most 1 of 255.
"""
