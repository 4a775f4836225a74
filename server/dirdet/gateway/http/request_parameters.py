"""The parameters of a request: the query, the Accept header and the timeout."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import get_origin

from starlette.datastructures import QueryParams

from dirdet.api.problems import ParameterProblem
from dirdet.detector.options import DetectOptions
from dirdet.errors import NotAcceptableError, ParameterError

NAMES = tuple(DetectOptions.model_fields)
SINGLE = tuple(name for name, field in DetectOptions.model_fields.items() if get_origin(field.annotation) is not list)
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
MOST_DIGITS = 15
# Of an Accept header: browsers send ten. Further ranges are ignored.
MOST_RANGES = 100
MOST_SHOWN = 200


def repeated(query: QueryParams) -> list[ParameterProblem]:
    """Single-valued parameters that are given several times; FastAPI would silently take the last."""
    given = {name: query.getlist(name) for name in SINGLE}
    return [
        ParameterProblem(
            parameter=name, detail=f"expected one value, got {len(values)}: {', '.join(map(repr, values))}"
        )
        for name, values in given.items()
        if len(values) > 1
    ]


def unknown(name: str) -> str:
    """The message for a parameter that does not exist, with similar names or all names."""
    close = get_close_matches(name.lower().replace("-", "_"), NAMES)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(NAMES)}"
    return f"there is no such parameter; {hint}"


def read_timeout_s(value: str, *, max_s: float) -> float:
    """Seconds from a request's header, the maximum at most.

    Raises:
        ParameterError: no whole number of milliseconds, at least 1.
    """
    digits = value.strip()
    # int() of a thousand digits takes long, and is never meant.
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= MOST_DIGITS and int(digits) >= 1):
        raise ParameterError(TIMEOUT_HEADER, f"expected a whole number of milliseconds, at least 1, got {value!r}")
    return min(int(digits) / 1000, max_s)


def negotiate(accept: str | None, offered: Sequence[str]) -> str:
    """The offered type that the client likes best (RFC 9110, section 12.5.1).

    Of types with equal weight the more closely named wins, then the one named first, then the one offered first.

    Args:
        accept: the header; its first `MOST_RANGES` ranges count. None or empty accepts anything.
        offered: media types, the server's favourite first.

    Raises:
        NotAcceptableError: the client accepts none of them.
    """
    ranges = _parse(accept or "*/*") or [("*/*", 1.0)]
    best: tuple[float, int, int] | None = None
    chosen = None
    for media_type in offered:
        matches = [
            (specificity, -position, quality)
            for position, (named, quality) in enumerate(ranges)
            if (specificity := _specificity(named, media_type)) is not None
        ]
        if not matches:
            continue
        specificity, position, quality = max(matches)
        key = (quality, specificity, position)
        if quality > 0 and (best is None or key > best):
            best, chosen = key, media_type
    if chosen is None:
        shown = accept if accept is None or len(accept) <= MOST_SHOWN else f"{accept[:MOST_SHOWN]}..."
        raise NotAcceptableError(f"the answer can be {', '.join(offered)}; the request accepts {shown!r}")
    return chosen


def _specificity(named: str, media_type: str) -> int | None:
    """How closely an element of Accept names the type: 2 exactly, 1 its main type, 0 anything; None not at all."""
    main, _, _ = media_type.partition("/")
    return {media_type: 2, f"{main}/*": 1, "*/*": 0}.get(named)


def _parse(accept: str) -> list[tuple[str, float]]:
    """The elements of an Accept header, type/subtype with its weight, in order."""
    ranges: list[tuple[str, float]] = []
    for element in accept.split(",", MOST_RANGES)[:MOST_RANGES]:
        media_type, *parameters = (part.strip().lower() for part in element.split(";"))
        main, slash, sub = media_type.partition("/")
        if slash and main and sub:
            ranges.append((media_type, _quality(parameters)))
    return ranges


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0  # a malformed weight must not win
    return 1.0
