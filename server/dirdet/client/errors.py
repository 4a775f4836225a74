"""What can go wrong between a client and a gateway: one type for each way to react."""

from collections.abc import Mapping, Sequence
from typing import Any

from dirdet.errors import DirdetError

PROBLEM_PREFIX = "urn:dirdet:problem:"


class ClientError(DirdetError):
    """Base of what a client raises about a request.

    Attributes:
        may_retry: the same request may succeed a moment later.
        retry_after_s: when, if the server says so.
    """

    may_retry = False
    retry_after_s: float | None = None


class NoAnswerError(ClientError):
    """There is no connection, or it was lost before the answer."""

    may_retry = True


class TimedOutError(ClientError):
    """There was no answer in the time that the caller gave."""


class UnexpectedAnswerError(ClientError):
    """The answer is not a gateway's: another server's, or one of another version."""


class ProblemError(ClientError):
    """The gateway answered with a problem (RFC 9457).

    Attributes:
        status: HTTP's, of the problem.
        type: names the kind of problem, as urn:dirdet:problem:broken-picture; about:blank where the status says it all.
        title: the kind in words.
        detail: what was expected and what was found.
        instance: names this one occurrence in the server's log; None if the server gives none.
        parameters: what is said of each parameter that is wrong.
        images: of several pictures of which none can be read, each one's name and problem.
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
        """Text is the detail, or without one the title."""
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
    """401 or 403: no key, or one that does not open this."""


class PictureProblemError(ProblemError):
    """A picture that the gateway cannot read, or that is too large."""


class TooLargeError(ProblemError):
    """413: the request as a whole is too large for the gateway, or for what stands before it."""


class WrongParameterError(ProblemError):
    """422: a parameter that does not exist or is out of its range; `parameters` names it."""


class BusyError(ProblemError):
    """429, 502 or 503: not now."""

    may_retry = True


# What decides is the kind of problem, and where that says nothing, the status.
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


def error_from(told: Mapping[str, Any], *, retry_after_s: float | None = None) -> ProblemError:
    """The error that a problem's JSON object tells of; members of other types than RFC 9457's are passed over."""
    status = told.get("status")
    kind = str(told.get("type") or "about:blank")
    number = status if isinstance(status, int) else 0
    cls = BY_TYPE.get(kind.removeprefix(PROBLEM_PREFIX)) or BY_STATUS.get(number) or ProblemError
    instance = told.get("instance")
    return cls(
        str(told.get("detail") or ""),
        status=number,
        type=kind,
        title=str(told.get("title") or ""),
        instance=None if instance is None else str(instance),
        parameters={str(each.get("parameter")): str(each.get("detail")) for each in _objects(told.get("errors"))},
        images=_objects(told.get("images")),
        retry_after_s=retry_after_s,
    )


def _objects(value: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - JSON
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]
