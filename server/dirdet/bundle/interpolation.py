"""How a bundle's pictures become as small as its network's input: how JPEGs are decoded, and the interpolation."""

from typing import Literal, TypeAlias

Decode: TypeAlias = Literal["scaled", "exact"]
DECODE_MEANING = (
    "scaled: a JPEG is decoded at a half, a quarter or an eighth of its size if that is at least the size to which the "
    "detector resizes it, which moves boxes by a fraction of one of the network's pixels; exact: at its full size, as "
    "in training. Tiles are always exact, and so are detectors whose resize skips pixels"
)

# Those that read every pixel. "antialiased" is Pillow's BILINEAR by vector instructions, which may differ by 1 of 255.
ANTIALIASED = (
    "antialiased",
    "pillow_bilinear",
    "pillow_bicubic",
    "pillow_lanczos",
    "pillow_box",
    "pillow_hamming",
)

# "antialiased" and "bilinear" are those of bundles from before there were exact ones.
Interpolation: TypeAlias = Literal[
    "antialiased",
    "bilinear",
    "pillow_nearest",
    "pillow_bilinear",
    "pillow_bicubic",
    "pillow_lanczos",
    "pillow_box",
    "pillow_hamming",
    "opencv_nearest",
    "opencv_bilinear",
    "opencv_bicubic",
    "opencv_area",
    "opencv_lanczos",
]
