"""A candidate and a detection, in the picture's own pixels, and their JSON both ways.

A field is declared only here. JSON, the API's schema and examples, the rows of Parquet and CSV files, the columns of
the converters and the client, and the page's tables are derived from the declaration.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from dirdet.detection.field_declaration import About, Box, Field, Kind, fields_of
from dirdet.detection.json_columns import decimals, significant, writers, written
from dirdet.detection.rle import Rle


def _read_box(sides: Any) -> Box:  # noqa: ANN401 - JSON
    x1, y1, x2, y2 = (float(side) for side in sides)
    return x1, y1, x2, y2


READERS: Mapping[Kind, Callable[..., Any]] = {
    "box": _read_box,
    "fraction": float,
    "integer": int,
    "text": str,
    "mask": Rle.from_json,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A box with a class, before NMS."""

    # Nine significant digits represent a float32 exactly: a client's NMS then uses the same numbers as the engine's.
    WRITERS: ClassVar = writers(side=significant(9), fraction=significant(9))

    box_xyxy: Annotated[
        Box,
        About(
            "x1, y1, x2, y2 in pixels of the picture, EXIF-upright; inside it",
            json="box",
            example=(12.5, 30.25, 200.0, 310.75),
        ),
    ]
    label: Annotated[str, About("name of the class", example="bird")]
    class_id: Annotated[int, About("from 0", example=0)]
    category_id: Annotated[int, About("the data set's own number", example=1)]
    score: Annotated[float, About("the classifier's probability", example=0.91)]
    purity: Annotated[
        float | None,
        About(
            "predicted overlap / area of the box; null from a detector without localization confidence",
            needs=("localization_confidence",),
            example=0.95,
        ),
    ] = None
    integrity: Annotated[
        float | None,
        About(
            "predicted overlap / area of the object; null as purity", needs=("localization_confidence",), example=0.9
        ),
    ] = None
    iou: Annotated[
        float | None,
        About(
            "localization confidence, 1 / (1/purity + 1/integrity - 1); null as purity",
            needs=("localization_confidence",),
            example=0.8592,
        ),
    ] = None
    score_calibrated: Annotated[
        float | None,
        About(
            "probability that class and box (IoU of at least 0.5) are right; null from a detector that is not "
            "calibrated",
            needs=("calibration",),
            example=0.58,
        ),
    ] = None
    iou_calibrated: Annotated[
        float | None,
        About(
            "expected IoU with the best object, 0 where there is none: how well the box fits; null as "
            "score_calibrated, and as purity",
            needs=("calibration", "localization_confidence"),
            example=0.79,
        ),
    ] = None
    outer_box_xyxy: Annotated[
        Box | None,
        About(
            "a larger box, x1, y1, x2, y2 in pixels and inside the picture, that contains the object with the "
            "probability that calibration.box_margin.coverage of GET /detector states; null without such a margin",
            json="outer_box",
            needs=("calibration",),
            example=(0.0, 0.0, 255.19, 393.32),
        ),
    ] = None

    def to_json(self) -> dict[str, Any]:
        """The object in the API's answers, with rounded numbers."""
        return all_to_json([self])[0]

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Reads the object that `to_json` wrote; unknown members are ignored.

        Raises:
            KeyError: a mandatory member is missing.
            TypeError: a member has another type.
            ValueError: a member's value cannot be read.
        """
        values: dict[str, Any] = {}
        for each in fields_of(cls):
            value = told.get(each.json) if each.optional else told[each.json]
            values[each.name] = None if each.optional and value is None else READERS[each.kind](value)
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection(Candidate):
    """One object: a candidate that NMS kept."""

    # Five significant digits, not decimals: iou and confidence then equal those computed from the rounded numbers to a
    # relative 1e-5, also for small values, and rounding keeps the order.
    WRITERS: ClassVar = writers(side=decimals(2), fraction=significant(5))

    confidence: Annotated[
        float, About("score^(1-w) * iou^w with w = iou_weight: what ranks the detections", example=0.88424)
    ]
    mask: Annotated[
        Rle | None, About("the object's pixels; null from a detector without masks", needs=("mask_threshold",))
    ] = None


class Found(NamedTuple):
    """Detections and candidates of one picture.

    Attributes:
        detections: most confident first.
        candidates: best scored first; None if the request did not ask for them.
    """

    detections: list[Detection]
    candidates: list[Candidate] | None = None


def all_to_json(items: Sequence[Candidate]) -> list[dict[str, Any]]:
    """As `Candidate.to_json` of each, all of one class; several at once take much less time than one after another."""
    if not items:
        return []
    cls = type(items[0])
    columns: dict[str, Sequence[Any]] = {}
    for kind, fields in _fields_by_kind(cls).items():
        values = [getattr(item, each.name) for each in fields for item in items]
        told = written(values, cls.WRITERS[kind])
        columns |= {
            each.json: told[start : start + len(items)]
            for each, start in zip(fields, range(0, len(told), len(items)), strict=True)
        }
    members = [each.json for each in fields_of(cls)]
    return [dict(zip(members, row, strict=True)) for row in zip(*(columns[member] for member in members), strict=True)]


@cache
def _fields_by_kind(cls: type[Candidate]) -> Mapping[Kind, Sequence[Field]]:
    found: defaultdict[Kind, list[Field]] = defaultdict(list)
    for each in fields_of(cls):
        found[each.kind].append(each)
    return found


FIGURES = tuple(each.name for each in fields_of(Detection) if each.kind == "fraction")


def example(cls: type[Candidate]) -> Any:  # noqa: ANN401 - an instance of it
    """An instance with the example values of the declarations."""
    return cls(**{each.name: each.about.example for each in fields_of(cls)})
