"""The API's answers as JSON objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dirdet.bundle import Manifest
from dirdet.detector import Detector
from dirdet.errors import PictureError
from dirdet.found import Found
from dirdet.limits import ServerLimits
from dirdet.problems import ImageFailure, Problem, no_good_picture, problem_of
from dirdet.uploads import RAW_TYPES


@dataclass(frozen=True, slots=True)
class PictureAnswer:
    """What was found in one picture; width and height in pixels, upright."""

    name: str
    width: int
    height: int
    found: Found


@dataclass(frozen=True, slots=True)
class PictureFailure:
    """A picture that could not be read, and why."""

    name: str
    error: PictureError


def detector_name(manifest: Manifest) -> dict[str, Any]:
    """Which detector answered; schema `DetectorName`."""
    return {
        "name": manifest.name,
        "architecture": manifest.architecture,
        "localization_confidence": manifest.localization_confidence,
        "checkpoint_sha256": manifest.provenance.checkpoint_sha256,
    }


def image_answer(answer: PictureAnswer | PictureFailure) -> dict[str, Any]:
    """One picture's entry; schema `ImageDetections` or `ImageFailure`."""
    if isinstance(answer, PictureFailure):
        return {"name": answer.name, "error": problem_of(answer.error).to_json()}
    candidates = answer.found.candidates
    return {
        "name": answer.name,
        "width": answer.width,
        "height": answer.height,
        "detections": [detection.to_json() for detection in answer.found.detections],
        "candidates": None if candidates is None else [candidate.to_json() for candidate in candidates],
    }


def detect_answer(manifest: Manifest, answers: Sequence[PictureAnswer | PictureFailure]) -> dict[str, Any]:
    """The whole answer to POST /detect; schema `DetectAnswer`."""
    return {"detector": detector_name(manifest), "images": [image_answer(answer) for answer in answers]}


def problem_of_pictures(failures: Sequence[PictureFailure]) -> Problem:
    """The answer when no picture of a request, at least one, can be read: its error, or of several, each one's."""
    if len(failures) == 1:
        return problem_of(failures[0].error)
    return no_good_picture([ImageFailure(name=each.name, error=problem_of(each.error)) for each in failures])


def detector_info(detector: Detector, limits: ServerLimits) -> dict[str, Any]:
    """The answer to GET /detector; schema `DetectorInfo`."""
    manifest = detector.manifest
    shown = {
        "limitations",
        "canvases",
        "resize",
        "defaults",
        "max_candidates",
        "max_detections",
        "mask_threshold",
        "quality",
        "calibration",
    }
    return {
        "name": manifest.name,
        "architecture": manifest.architecture,
        "localization_confidence": manifest.localization_confidence,
        "classes": [
            {"class_id": class_id, "name": category.name, "category_id": category.category_id}
            for class_id, category in enumerate(manifest.categories)
        ],
        **manifest.model_dump(mode="json", include=shown | {"provenance"}),
        "model_card": detector.model_card,
        "engine": detector.engine.description,
        "accepts": {
            "types": list(RAW_TYPES),
            "max_bytes": limits.picture.max_bytes,
            "max_pixels": limits.picture.max_pixels,
            "max_pictures": limits.max_pictures,
            "max_request_bytes": limits.max_request_bytes,
        },
    }
