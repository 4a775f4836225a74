"""The pictures of the parity check: the user's, or drawn ones."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageDraw

from dirdet.bundle.bundle import CanvasSize, ResizeRule
from dirdet.errors import PictureError
from dirdet.files import open_regular
from dirdet.pictures.canvas import fit_picture
from dirdet.pictures.formats import USUAL_SUFFIXES
from dirdet.pictures.reading import read_picture
from dirdet.pictures.resizing import resize
from dirdet_export.errors import ExportError

# Width and height: landscape, portrait, square, panorama, tall, smaller than any canvas, odd.
DRAWN_SIZES = ((640, 480), (480, 640), (500, 500), (900, 300), (200, 420), (61, 47), (333, 251))


def list_pictures(paths: list[Path]) -> list[Path]:
    """The files, and all pictures directly in the folders, in order.

    Raises:
        ExportError: a path does not exist, or there are no pictures.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ExportError(f"--pictures {path}: no such file or folder")
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        files += [file for file in inside if not path.is_dir() or file.suffix.lower() in USUAL_SUFFIXES]
    if not files:
        raise ExportError(f"--pictures {', '.join(map(str, paths))}: expected at least one picture, found none")
    return files


def load_pictures(paths: list[Path]) -> list[tuple[str, Image.Image]]:
    """Reads pictures: names and upright RGB pictures.

    Raises:
        ExportError: a path does not exist, or a file is not a picture.
    """
    pictures: list[tuple[str, Image.Image]] = []
    for file in list_pictures(paths):
        try:
            with open_regular(file) as stream:
                pictures.append((file.name, read_picture(stream)))
        except (OSError, PictureError) as exc:
            raise ExportError(f"--pictures {file}: {exc}") from exc
    return pictures


def draw_pictures(seed: int = 0) -> list[tuple[str, Image.Image]]:
    """Names and drawn pictures of several sizes: shapes on a gradient with noise, determined by the seed."""
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


def draw_files(folder: Path) -> list[Path]:
    """Writes the drawn pictures as files of many kinds: JPEG, PNG, grey, with transparency, turned by EXIF, large."""
    files: list[Path] = []

    def save(picture: Image.Image, name: str, **settings: Any) -> None:  # noqa: ANN401
        files.append(folder / name.replace(" ", "_"))
        picture.save(files[-1], **settings)

    pictures = draw_pictures()
    for number, (name, picture) in enumerate(pictures):
        save(picture, f"{name}.jpg" if number % 2 else f"{name}.png")
    picture = pictures[0][1]
    save(picture.resize((1600, 1200), Image.Resampling.BICUBIC), "large.jpg", quality=90)
    save(picture.convert("L"), "grey.jpg")
    alpha = picture.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(picture.size))
    save(alpha, "transparent.png")
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    save(picture, "turned.jpg", exif=turned)
    return files


def crop_files(file: Path, folder: Path) -> list[Path]:
    """Writes the middle of a picture as three files of other shapes: square, half as wide, half as high."""
    [(_, picture)] = load_pictures([file])
    width, height = picture.size
    side = min(width, height)
    files: list[Path] = []
    for across, down in ((side, side), (max(1, width // 2), height), (width, max(1, height // 2))):
        files.append(folder / f"{len(files)}.png")
        left, top = (width - across) // 2, (height - down) // 2
        picture.crop((left, top, left + across, top + down)).save(files[-1])
    return files


def resized_pixels(picture: Image.Image, rule: ResizeRule, canvases: list[CanvasSize]) -> NDArray[np.uint8]:
    """The pixels [h, w, 3] of a picture as input of the network in serving."""
    fit = fit_picture((picture.height, picture.width), rule=rule, canvases=canvases)
    return resize(picture, fit.resized_hw, interpolation=rule.interpolation)
