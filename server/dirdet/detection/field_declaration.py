"""Declaration of a detection's fields, and how values of each kind are written to and read from JSON."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_type_hints

from dirdet.detection.rle import Rle

Box = tuple[float, float, float, float]
Kind = Literal["box", "fraction", "integer", "text", "mask"]
# Properties of a detector that a field can depend on.
Need = Literal["localization_confidence", "calibration", "mask_threshold"]
KINDS: Mapping[type, Kind] = {Box: "box", float: "fraction", int: "integer", str: "text", Rle: "mask"}


@dataclass(frozen=True, slots=True)
class About:
    """A field's annotation beside its type.

    Attributes:
        description: meaning, unit, and when it is null.
        example: a value, for the documentation.
        json: name of the member in JSON; the attribute's unless given.
        needs: properties of the detector without which the field is None.
    """

    description: str
    example: Any = None
    json: str | None = None
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a class whose annotations are `Annotated[type, About(...)]`.

    Attributes:
        name: the attribute's.
        json: the member's in JSON.
        kind: derived from the type; float is a fraction, 0..1.
        optional: may be None.
        about: the rest of the declaration.
    """

    name: str
    json: str
    kind: Kind
    optional: bool
    about: About


@cache
def fields_of(cls: type) -> tuple[Field, ...]:
    """The fields of a dataclass, in order, those of its base first."""
    annotations = get_type_hints(cls, include_extras=True)
    fields: list[Field] = []
    for each in dataclasses.fields(cls):
        annotation, about = get_args(annotations[each.name])
        optional = NoneType in get_args(annotation)
        told = get_args(annotation)[0] if optional else annotation
        fields.append(Field(each.name, about.json or each.name, KINDS[told], optional, about))
    return tuple(fields)
