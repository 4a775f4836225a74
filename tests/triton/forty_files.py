"""Forty picture files of every kind that a detector may get, made of one photograph."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

SIZES = {
    "usual": (640, 480), "upright": (480, 640), "square": (500, 500), "large": (1600, 1200), "huge": (3000, 2000),
    "small": (61, 47), "tiny": (24, 20), "tall": (120, 700), "wide": (900, 130), "odd": (333, 251),
}  # fmt: skip


def write_forty_files(photograph: Image.Image, folder: Path) -> list[Path]:
    """Writes the files and returns them in order."""
    files: list[Path] = []

    def save(picture: Image.Image, name: str, **settings: Any) -> None:
        files.append(folder / name)
        picture.save(files[-1], **settings)

    for name, size in SIZES.items():
        picture = photograph.resize(size, Image.Resampling.BICUBIC)
        save(picture, f"{name}.jpg", quality=90)
        save(picture, f"{name}.png")
    usual = photograph.resize((640, 480), Image.Resampling.BICUBIC)
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        save(usual, f"turned_{orientation}.jpg", exif=exif)
    alpha = usual.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(usual.size))
    kinds: dict[str, Callable[[], Image.Image]] = {
        "grey.jpg": lambda: usual.convert("L"),
        "grey.png": lambda: usual.convert("L"),
        "grey_alpha.png": lambda: alpha.convert("LA"),
        "alpha.png": lambda: alpha,
        "palette.png": lambda: usual.quantize(64),
        "black_white.png": lambda: usual.convert("1"),
        "sixteen_bits.png": lambda: Image.fromarray(np.asarray(usual.convert("L"), np.uint16) * 257),
        "progressive.jpg": lambda: usual,
        "rough.jpg": lambda: usual,
        "whole_chroma.jpg": lambda: usual,
        "lossy.webp": lambda: usual,
        "alpha.webp": lambda: alpha,
        "plain.bmp": lambda: usual,
    }
    settings: dict[str, dict[str, Any]] = {
        "progressive.jpg": {"progressive": True},
        "rough.jpg": {"quality": 20},
        "whole_chroma.jpg": {"subsampling": 0},
        "alpha.webp": {"lossless": True},
    }
    for name, make in kinds.items():
        save(make(), name, **settings.get(name, {}))
    return files
