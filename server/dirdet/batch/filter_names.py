"""Names that a condition may use: columns that the detector reports, its classes, and functions of numbers and text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn, cast

from dirdet.batch.rows import detection_schema
from dirdet.detection import Detection
from dirdet.detection.field_declaration import fields_of
from dirdet.detector.options import Described
from dirdet.errors import ParameterError

TABLE = "detections"
# DuckDB parses this text followed by the condition; it counts error positions from the start of this text.
BEFORE = f"SELECT 1 FROM {TABLE} WHERE "  # nosec B608: a constant
EXPRESSIONS = {
    "BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "OPERATOR", "TYPE",
}  # fmt: skip
# Deterministic functions whose values are no larger than their arguments, so that the number of rows bounds time and
# memory.
FUNCTIONS = (
    "abs", "ceil", "contains", "ends_with", "exp", "floor", "greatest", "least", "length", "ln", "lower", "position",
    "pow", "regexp_full_match", "regexp_matches", "round", "sqrt", "starts_with", "substring", "trim", "upper",
)  # fmt: skip
OPERATORS = (
    "+", "-", "*", "/", "//", "%", "^", "**", "^@", "~~", "!~~", "~~*", "!~~*", "~~~", "like_escape",
    "not_like_escape", "ilike_escape", "not_ilike_escape",
)  # fmt: skip
# Most known names that an error lists.
NAMES_SHOWN = 30


@dataclass(frozen=True, slots=True)
class NameCheck:
    """Refuses names that a condition must not use.

    Attributes:
        text: the condition.
        parameter: the option that gave it.
        described: the detector.
    """

    text: str
    parameter: str
    described: Described

    def check(self, tree: dict[str, Any]) -> None:
        """Checks every expression of a condition, in DuckDB's JSON.

        Raises:
            ParameterError: a column, class, function or kind of expression is unknown; the message gives the position.
        """
        for each in _expressions(tree):
            kind = each["class"]
            if kind not in EXPRESSIONS:
                self._refuse(each, f"expected columns, values and functions of them, got a {kind.lower()}")
            if kind == "FUNCTION" and each["function_name"].lower() not in (*FUNCTIONS, *OPERATORS):
                self._refuse(each, f"unknown function {each['function_name']!r}", FUNCTIONS)
            if kind == "COLUMN_REF":
                self._check_column(each)
            if kind in {"COMPARISON", "OPERATOR"}:
                self._check_classes(each)

    def refuse(self, message: str, place: int, known: Sequence[str] = ()) -> NoReturn:
        """Raises the error for a byte position in `BEFORE` and the condition.

        Raises:
            ParameterError: always.
        """
        if place < len(BEFORE):
            raise ParameterError(self.parameter, "expected a condition, got nothing")
        query = (BEFORE + self.text).encode()
        before, found = (part.decode(errors="replace") for part in (query[len(BEFORE) : place], query[place:]))
        names = f"; known: {', '.join(known[:NAMES_SHOWN])}" if known else ""
        more = f" and {len(known) - NAMES_SHOWN} more" if len(known) > NAMES_SHOWN else ""
        raise ParameterError(
            self.parameter, f"{message} at character {len(before) + 1}, found {found[:20]!r}{names}{more}"
        )

    def _check_column(self, reference: dict[str, Any]) -> None:
        *table, column = reference["column_names"]
        missing = unreported_figures(self.described)
        known = [name for name in detection_schema().names if name not in missing]
        if not table or table == [TABLE]:
            if column.lower() in known:
                return
            if column.lower() in missing:
                self._refuse(reference, f"detector {self.described.name!r} does not report {column}")
        if column in self._class_names():
            self._refuse(reference, f"expected the class {column!r} in single quotes")
        self._refuse(reference, f"unknown column {'.'.join([*table, column])!r}", known)

    def _check_classes(self, expression: dict[str, Any]) -> None:
        """Refuses label = 'x' and label IN ('x') with an unknown class."""
        sides = [expression["left"], expression["right"]] if "left" in expression else expression["children"]
        columns = [each["column_names"][-1].lower() for each in sides if each["class"] == "COLUMN_REF"]
        if "label" not in columns:
            return
        names = self._class_names()
        for each in sides:
            value = each["literal"] if each["class"] == "CONSTANT" else {"kind": "none"}
            if value["kind"] == "STRING" and value["text"] not in names:
                nearest = dict.fromkeys(get_close_matches(value["text"], names) + names)
                self._refuse(each, f"unknown class {value['text']!r}", list(nearest))

    def _class_names(self) -> list[str]:
        return [category.name for category in self.described.categories]

    def _refuse(self, expression: dict[str, Any], message: str, known: Sequence[str] = ()) -> NoReturn:
        self.refuse(message, int(expression["query_location"]), known)


def unreported_figures(described: Described) -> set[str]:
    """The figures that a detector never reports."""
    fractions = (each for each in fields_of(Detection) if each.kind == "fraction")
    return {each.name for each in fractions if any(getattr(described, need) is None for need in each.about.needs)}


def columns_of(tree: dict[str, Any]) -> tuple[str, ...]:
    """The columns that a condition names, each once, in order."""
    named = (each["column_names"][-1].lower() for each in _expressions(tree) if each["class"] == "COLUMN_REF")
    return tuple(dict.fromkeys(named))


def cuts_of(tree: dict[str, Any]) -> dict[str, tuple[float, ...]]:
    """The numbers that a condition compares each column with, in order."""
    found: dict[str, dict[float, None]] = {}
    for each in _expressions(tree):
        if each["class"] not in {"COMPARISON", "BETWEEN"}:
            continue
        sides = [each[name] for name in ("left", "right", "input", "lower", "upper") if name in each]
        columns = [side["column_names"][-1].lower() for side in sides if side["class"] == "COLUMN_REF"]
        constants = [side["literal"] for side in sides if side["class"] == "CONSTANT"]
        numbers = [float(value["text"]) for value in constants if value["kind"] in {"INTEGER", "NUMERIC"}]
        for column in columns:
            found.setdefault(column, {}).update(dict.fromkeys(numbers))
    return {column: tuple(numbers) for column, numbers in found.items() if numbers}


def _expressions(tree: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Every expression, a parent before its children, from left to right."""
    waiting: list[Any] = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            node = cast(dict[str, Any], each)
            if "class" in node:
                yield node
            waiting += reversed(node.values())
        elif isinstance(each, list):
            waiting += reversed(cast(list[Any], each))
