"""Functions that every converter uses."""

import importlib
from typing import Any, Literal

from dirdet.convert.image_result import ImageResult
from dirdet.detection import FIGURES, Detection
from dirdet.errors import MissingExtraError, ResultsError

# Other tools store one number for a detection; this is the figure that fills it.
Score = Literal["confidence", "score", "iou", "score_calibrated", "iou_calibrated"]


def detections_of(result: ImageResult) -> tuple[Detection, ...]:
    """Detections of a picture that could be read.

    Raises:
        ResultsError: the picture could not be read; a tool would take it for a picture without objects.
    """
    if result.error is not None:
        raise ResultsError(f"{result.name} has no detections to convert, leave it out: {result.error}")
    return result.detections


def score_of(detection: Detection, score: Score) -> float:
    """The figure of a detection that another tool stores.

    Raises:
        ResultsError: the detector does not report the figure.
    """
    value = getattr(detection, score)
    if value is None:
        raise ResultsError(f"score={score!r}: the detector does not report it; expected 'confidence' or 'score'")
    return float(value)


def figures_of(detection: Detection) -> dict[str, float]:
    """All figures of a detection that the detector reports."""
    return {name: value for name in FIGURES if (value := getattr(detection, name)) is not None}


def required(package: str) -> Any:  # noqa: ANN401 - a module
    """Imports a tool's package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as exc:
        raise MissingExtraError(
            f"this needs the package {package!r}, which is not installed: pip install {package}"
        ) from exc
