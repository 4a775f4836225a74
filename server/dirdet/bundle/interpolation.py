"""The interpolations by which a bundle's pictures are resized."""

from typing import Literal, TypeAlias

# Pillow's BILINEAR; the first by vector instructions, which may differ by 1 of 255.
ANTIALIASED = ("antialiased", "pillow_bilinear")

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
