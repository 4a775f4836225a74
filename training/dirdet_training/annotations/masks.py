"""Reads instance masks in picture files: a folder for each picture, a mask for each object (Data Science Bowl 2018)."""

from pathlib import Path
from typing import Any

import numpy as np

from dirdet.detection.rle import Rle, encode
from dirdet.errors import PictureError
from dirdet.files import open_regular
from dirdet.pictures.formats import USUAL_SUFFIXES
from dirdet.pictures.reading import open_picture
from dirdet_training.annotations.classes import checked_names
from dirdet_training.annotations.dataset import Converted, DrawnBox, Picture
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.lists import chosen
from dirdet_training.annotations.pictures import size_wh

PICTURES, MASKS = "images", "masks"


def read_masks(
    source: Path, pictures: Path, *, label: str = "object", listed: tuple[str, ...] | None = None
) -> Converted:
    """Reads `NAME/images/*` (one picture) and `NAME/masks/*` (one object each, with every pixel above 0).

    Args:
        source: the folder that holds a folder for each picture.
        pictures: the folder that file names are relative to: source, or one above it.
        label: the objects' class; the format has no classes.
        listed: the lines of a list of the pictures to read; None reads all.

    Raises:
        AnnotationError: a folder is missing, or source holds no folder of a picture.
    """
    if not source.is_dir():
        raise AnnotationError(f"folder {source} does not exist")
    if not source.resolve().is_relative_to(pictures.resolve()):
        raise AnnotationError(f"--format masks finds its pictures below {source}, which is not below {pictures}")
    folders = [path.parent for path in sorted(source.glob(f"*/{PICTURES}")) if path.is_dir()]
    if not folders:
        raise AnnotationError(f"there are no folders NAME/{PICTURES} below {source}")
    found: list[Picture] = []
    unreadable: list[str] = []
    for folder in chosen(folders, listed, source):
        try:
            found.append(_picture(folder, pictures, label, unreadable))
        except AnnotationError as exc:
            unreadable.append(f"{folder}: {exc}")
    return Converted(tuple(found), checked_names((label,), source), tuple(unreadable))


def _picture(folder: Path, pictures: Path, label: str, unreadable: list[str]) -> Picture:
    files = _files(folder / PICTURES)
    if len(files) != 1:
        raise AnnotationError(f"{PICTURES}/ holds {len(files)} pictures, expected 1")
    size = size_wh(files[0])
    boxes: list[DrawnBox] = []
    for mask in _files(folder / MASKS):
        try:
            boxes.append(_object(mask, size, label))
        except AnnotationError as exc:
            unreadable.append(f"{mask}: {exc}")
    name = files[0].resolve().relative_to(pictures.resolve()).as_posix()
    return Picture(name, size, tuple(boxes))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in USUAL_SUFFIXES)


def _object(path: Path, picture_wh: tuple[int, int], label: str) -> DrawnBox:
    """Reads the box and the run lengths of one mask."""
    try:
        with open_regular(path) as file:
            pixels = np.asarray(open_picture(file))
    except (OSError, PictureError, ValueError, SyntaxError) as exc:  # Pillow's of broken pixels
        raise AnnotationError(f"the mask cannot be read: {exc}") from exc
    inside = pixels[..., 0] > 0 if pixels.ndim == 3 else pixels > 0  # [H, W]
    if inside.shape[::-1] != picture_wh:
        height, width = inside.shape
        raise AnnotationError(f"the mask is {width}x{height}, its picture {picture_wh[0]}x{picture_wh[1]}")
    return drawn(inside, label)


def drawn(inside: np.ndarray[Any, np.dtype[np.bool_]], label: str, *, is_crowd: bool = False) -> DrawnBox:
    """Makes the object of a mask [H, W] of a whole picture.

    Raises:
        AnnotationError: the mask has no pixel.
    """
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        raise AnnotationError("the mask is empty")
    left, top, right, bottom = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    height, width = inside.shape
    mask: Rle = encode(inside[top:bottom, left:right], left=left, top=top, picture_hw=(height, width))
    return DrawnBox(label, (left, top, right, bottom), is_crowd, mask)
