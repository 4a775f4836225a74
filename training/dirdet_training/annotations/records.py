"""Reads COCO JSON into small records that have only the fields that boxes need, with values of any type."""

import codecs
from pathlib import Path
from typing import Any

import msgspec
from pydantic_core import from_json

from dirdet.files import MOST_ANNOTATIONS_BYTES, read_regular
from dirdet_training.annotations.errors import AnnotationError


class PictureRecord(msgspec.Struct, gc=False):
    """One entry of `images`; width and height in pixels. An absent field is None."""

    id: Any = None
    file_name: Any = None
    width: Any = None
    height: Any = None


class ObjectRecord(msgspec.Struct):
    """One entry of `annotations`; bbox is x, y, width, height in pixels. An absent field is None."""

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
    """The records of a COCO file in the file's order."""

    images: list[PictureRecord]
    annotations: list[ObjectRecord]
    categories: list[CategoryRecord]


def read_coco(path: Path) -> CocoFile:
    """Reads the records of a COCO JSON file; segmentations and all other fields are skipped.

    Raises:
        AnnotationError: the file is missing, is not JSON, lacks one of COCO's three lists, or names a category twice.
    """
    content = json_bytes(path)
    try:
        found = msgspec.json.decode(content, type=CocoFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Python's json, which training uses, and pydantic's parser also accept NaN and Infinity, which the check
        # reports.
        return records_of(_read_with_nan(path, content), path)
    return _without_repeated_categories(found, path)


def records_of(content: object, path: Path) -> CocoFile:
    """Makes the records of a file that has been read as plain dictionaries and lists.

    Raises:
        AnnotationError: the content lacks one of COCO's three lists, or names a category twice.
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
    """Reads the whole of a COCO JSON file that `read_coco` has read, as plain dictionaries and lists."""
    content = json_bytes(path)
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_with_nan(path, content)


def json_bytes(path: Path) -> bytes:
    """Reads a file's bytes without the byte order mark that some Windows programs write before UTF-8.

    Raises:
        AnnotationError: the file does not exist or cannot be read.
    """
    return read_bytes(path).removeprefix(codecs.BOM_UTF8)


def has_mark(path: Path) -> bool:
    """Checks whether a file begins with a byte order mark, which MMDetection refuses."""
    with path.open("rb") as file:
        return file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8


def read_bytes(path: Path) -> bytes:
    """Reads a file's bytes.

    Raises:
        AnnotationError: the file does not exist or cannot be read.
    """
    try:
        return read_regular(path, most_bytes=MOST_ANNOTATIONS_BYTES)
    except OSError as exc:
        raise AnnotationError(f"annotation file {path} cannot be read: {exc.strerror or exc}") from exc


def _read_with_nan(path: Path, content: bytes) -> Any:  # noqa: ANN401
    try:
        return from_json(content)
    except ValueError as exc:
        raise AnnotationError(f"{path} is not JSON: {exc}") from exc
