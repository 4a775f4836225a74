"""Errors as RFC 9457 problems: one table maps an error to its response."""

from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from dirdet import errors

MEDIA_TYPE = "application/problem+json"

# Within this time a remote engine that is available again is detected.
RETRY_AFTER_S = 2


class ParameterProblem(BaseModel):
    """One parameter that is wrong."""

    parameter: str = Field(description="its name, as in the request")
    detail: str = Field(description="what was expected and what was found")


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="kind of problem; about:blank if the status describes it fully")
    title: str = Field(description="the kind of problem in a few words, the same each time")
    status: int = Field(description="of HTTP")
    detail: str = Field(description="what was expected and what was found, as text")
    instance: str | None = Field(default=None, description="identifies this occurrence in the server's log")
    errors: list[ParameterProblem] | None = Field(default=None, description="every parameter that is wrong")
    images: "list[ImageFailure] | None" = Field(
        default=None,
        description="if none of several pictures can be read: each picture with its error, in the order sent",
    )

    def to_json(self) -> dict[str, Any]:
        """The problem without members that are None."""
        return self.model_dump(exclude_none=True)


class ImageFailure(BaseModel):
    """A picture of a request with several that could not be read."""

    name: str = Field(description="the file's name as sent")
    error: Problem = Field(description="why it could not be read")


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    name: str
    title: str
    retry_after_s: int | None = None


KINDS: dict[type[errors.DirdetError], _Kind] = {
    errors.NoPictureError: _Kind(400, "no-picture", "No picture"),
    errors.RequestError: _Kind(400, "malformed-request", "The request cannot be read"),
    errors.UnauthorizedError: _Kind(401, "unauthorized", "A key is needed"),
    errors.ForbiddenError: _Kind(403, "forbidden", "The key does not open this"),
    errors.UnreadableError: _Kind(403, "unreadable", "The file cannot be read"),
    errors.NotFoundError: _Kind(404, "not-found", "No such picture"),
    errors.UnknownDetectorError: _Kind(404, "unknown-detector", "No such detector"),
    errors.NotAcceptableError: _Kind(406, "not-acceptable", "No acceptable answer"),
    errors.ReloadError: _Kind(409, "not-reloaded", "The detector was not replaced"),
    errors.PictureTooLargeError: _Kind(413, "picture-too-large", "The picture is too large"),
    errors.RequestTooLargeError: _Kind(413, "request-too-large", "The request is too large"),
    errors.NotAPictureError: _Kind(415, "not-a-picture", "Not a picture"),
    errors.UnsupportedBodyError: _Kind(415, "unsupported-body", "The body's type is not read"),
    errors.BrokenPictureError: _Kind(422, "broken-picture", "The picture is broken or truncated"),
    errors.MisdirectedError: _Kind(421, "misdirected", "Another host was asked"),
    errors.ParameterError: _Kind(422, "bad-parameter", "A parameter is wrong"),
    errors.RateLimitError: _Kind(429, "too-many-requests", "Too many requests"),
    errors.EngineError: _Kind(503, "engine-unavailable", "The detector does not answer", RETRY_AFTER_S),
    errors.EngineMemoryError: _Kind(503, "out-of-memory", "The detector has no memory left", RETRY_AFTER_S),
    errors.OverloadedError: _Kind(503, "overloaded", "The server has no room for the request now", RETRY_AFTER_S),
    errors.NotReadyError: _Kind(503, "not-ready", "The detector is not loaded yet", RETRY_AFTER_S),
    errors.StoppingError: _Kind(503, "stopping", "The server is stopping", RETRY_AFTER_S),
    errors.DeadlineError: _Kind(504, "deadline-exceeded", "The request was not answered in time"),
}


def problem_of(error: errors.DirdetError) -> Problem:
    """The problem of an error; the most specific entry of the table applies."""
    kind = _kind_of(error)
    if kind is None:
        return plain_problem(500, "the server met an error it did not expect")
    wrong = None
    if isinstance(error, errors.ParameterError):
        wrong = [ParameterProblem(parameter=error.parameter, detail=error.message)]
    return Problem(
        type=f"urn:dirdet:problem:{kind.name}", title=kind.title, status=kind.status, detail=str(error), errors=wrong
    )


def headers_of(error: errors.DirdetError) -> dict[str, str]:
    """Headers of the problem's response: Retry-After, and WWW-Authenticate (RFC 6750)."""
    if isinstance(error, errors.UnauthorizedError):
        return {"WWW-Authenticate": 'Bearer realm="dirdet"' + (', error="invalid_token"' if error.invalid else "")}
    if isinstance(error, errors.ForbiddenError):
        return {"WWW-Authenticate": 'Bearer realm="dirdet", error="insufficient_scope"'}
    if isinstance(error, errors.RateLimitError):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, errors.OverloadedError):
        return {"Retry-After": str(max(ceil(error.retry_after_s), 1))}
    kind = _kind_of(error)
    return {} if kind is None or kind.retry_after_s is None else {"Retry-After": str(kind.retry_after_s)}


def _kind_of(error: errors.DirdetError) -> _Kind | None:
    return next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), None)


def parameter_problem(wrong: list[ParameterProblem]) -> Problem:
    """One problem for several wrong parameters, at least one."""
    kind = KINDS[errors.ParameterError]
    detail = "; ".join(f"{each.parameter}: {each.detail}" for each in wrong)
    return Problem(
        type=f"urn:dirdet:problem:{kind.name}", title=kind.title, status=kind.status, detail=detail, errors=wrong
    )


def no_good_picture(failures: list[ImageFailure]) -> Problem:
    """One problem for several pictures of which none can be read."""
    return Problem(
        type="urn:dirdet:problem:no-good-picture",
        title="No picture can be read",
        status=422,
        detail=f"none of the {len(failures)} pictures can be read; images has each one's error",
        images=failures,
    )


def plain_problem(status: int, detail: str, *, instance: str | None = None) -> Problem:
    """A problem with the standard title of its HTTP status."""
    return Problem(type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=detail, instance=instance)


def problem_response(problem: Problem, *, headers: dict[str, str] | None = None) -> Response:
    """The problem as an HTTP response."""
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, problem.status, headers=headers, media_type=MEDIA_TYPE)
