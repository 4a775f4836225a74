"""Conditions on a detection as people write them, `iou>=0.8 and score>=0.5`: parsed, never evaluated as code."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from dirdet.batch.arrow import arrow
from dirdet.batch.rows import BOX, FIGURES
from dirdet.errors import ParameterError

NUMBERS = (*FIGURES, *BOX, "class_id", "category_id")
TEXTS = ("label", "picture")
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<word>[A-Za-z_]\w*)|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign>>=|<=|==|!=|[<>()]))",
    re.ASCII,
)
# More brackets than anybody writes, and far fewer than Python's stack holds.
MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column against a value; false where the detector tells no such figure."""

    column: str
    sign: str
    value: float | str


@dataclass(frozen=True, slots=True)
class Negation:
    """The opposite."""

    of: "Condition"


@dataclass(frozen=True, slots=True)
class Junction:
    """Both, or at least one."""

    kind: Literal["and", "or"]
    left: "Condition"
    right: "Condition"


Condition = Comparison | Negation | Junction


def parse(text: str, *, parameter: str) -> Condition:
    """The condition that a text says; `not` binds before `and`, `and` before `or`.

    Raises:
        ParameterError: it cannot be understood; names the option and the place.
    """
    return _Parser(text, parameter).whole()


def written_out(condition: Condition) -> str:
    """The text that `parse` reads as this condition."""
    if isinstance(condition, Comparison):
        value = condition.value
        return f"{condition.column}{condition.sign}{_quoted(value) if isinstance(value, str) else repr(value)}"
    if isinstance(condition, Negation):
        return f"not ({written_out(condition.of)})"
    return f"({written_out(condition.left)}) {condition.kind} ({written_out(condition.right)})"


def columns_of(condition: Condition) -> set[str]:
    """The columns that are asked for."""
    if isinstance(condition, Comparison):
        return {condition.column}
    if isinstance(condition, Negation):
        return columns_of(condition.of)
    return columns_of(condition.left) | columns_of(condition.right)


def to_arrow(condition: Condition) -> Any:  # noqa: ANN401
    """As an expression by which pyarrow filters a table."""
    compute = arrow("pyarrow.compute")
    if isinstance(condition, Comparison):
        compared = COMPARISONS[condition.sign](compute.field(condition.column), compute.scalar(condition.value))
        return compared & compute.field(condition.column).is_valid()
    if isinstance(condition, Negation):
        return ~to_arrow(condition.of)
    left, right = to_arrow(condition.left), to_arrow(condition.right)
    return left & right if condition.kind == "and" else left | right


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


class _Parser:
    """Recursive descent: or, and, not, a bracket or a comparison."""

    def __init__(self, text: str, parameter: str) -> None:
        self._text, self._parameter = text, parameter
        self._tokens: list[tuple[str, str, int]] = []
        self._next = 0
        self._depth = 0
        place = 0
        end = len(text.rstrip())
        while place < end:
            match = _TOKEN.match(text, place)
            if match is None:
                self._refuse("expected a figure, a comparison or a number", place)
            kind = match.lastgroup or ""
            self._tokens.append((kind, match[kind], match.start(kind)))
            place = match.end()

    def whole(self) -> Condition:
        found = self._either()
        if self._next < len(self._tokens):
            self._refuse("expected `and`, `or` or the end", self._tokens[self._next][2])
        return found

    def _either(self) -> Condition:
        found = self._both()
        while self._take("word", "or"):
            found = Junction("or", found, self._both())
        return found

    def _both(self) -> Condition:
        found = self._one()
        while self._take("word", "and"):
            found = Junction("and", found, self._one())
        return found

    def _one(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"expected at most {MAX_DEPTH} brackets in each other", self._place())
        try:
            if self._take("word", "not"):
                return Negation(self._one())
            if self._take("sign", "("):
                found = self._either()
                if not self._take("sign", ")"):
                    self._refuse("expected )", self._place())
                return found
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Comparison:
        place = self._place()
        column = self._take("word")
        if column is None or column not in (*NUMBERS, *TEXTS):
            self._refuse(f"expected one of {', '.join((*NUMBERS, *TEXTS))}", place)
        place = self._place()
        sign = self._take("sign")
        if sign not in COMPARISONS or (column in TEXTS and sign not in ("==", "!=")):
            self._refuse(f"expected {'== or !=' if column in TEXTS else ' '.join(COMPARISONS)}", place)
        place = self._place()
        value = self._take("text" if column in TEXTS else "number")
        if value is None:
            self._refuse(f"expected {'a text in quotes' if column in TEXTS else 'a number'}", place)
        return Comparison(column, sign, value[1:-1] if column in TEXTS else float(value))

    def _take(self, kind: str, wanted: str | None = None) -> str | None:
        if self._next < len(self._tokens):
            found, text, _ = self._tokens[self._next]
            if found == kind and wanted in (None, text):
                self._next += 1
                return text
        return None

    def _place(self) -> int:
        return self._tokens[self._next][2] if self._next < len(self._tokens) else len(self._text)

    def _refuse(self, message: str, place: int) -> NoReturn:
        found = self._text[place : place + 20]
        raise ParameterError(self._parameter, f"{message} at character {place + 1}, found {found!r}")
