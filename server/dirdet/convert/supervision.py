"""Converts results to supervision's detections."""

from typing import Any

import numpy as np

from dirdet.convert.common import Score, detections_of, required, score_of
from dirdet.convert.image_result import ImageResult
from dirdet.detection import FIGURES


def to_supervision(result: ImageResult, *, score: Score = "confidence") -> Any:  # noqa: ANN401 - sv.Detections
    """Returns a `supervision.Detections`; `data` has class_name and every figure, NaN if the detector reports none.

    Args:
        result: of one picture.
        score: the figure that becomes `confidence`.

    Raises:
        MissingExtraError: supervision is not installed.
        ResultsError: the picture could not be read, or the detector does not report the figure.
    """
    sv = required("supervision")
    detections = detections_of(result)
    figures = {name: result.figures(name) for name in FIGURES}
    return sv.Detections(
        xyxy=result.boxes_xyxy.astype(np.float32),
        mask=result.masks,
        confidence=np.array([score_of(each, score) for each in detections], np.float32),
        class_id=result.class_ids,
        data={"class_name": np.array(result.labels, np.str_), **figures},
    )
