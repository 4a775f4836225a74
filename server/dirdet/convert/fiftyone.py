"""Converts results to FiftyOne's detections."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dirdet.convert.common import Score, detections_of, figures_of, required, score_of
from dirdet.convert.image_result import ImageResult
from dirdet.detection import Detection


def to_fiftyone(result: ImageResult, *, score: Score = "confidence") -> Any:  # noqa: ANN401 - fo.Detections
    """Returns a `fiftyone.Detections` for a sample's field; each detection has every figure as an attribute.

    Args:
        result: of one picture.
        score: the figure that becomes `confidence`.

    Raises:
        MissingExtraError: fiftyone is not installed.
        ResultsError: the picture could not be read, or the detector does not report the figure.
    """
    fo = required("fiftyone")
    found: list[Any] = []
    for each in detections_of(result):
        x1, y1, x2, y2 = each.box_xyxy
        # FiftyOne stores boxes as fractions of the picture: left, top, width, height.
        box = [x1 / result.width, y1 / result.height, (x2 - x1) / result.width, (y2 - y1) / result.height]
        figures = {name: value for name, value in figures_of(each).items() if name != "confidence"}
        found.append(
            fo.Detection(
                label=each.label,
                bounding_box=box,
                confidence=score_of(each, score),
                mask=None if each.mask is None else _inside_box(each, each.mask.decode()),
                **figures,
            )
        )
    return fo.Detections(detections=found)


def _inside_box(detection: Detection, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cuts the mask to the box, at least one pixel; FiftyOne stretches it over the box."""
    x1, y1, x2, y2 = (round(side) for side in detection.box_xyxy)
    left, top = min(x1, mask.shape[1] - 1), min(y1, mask.shape[0] - 1)
    return mask[top : max(y2, top + 1), left : max(x2, left + 1)]
