"""Results as supervision's detections."""

from typing import Any

import numpy as np

from dirdet.client.results import ImageResult
from dirdet.convert.common import FIGURES, Score, detections_of, required, score_of


def to_supervision(result: ImageResult, *, score: Score = "confidence") -> Any:  # noqa: ANN401 - sv.Detections
    """A `supervision.Detections`; `data` has class_name and every figure, NaN where the detector tells none.

    Args:
        result: of one picture.
        score: which figure becomes `confidence`.

    Raises:
        MissingExtraError: supervision is not installed.
        ResultsError: the picture could not be read, or the detector does not tell the figure.
    """
    sv = required("supervision")
    detections = detections_of(result)
    figures = {name: np.array([getattr(each, name) for each in detections], np.float64) for name in FIGURES}
    return sv.Detections(
        xyxy=result.boxes_xyxy.astype(np.float32),
        mask=result.masks,
        confidence=np.array([score_of(each, score) for each in detections], np.float32),
        class_id=result.class_ids,
        data={"class_name": np.array(result.labels, np.str_), **figures},
    )
