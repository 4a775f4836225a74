"""Picture files beside annotations: which are there, and how large they are."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from dirdet_training.annotations.errors import AnnotationError

SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_ORIENTATION_TAG: Final = 0x0112
_QUARTER_TURNS: Final = frozenset({5, 6, 7, 8})


def are_there(folder: Path, names: Sequence[str]) -> list[bool]:
    """Which of the files with these names below a folder exist: lists each folder once and opens nothing."""
    listed: dict[str, frozenset[str]] = {}
    found: list[bool] = []
    for name in names:
        parent, base = os.path.split(os.path.join(folder, name))  # noqa: PTH118 - 118,000 Paths would take seconds
        if parent not in listed:
            listed[parent] = _files_of(parent)
        found.append(base in listed[parent])
    return found


def _files_of(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if not entry.is_dir())
    except OSError:  # no such folder, so no such file
        return frozenset()


def pictures_below(folder: Path) -> list[Path]:
    """All files below a folder whose suffix is a picture's, sorted.

    Raises:
        AnnotationError: there is no such folder.
    """
    if not folder.is_dir():
        raise AnnotationError(f"folder {folder} does not exist")
    return sorted(path for path in files_below(folder) if path.suffix.lower() in SUFFIXES)


def files_below(folder: Path) -> Iterable[Path]:
    """All files below a folder, hidden ones left out, linked folders followed."""
    for parent, _, names in os.walk(folder, followlinks=True):
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def size_wh(path: Path) -> tuple[int, int]:
    """Width and height in pixels of a picture turned upright by its EXIF orientation, as training reads it.

    Raises:
        AnnotationError: the file is no picture, or cannot be read.
    """
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            turned = picture.getexif().get(_ORIENTATION_TAG) in _QUARTER_TURNS
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as exc:
        raise AnnotationError(f"picture {path} cannot be read: {exc}") from exc
    return (height, width) if turned else (width, height)
