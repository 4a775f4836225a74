"""The client's protocol without input or output: which requests are sent, when they are retried, what answers mean."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from dirdet.client.answers import Answer, failed_pictures, results_of
from dirdet.client.errors import ClientError, ProblemError, TooLargeError
from dirdet.client.groups import halves
from dirdet.client.pictures import SentPicture
from dirdet.client.requests import Call, detect_call
from dirdet.client.result import PictureResult
from dirdet.client.retries import Deadline
from dirdet.client.settings import DetectParameters, Settings, checked_timeout

if TYPE_CHECKING:
    from dirdet.api.schemas import DetectorInfo
    from dirdet.client.shrinking import Shrinking


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to send.

    Attributes:
        call: the request.
        deadline: the moment at which the attempt is abandoned.
        after_s: seconds to wait before it is sent.
    """

    call: Call
    deadline: Deadline
    after_s: float = 0.0


# The caller performs each attempt that an exchange yields and sends the answer into the generator, or throws the
# ClientError into it. The generator returns the exchange's result. httpx's authentication flows work the same way.
T = TypeVar("T")
Exchange: TypeAlias = Generator[Attempt, Answer, T]


def answer_to(settings: Settings, call: Call, timeout_s: float | None) -> Exchange[Answer]:
    """Sends a request, with retries, and returns the answer with status 200.

    Args:
        settings: of the client.
        call: the request.
        timeout_s: for all attempts together; None takes the client's timeout.

    Raises:
        ParameterError: the timeout is not above 0.
        ClientError: the last attempt failed.
    """
    deadline = Deadline(settings.timeout_s if timeout_s is None else checked_timeout(timeout_s))
    tried, after_s = 0, 0.0
    while True:
        tried += 1
        try:
            answer = yield Attempt(call, deadline, after_s)
            if answer.ok:
                return answer
            raise answer.error()
        except ClientError as exc:
            wait_s = settings.retries.wait_s(exc, tried=tried, left_s=deadline.left_s)
            if wait_s is None:
                raise
        after_s = wait_s


def detect_one(
    settings: Settings, picture: SentPicture, timeout_s: float | None, parameters: DetectParameters
) -> Exchange[PictureResult]:
    """Returns the result of one picture.

    Raises:
        PictureError: the picture's file cannot be read.
        ClientError: the last attempt failed.
    """
    if picture.error is not None:
        raise picture.error
    answer = yield from answer_to(settings, detect_call(settings, [picture], parameters), timeout_s)
    return results_of(answer.json(), [picture])[0]


def detect_group(
    settings: Settings, group: Sequence[SentPicture], timeout_s: float | None, parameters: DetectParameters
) -> Exchange[list[PictureResult]]:
    """Returns one result for each picture, in order; a picture that cannot be read gives a result with an error.

    Raises:
        ClientError: the last attempt failed for a reason other than a picture.
    """
    readable = [each for each in group if each.error is None]
    answered = (yield from _detect_readable(settings, readable, timeout_s, parameters)) if readable else []
    found = iter(answered)
    return [next(found) if each.error is None else each.failed(each.error) for each in group]


def _detect_readable(
    settings: Settings, group: Sequence[SentPicture], timeout_s: float | None, parameters: DetectParameters
) -> Exchange[list[PictureResult]]:
    try:
        answer = yield from answer_to(settings, detect_call(settings, group, parameters), timeout_s)
        return results_of(answer.json(), group)
    except TooLargeError:  # A proxy in front of the gateway may accept less than the gateway does.
        if len(group) == 1:
            raise
    except ProblemError as exc:
        failed = failed_pictures(exc, group)
        if failed is None:
            raise
        return failed
    results: list[PictureResult] = []
    for half in halves(group):
        results += yield from _detect_readable(settings, half, timeout_s, parameters)
    return results


def describe(settings: Settings, timeout_s: float | None) -> "Exchange[DetectorInfo]":
    """Returns the detector's description.

    Raises:
        ClientError: the last attempt failed, or the answer is not a detector's description.
    """
    answer = yield from answer_to(settings, Call("GET", settings.detector_path), timeout_s)
    # Imported here, so that only the callers of this function need FastAPI's packages.
    from dirdet.client.about import detector_of

    return detector_of(answer.json())


def new_shrinking() -> "Shrinking":
    """For a client that shrinks its pictures."""
    # Imported here, as above: it needs Pillow too.
    from dirdet.client.shrinking import Shrinking

    return Shrinking()


def ask_ready(timeout_s: float) -> Exchange[bool]:
    """Returns whether the gateway reports that it is ready; makes one attempt.

    Raises:
        ParameterError: the timeout is not above 0.
    """
    deadline = Deadline(checked_timeout(timeout_s))
    try:
        return (yield Attempt(Call("GET", "/health/ready"), deadline)).ok
    except ClientError:
        return False
