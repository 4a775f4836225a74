"""A file's records as arrays: one row for each record, with a mask of the records that have all needed fields."""

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from dirdet_training.annotations.boxes import Bools, Floats
from dirdet_training.annotations.findings import Rows
from dirdet_training.annotations.records import CocoFile, ObjectRecord, PictureRecord

_NUMBERS = frozenset({int, float})
_MARKS = frozenset({int, bool, float})


@dataclasses.dataclass(frozen=True)
class Pictures:
    """P pictures.

    Attributes:
        usable: whether the record has a file name, an id, and a size of whole pixels: [P].
        repeated: whether an earlier record has the same id: [P].
        sizes_wh: pixels, nan if not usable: [P, 2].
        row_of: the first row of each id.
    """

    usable: Bools
    repeated: Bools
    sizes_wh: Floats
    row_of: dict[Hashable, int]


@dataclasses.dataclass(frozen=True)
class Objects:
    """N annotations.

    Attributes:
        usable: whether the record has all needed fields with the right types: [N].
        repeated: whether an earlier record has the same id: [N].
        boxes_xywh: pixels, nan if not usable: [N, 4].
        areas: square pixels, nan if not usable: [N].
        picture_rows: rows of their pictures, -1 if the file has no such picture: [N].
        category_rows: rows of their categories, -1 if the file has no such category: [N].
        crowd, ignored: whether the annotation is marked so: [N].
    """

    usable: Bools
    repeated: Bools
    boxes_xywh: Floats
    areas: Floats
    picture_rows: Rows
    category_rows: Rows
    crowd: Bools
    ignored: Bools


def picture_columns(pictures: Sequence[PictureRecord]) -> Pictures:
    """Makes the columns of a file's pictures."""
    usable = np.array([_is_picture(picture) for picture in pictures], bool)
    sizes = [
        (picture.width, picture.height) if good else (np.nan, np.nan)
        for picture, good in zip(pictures, usable.tolist(), strict=True)
    ]
    row_of: dict[Hashable, int] = {}
    first = [
        not _is_id(picture.id) or row_of.setdefault(picture.id, row) == row for row, picture in enumerate(pictures)
    ]
    return Pictures(usable, ~np.array(first, bool), np.array(sizes, np.float64).reshape(-1, 2), row_of)


def object_columns(content: CocoFile, pictures: Pictures) -> Objects:
    """Makes the columns of a file's annotations."""
    records = content.annotations
    usable = np.array([_is_object(record) for record in records], bool)
    flags = usable.tolist()
    nothing = (np.nan,) * 4
    boxes = [record.bbox if good else nothing for record, good in zip(records, flags, strict=True)]
    areas = [record.area if good else np.nan for record, good in zip(records, flags, strict=True)]
    ids: set[int] = set()
    repeated: list[bool] = []
    for record, good in zip(records, flags, strict=True):
        repeated.append(good and record.id in ids)
        if good:
            ids.add(record.id)
    row_of, category_row = pictures.row_of, {category.id: row for row, category in enumerate(content.categories)}
    return Objects(
        usable=usable,
        repeated=np.array(repeated, bool),
        boxes_xywh=_floats(boxes).reshape(-1, 4),
        areas=_floats(areas),
        picture_rows=np.array(
            [row_of.get(record.image_id, -1) if good else -1 for record, good in zip(records, flags, strict=True)],
            np.intp,
        ),
        category_rows=np.array(
            [
                category_row.get(record.category_id, -1) if good else -1
                for record, good in zip(records, flags, strict=True)
            ],
            np.intp,
        ),
        crowd=np.array([record.iscrowd in (1, True) for record in records], bool),
        ignored=np.array([bool(record.ignore) for record in records], bool),
    )


def _floats(values: Sequence[Any]) -> Floats:
    """Makes an array of numbers; integers beyond a float's range become infinite."""
    try:
        return np.array(values, np.float64)
    except OverflowError:
        return np.array([_floats(value) if isinstance(value, Sequence) else _float(value) for value in values])


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf


def _is_id(value: Any) -> bool:  # noqa: ANN401
    return type(value) in (int, str)


def _is_picture(picture: PictureRecord) -> bool:
    return (
        _is_id(picture.id)
        and type(picture.file_name) is str
        and picture.file_name != ""
        and type(picture.width) in _NUMBERS
        and type(picture.height) in _NUMBERS
        and 1 <= picture.width < 2**31
        and 1 <= picture.height < 2**31
    )


def _is_object(record: ObjectRecord) -> bool:
    """Checks the fields without which COCO's own tools fail or leave the object out."""
    box = record.bbox
    return (
        type(record.id) is int
        and _is_id(record.image_id)
        and type(record.category_id) is int
        and type(box) is list
        and len(box) == 4
        and _NUMBERS.issuperset(map(type, box))
        and type(record.area) in _NUMBERS
        and type(record.iscrowd) in _MARKS
        and record.iscrowd in (0, 1)
    )
