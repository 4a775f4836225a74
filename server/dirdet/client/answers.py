"""A gateway's answers, read: results, problems, and what is neither."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx

from dirdet.client.errors import ClientError, PictureProblemError, ProblemError, UnexpectedAnswerError, error_from
from dirdet.client.pictures import SentPicture
from dirdet.client.results import ImageResult
from dirdet.client.retries import retry_after_s
from dirdet.detection import Detection

PROBLEM = "application/problem+json"
# Of an answer that is not a gateway's, how much is shown.
MAX_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, all of it received."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def ok(self) -> bool:
        """It is what was asked for."""
        return self.status == 200

    def json(self) -> Mapping[str, Any]:
        """The body's object.

        Raises:
            UnexpectedAnswerError: it is none.
        """
        try:
            told: Any = json.loads(self.body)
        except (ValueError, RecursionError) as exc:
            raise UnexpectedAnswerError(f"expected a gateway's JSON; the answer begins {self._beginning()}") from exc
        if not isinstance(told, dict):
            raise UnexpectedAnswerError(f"expected a gateway's JSON object; the answer begins {self._beginning()}")
        return cast("Mapping[str, Any]", told)

    def error(self) -> ClientError:
        """What an answer that is not ok tells."""
        after = retry_after_s(self.headers.get("retry-after"))
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() == PROBLEM:
            try:
                return error_from({"status": self.status, **self.json()}, retry_after_s=after)
            except UnexpectedAnswerError as exc:
                return exc
        if self.status < 400:
            return UnexpectedAnswerError(f"expected a gateway's answer, found HTTP status {self.status}")
        detail = f"HTTP status {self.status} and no problem of a gateway; the answer begins {self._beginning()}"
        return error_from({"status": self.status, "detail": detail}, retry_after_s=after)

    def _beginning(self) -> str:
        return repr(self.body[:MAX_SHOWN].decode("utf-8", "replace"))


def results_of(told: Mapping[str, Any], pictures: Sequence[SentPicture]) -> list[ImageResult]:
    """The results that an answer to POST /detect tells, one a picture.

    Raises:
        UnexpectedAnswerError: it is no such answer.
    """
    try:
        detector = told["detector"]
        return [
            _result(image, picture, str(detector["name"]), str(detector["checkpoint_sha256"]))
            for image, picture in zip(told["images"], pictures, strict=True)
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise UnexpectedAnswerError(f"expected an answer to POST /detect: {type(exc).__name__}: {exc}") from exc


def _result(image: Mapping[str, Any], picture: SentPicture, detector: str, checkpoint_sha256: str) -> ImageResult:
    if (problem := image.get("error")) is not None:
        return ImageResult(picture.name, 0, 0, error=error_from(problem))
    found = tuple(Detection.from_json(each) for each in image["detections"])
    width, height = int(image["width"]), int(image["height"])
    return ImageResult(picture.name, width, height, found, detector=detector, checkpoint_sha256=checkpoint_sha256)


def failed_pictures(error: ProblemError, pictures: Sequence[SentPicture]) -> list[ImageResult] | None:
    """The results of pictures none of which could be read; None if the error is about something else."""
    if len(pictures) == 1 and isinstance(error, PictureProblemError):
        return [ImageResult(pictures[0].name, 0, 0, error=error)]
    if len(error.images) != len(pictures):
        return None
    told = [error_from(problem) for image in error.images if isinstance(problem := image.get("error"), Mapping)]  # pyright: ignore[reportUnknownArgumentType]
    if len(told) != len(pictures):
        return None
    return [ImageResult(picture.name, 0, 0, error=each) for picture, each in zip(pictures, told, strict=True)]
