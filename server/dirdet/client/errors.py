"""The client's errors: one type for each way in which a caller can react."""

from collections.abc import Mapping, Sequence
from typing import Any

from dirdet.errors import DirdetError

PROBLEM_PREFIX = "urn:dirdet:problem:"


class ClientError(DirdetError):
    """Base class of the errors that a request can raise.

    Attributes:
        may_retry: the same request may succeed a moment later.
        retry_after_s: the wait that the server asks for, in seconds; None if the server names none.
    """

    may_retry = False
    retry_after_s: float | None = None


class NoAnswerError(ClientError):
    """The client could not connect, or lost the connection before the answer."""

    may_retry = True


class TimedOutError(ClientError):
    """No answer arrived within the caller's timeout."""


class UnexpectedAnswerError(ClientError):
    """The answer does not follow the gateway's protocol: it came from another server or another version."""


class ProblemError(ClientError):
    """The gateway answered with a problem (RFC 9457).

    Attributes:
        status: the HTTP status.
        type: the kind of problem, such as urn:dirdet:problem:broken-picture; about:blank if the status is all there is
            to say.
        title: the kind in words.
        detail: the expected and the actual value.
        instance: the id of this occurrence in the server's log; None if the server gives none.
        parameters: each wrong parameter with its message.
        images: the name and problem of each picture, if the request had several and none could be read.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int,
        type: str = "about:blank",
        title: str = "",
        instance: str | None = None,
        parameters: Mapping[str, str] | None = None,
        images: Sequence[Mapping[str, Any]] = (),
        retry_after_s: float | None = None,
    ) -> None:
        """Takes the detail as the error's text, or the title if there is no detail."""
        super().__init__(detail or title or f"HTTP status {status}")
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.instance = instance
        self.parameters = dict(parameters or {})
        self.images = tuple(images)
        self.retry_after_s = retry_after_s


class AccessError(ProblemError):
    """401 or 403: the request has no key, or a key without the right."""


class PictureProblemError(ProblemError):
    """The gateway cannot read the picture, or the picture is too large."""


class TooLargeError(ProblemError):
    """413: the whole request is too large for the gateway or for a proxy in front of it."""


class WrongParameterError(ProblemError):
    """422: a parameter does not exist or is out of its range; `parameters` names it."""


class BusyError(ProblemError):
    """429, 502 or 503: the server cannot answer now."""

    may_retry = True


# The kind of problem decides; if it is unknown, the status does.
BY_TYPE: dict[str, type[ProblemError]] = {
    "not-a-picture": PictureProblemError,
    "broken-picture": PictureProblemError,
    "picture-too-large": PictureProblemError,
    "request-too-large": TooLargeError,
    "bad-parameter": WrongParameterError,
}
BY_STATUS: dict[int, type[ProblemError]] = {
    401: AccessError,
    403: AccessError,
    413: TooLargeError,
    429: BusyError,
    502: BusyError,
    503: BusyError,
}


def error_from(problem: Mapping[str, Any], *, retry_after_s: float | None = None) -> ProblemError:
    """Converts a problem's JSON object to an error; members with other types than RFC 9457's are ignored."""
    status = problem.get("status")
    kind = str(problem.get("type") or "about:blank")
    number = status if isinstance(status, int) else 0
    cls = BY_TYPE.get(kind.removeprefix(PROBLEM_PREFIX)) or BY_STATUS.get(number) or ProblemError
    instance = problem.get("instance")
    return cls(
        str(problem.get("detail") or ""),
        status=number,
        type=kind,
        title=str(problem.get("title") or ""),
        instance=None if instance is None else str(instance),
        parameters={str(each.get("parameter")): str(each.get("detail")) for each in _objects(problem.get("errors"))},
        images=_objects(problem.get("images")),
        retry_after_s=retry_after_s,
    )


def _objects(value: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - JSON
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]
