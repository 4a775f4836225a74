"""Parses a gateway's answers: results, problems, and anything else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx
from pydantic_core import from_json

from dirdet.client.errors import ClientError, PictureProblemError, ProblemError, UnexpectedAnswerError, error_from
from dirdet.client.pictures import SentPicture
from dirdet.client.result import PictureResult
from dirdet.client.retries import retry_after_s
from dirdet.detection import Detection

PROBLEM = "application/problem+json"
# Bytes of an unexpected answer that an error message shows.
MAX_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status == 200

    def json(self) -> Mapping[str, Any]:
        """Returns the body's JSON object.

        Raises:
            UnexpectedAnswerError: the body is not a JSON object.
        """
        try:
            value: Any = from_json(self.body)
        except ValueError as exc:
            raise UnexpectedAnswerError(f"expected a gateway's JSON; the answer begins {self._beginning()}") from exc
        if not isinstance(value, dict):
            raise UnexpectedAnswerError(f"expected a gateway's JSON object; the answer begins {self._beginning()}")
        return cast("Mapping[str, Any]", value)

    def error(self) -> ClientError:
        """Converts an answer without success to an error."""
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


def results_of(answer: Mapping[str, Any], pictures: Sequence[SentPicture]) -> list[PictureResult]:
    """Parses the results of POST /detect, one for each picture.

    Raises:
        UnexpectedAnswerError: the answer has another form.
    """
    try:
        detector = answer["detector"]
        return [
            _result(image, picture, str(detector["name"]), str(detector["checkpoint_sha256"]))
            for image, picture in zip(answer["images"], pictures, strict=True)
        ]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        raise UnexpectedAnswerError(f"expected an answer to POST /detect: {type(exc).__name__}: {exc}") from exc


def _result(image: Mapping[str, Any], picture: SentPicture, detector: str, checkpoint_sha256: str) -> PictureResult:
    if (problem := image.get("error")) is not None:
        return picture.failed(error_from(problem))
    found = tuple(Detection.from_json(each) for each in image["detections"])
    width, height = int(image["width"]), int(image["height"])
    result = PictureResult(
        picture.name, width, height, found,
        detector=detector, checkpoint_sha256=checkpoint_sha256, decoded_scale=float(image.get("decoded_scale", 1)),
        picture=picture.source,
    )  # fmt: skip
    _ = result.boxes_xyxy, result.class_ids  # numbers that arrays cannot hold are refused here, not later
    return result if picture.shrunk is None else picture.shrunk.restored(result)


def failed_pictures(error: ProblemError, pictures: Sequence[SentPicture]) -> list[PictureResult] | None:
    """Results of a request in which no picture could be read; None if the error concerns something else."""
    if len(pictures) == 1 and isinstance(error, PictureProblemError):
        return [pictures[0].failed(error)]
    if len(error.images) != len(pictures):
        return None
    errors = [error_from(problem) for image in error.images if isinstance(problem := image.get("error"), Mapping)]  # pyright: ignore[reportUnknownArgumentType]
    if len(errors) != len(pictures):
        return None
    return [picture.failed(each) for picture, each in zip(pictures, errors, strict=True)]
