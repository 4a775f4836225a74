"""What FastAPI lets pass in the query of POST /detect, and how a parameter that does not exist is answered."""

from difflib import get_close_matches
from typing import get_origin

from starlette.datastructures import QueryParams

from dirdet.options import DetectOptions
from dirdet.problems import ParameterProblem

NAMES = tuple(DetectOptions.model_fields)
SINGLE = tuple(name for name, field in DetectOptions.model_fields.items() if get_origin(field.annotation) is not list)


def repeated(query: QueryParams) -> list[ParameterProblem]:
    """The parameters of one value that are given several; FastAPI takes the last and says nothing."""
    given = {name: query.getlist(name) for name in SINGLE}
    return [
        ParameterProblem(
            parameter=name, detail=f"expected one value, got {len(values)}: {', '.join(map(repr, values))}"
        )
        for name, values in given.items()
        if len(values) > 1
    ]


def unknown(name: str) -> str:
    """What is said of a parameter that does not exist: those it was probably meant to be, or all there are."""
    close = get_close_matches(name.lower().replace("-", "_"), NAMES)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(NAMES)}"
    return f"there is no such parameter; {hint}"
