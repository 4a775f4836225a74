"""The picture files of annotations: their existence and their sizes."""

import os
from collections.abc import Iterable
from pathlib import Path

from dirdet.errors import PictureError
from dirdet.files import open_regular
from dirdet.pictures.formats import USUAL_SUFFIXES
from dirdet.pictures.reading import PictureLimits, open_picture, upright_wh
from dirdet_training.annotations.errors import AnnotationError

# OpenCV reads no larger ones.
LIMITS = PictureLimits(max_pixels=2**30, max_jpeg_scans=None)


def are_there(paths: Iterable[str]) -> list[bool]:
    """Checks which files exist; lists each folder once and opens no file."""
    listed: dict[str, frozenset[str]] = {}
    found: list[bool] = []
    for path in paths:
        parent, base = os.path.split(path)  # 118,000 Paths would take seconds
        if parent not in listed:
            listed[parent] = _files_of(parent)
        found.append(base in listed[parent])
    return found


def _files_of(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if not entry.is_dir())
    except OSError:  # the folder does not exist, so the file does not
        return frozenset()


def pictures_below(folder: Path) -> list[Path]:
    """Returns all files below a folder that have a picture's suffix, sorted.

    Raises:
        AnnotationError: the folder does not exist.
    """
    if not folder.is_dir():
        raise AnnotationError(f"folder {folder} does not exist")
    return sorted(path for path in files_below(folder) if path.suffix.lower() in USUAL_SUFFIXES)


def files_below(folder: Path) -> Iterable[Path]:
    """Finds all files below a folder except hidden ones; follows linked folders, and visits each folder once."""
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def size_wh(path: Path) -> tuple[int, int]:
    """Returns width and height in pixels of a picture, upright, as training reads it.

    Raises:
        AnnotationError: the file is not a picture, or cannot be read.
    """
    try:
        with open_regular(path) as file:
            return upright_wh(open_picture(file, limits=LIMITS))
    except (OSError, PictureError) as exc:
        raise AnnotationError(f"picture {path} cannot be read: {exc}") from exc
