"""What every converter asks of a result."""

import importlib
from typing import Any, Literal

from dirdet.client.results import ImageResult
from dirdet.detection import Detection
from dirdet.errors import MissingExtraError, ResultsError

# Other tools know one number for a detection; this says which of ours it is.
Score = Literal["confidence", "score", "iou", "score_calibrated", "iou_calibrated"]
# What goes beside it, where the tool has room.
FIGURES = ("score", "confidence", "purity", "integrity", "iou", "score_calibrated", "iou_calibrated")


def detections_of(result: ImageResult) -> tuple[Detection, ...]:
    """The detections of a picture that could be read.

    Raises:
        ResultsError: it could not: without this it would pass for a picture without objects.
    """
    if result.error is not None:
        raise ResultsError(f"{result.name} has no detections to convert, leave it out: {result.error}")
    return result.detections


def score_of(detection: Detection, score: Score) -> float:
    """The number that stands for a detection.

    Raises:
        ResultsError: the detector does not tell it.
    """
    value = getattr(detection, score)
    if value is None:
        raise ResultsError(f"score={score!r}: the detector does not tell it; 'confidence' and 'score' it always does")
    return float(value)


def figures_of(detection: Detection) -> dict[str, float]:
    """All of a detection's figures that the detector tells."""
    return {name: value for name in FIGURES if (value := getattr(detection, name)) is not None}


def required(package: str) -> Any:  # noqa: ANN401 - a module
    """A tool's package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as exc:
        raise MissingExtraError(
            f"this needs the package {package!r}, which is not installed: pip install {package}"
        ) from exc
