"""The pictures that parity is shown on: the user's own, or drawn ones."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dirdet.bundle import CanvasSize, ResizeRule
from dirdet.canvas import fit_picture, resize
from dirdet.errors import PictureError
from dirdet.pictures import read_picture
from dirdet_export.errors import ExportError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})

# Width and height: usual, upright, square, panorama, tower, smaller than any canvas, odd.
DRAWN_SIZES = ((640, 480), (480, 640), (500, 500), (900, 300), (200, 420), (61, 47), (333, 251))


def list_pictures(paths: list[Path]) -> list[Path]:
    """Files, and all pictures directly in folders, in order.

    Raises:
        ExportError: a path does not exist, or there is no picture in all.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ExportError(f"--pictures {path}: no such file or folder")
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        files += [file for file in inside if not path.is_dir() or file.suffix.lower() in SUFFIXES]
    if not files:
        raise ExportError(f"--pictures {', '.join(map(str, paths))}: expected at least one picture, found none")
    return files


def load_pictures(paths: list[Path]) -> list[tuple[str, Image.Image]]:
    """Names and upright RGB pictures.

    Raises:
        ExportError: a path does not exist, or a file is no picture.
    """
    pictures: list[tuple[str, Image.Image]] = []
    for file in list_pictures(paths):
        try:
            with file.open("rb") as stream:
                pictures.append((file.name, read_picture(stream)))
        except PictureError as exc:
            raise ExportError(f"--pictures {file}: {exc}") from exc
    return pictures


def draw_pictures(seed: int = 0) -> list[tuple[str, Image.Image]]:
    """Names and drawn pictures of several sizes: shapes on a gradient with noise, always the same for a seed."""
    rng = np.random.default_rng(seed)
    pictures: list[tuple[str, Image.Image]] = []
    for width, height in DRAWN_SIZES:
        corners = Image.fromarray(rng.integers(0, 256, (2, 2, 3), np.uint8))
        picture = corners.resize((width, height), Image.Resampling.BICUBIC)
        pen = ImageDraw.Draw(picture)
        for _ in range(12):
            left, top = rng.uniform(-0.1, 0.9, 2) * (width, height)
            right, bottom = (left, top) + rng.uniform(0.05, 0.5, 2) * (width, height)
            colour = tuple(int(value) for value in rng.integers(0, 256, 3))
            shape = (pen.ellipse, pen.rectangle)[int(rng.integers(2))]
            shape((float(left), float(top), float(right), float(bottom)), fill=colour)
        noise = rng.normal(0, 6, (height, width, 3))
        noisy = np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)
        pictures.append((f"drawn {width}x{height}", Image.fromarray(noisy)))
    return pictures


def resized_pixels(picture: Image.Image, rule: ResizeRule, canvases: list[CanvasSize]) -> NDArray[np.uint8]:
    """The pixels [h, w, 3] that the network sees of a picture when it is served."""
    fit = fit_picture((picture.height, picture.width), rule=rule, canvases=canvases)
    return np.asarray(resize(picture, fit.resized_hw, interpolation=rule.interpolation), np.uint8)
