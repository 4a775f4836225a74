"""The API's answers: JSON objects, and the response to POST /detect."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from dirdet.api.problems import ImageFailure, no_good_picture, problem_of, problem_response
from dirdet.bundle.bundle import Manifest
from dirdet.detection import Found, all_to_json
from dirdet.errors import PictureError


@dataclass(frozen=True, slots=True)
class PictureAnswer:
    """The detections of one picture.

    Attributes:
        name: of its file.
        width: pixels, EXIF-upright.
        height: pixels, EXIF-upright.
        found: its detections.
        decoded_scale: of its own size, at which its file was decoded.
    """

    name: str
    width: int
    height: int
    found: Found
    decoded_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class PictureFailure:
    """The error of a picture that could not be read."""

    name: str
    error: PictureError


def detector_name(manifest: Manifest) -> dict[str, Any]:
    """The detector that answered; schema `DetectorName`."""
    return {
        "name": manifest.name,
        "architecture": manifest.architecture,
        "localization_confidence": manifest.localization_confidence,
        "checkpoint_sha256": manifest.provenance.checkpoint_sha256,
    }


def image_answer(answer: PictureAnswer | PictureFailure) -> dict[str, Any]:
    """The entry of one picture; schema `ImageDetections` or `ImageFailure`."""
    if isinstance(answer, PictureFailure):
        return {"name": answer.name, "error": problem_of(answer.error).to_json()}
    candidates = answer.found.candidates
    return {
        "name": answer.name,
        "width": answer.width,
        "height": answer.height,
        "decoded_scale": answer.decoded_scale,
        "detections": all_to_json(answer.found.detections),
        "candidates": None if candidates is None else all_to_json(candidates),
    }


def detect_answer(manifest: Manifest, answers: Sequence[PictureAnswer | PictureFailure]) -> dict[str, Any]:
    """The answer to POST /detect; schema `DetectAnswer`."""
    return {"detector": detector_name(manifest), "images": [image_answer(answer) for answer in answers]}


def response_of(manifest: Manifest, answers: Sequence[PictureAnswer | PictureFailure]) -> Response:
    """The response to POST /detect; a problem when none of the request's pictures (at least one) can be read."""
    failures = [answer for answer in answers if isinstance(answer, PictureFailure)]
    if len(failures) < len(answers):
        return Response(to_json(detect_answer(manifest, answers)), media_type="application/json")
    if len(failures) == 1:
        return problem_response(problem_of(failures[0].error))
    told = [ImageFailure(name=each.name, error=problem_of(each.error)) for each in failures]
    return problem_response(no_good_picture(told))
