"""Reading COCO JSON into light records: only the fields that boxes need, whatever their types."""

import json
from pathlib import Path
from typing import Any

import msgspec

from dirdet_training.annotations.errors import AnnotationError


class PictureRecord(msgspec.Struct, gc=False):
    """One entry of `images`; width and height in pixels. None stands for what is absent."""

    id: Any = None
    file_name: Any = None
    width: Any = None
    height: Any = None


class ObjectRecord(msgspec.Struct):
    """One entry of `annotations`; bbox is x, y, width, height in pixels. None stands for what is absent."""

    id: Any = None
    image_id: Any = None
    category_id: Any = None
    bbox: Any = None
    area: Any = None
    iscrowd: Any = None
    ignore: Any = None


class CategoryRecord(msgspec.Struct, frozen=True):
    """One entry of `categories`."""

    id: int
    name: str


class CocoFile(msgspec.Struct, frozen=True):
    """What a COCO file holds, in the file's order."""

    images: list[PictureRecord]
    annotations: list[ObjectRecord]
    categories: list[CategoryRecord]


def read_coco(path: Path) -> CocoFile:
    """The records of a COCO JSON file; segmentations and all other fields are passed over.

    Raises:
        AnnotationError: the file is missing, is no JSON, has not COCO's three lists, or names a category twice.
    """
    content = read_bytes(path)
    try:
        found = msgspec.json.decode(content, type=CocoFile)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Python's json, which training reads with, also knows NaN and Infinity: the check names them by annotation.
        return records_of(_read_with_nan(path, content), path)
    return _without_repeated_categories(found, path)


def records_of(content: object, path: Path) -> CocoFile:
    """`read_coco` of a file that has been read as plain dictionaries and lists.

    Raises:
        AnnotationError: it has not COCO's three lists, or names a category twice.
    """
    try:
        found = msgspec.convert(content, CocoFile)
    except msgspec.ValidationError as exc:
        raise AnnotationError(f"{path} is not COCO JSON: {exc}") from exc
    return _without_repeated_categories(found, path)


def _without_repeated_categories(found: CocoFile, path: Path) -> CocoFile:
    for field in ("id", "name"):
        seen: set[object] = set()
        for category in found.categories:
            value = getattr(category, field)
            if value in seen:
                raise AnnotationError(f"{path}: two categories have the {field} {value!r}")
            seen.add(value)
    return found


def read_whole(path: Path) -> dict[str, Any]:
    """All of a COCO JSON file that `read_coco` has read, as plain dictionaries and lists."""
    content = read_bytes(path)
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _read_with_nan(path, content)


def read_bytes(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        AnnotationError: there is no such file, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as exc:
        raise AnnotationError(f"annotation file {path} cannot be read: {exc.strerror or exc}") from exc


def _read_with_nan(path: Path, content: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise AnnotationError(f"{path} is not JSON: {exc}") from exc
