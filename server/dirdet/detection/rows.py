"""A detection as a flat row of numbers and texts, for Parquet and CSV tables."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from dirdet.detection.detection import Detection, all_to_json
from dirdet.detection.field_declaration import Field, Kind, fields_of
from dirdet.detection.rle import Rle

SIDES = ("x1", "y1", "x2", "y2")


class Column(NamedTuple):
    """A column of the table; the type has Arrow's name."""

    name: str
    type: Literal["float64", "int64", "string"]


TYPES: Mapping[Kind, Literal["float64", "int64", "string"]] = {
    "box": "float64",
    "fraction": "float64",
    "integer": "int64",
    "text": "string",
    "mask": "string",
}
FIELDS = fields_of(Detection)


def names_of(field: Field) -> tuple[str, ...]:
    """The column names of a field: four for a box (x1 of `box`, outer_x1 of `outer_box`), else one."""
    if field.kind != "box":
        return (field.json,)
    return tuple(f"{field.json.removesuffix('box')}{side}" for side in SIDES)


COLUMNS = tuple(Column(name, TYPES[field.kind]) for field in FIELDS for name in names_of(field))


def to_rows(detections: Sequence[Detection]) -> list[dict[str, Any]]:
    """Of each its values by column, rounded as in JSON; a mask is its run lengths, and its size is the picture's."""
    return [_row(told) for told in all_to_json(detections)]


def _row(told: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field in FIELDS:
        value = told[field.json]
        if field.kind == "box":
            row |= dict(zip(names_of(field), value or [None] * 4, strict=True))
        elif field.kind == "mask":
            row[field.json] = None if value is None else value["counts"]
        else:
            row[field.json] = value
    return row


def from_row(row: Mapping[str, Any], picture_hw: tuple[int, int]) -> Detection:
    """The detection of a row that `to_rows` made.

    Args:
        row: other columns are ignored.
        picture_hw: height and width of its picture in pixels.
    """
    return Detection(**{field.name: _value(row, field, picture_hw) for field in FIELDS})


def _value(row: Mapping[str, Any], field: Field, picture_hw: tuple[int, int]) -> Any:  # noqa: ANN401 - by its kind
    values = [row[name] for name in names_of(field)]
    if values[0] is None:
        return None
    if field.kind == "box":
        return tuple(values)
    return Rle(picture_hw, values[0]) if field.kind == "mask" else values[0]
