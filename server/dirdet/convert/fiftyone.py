"""Results as FiftyOne's detections."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dirdet.client.results import ImageResult
from dirdet.convert.common import Score, detections_of, figures_of, required, score_of
from dirdet.detection import Detection


def to_fiftyone(result: ImageResult, *, score: Score = "confidence") -> Any:  # noqa: ANN401 - fo.Detections
    """A `fiftyone.Detections`, for a field of a sample; every figure is an attribute of its detection.

    Args:
        result: of one picture.
        score: which figure becomes `confidence`.

    Raises:
        MissingExtraError: fiftyone is not installed.
        ResultsError: the picture could not be read, or the detector does not tell the figure.
    """
    fo = required("fiftyone")
    found: list[Any] = []
    for each in detections_of(result):
        x1, y1, x2, y2 = each.box_xyxy
        # FiftyOne has boxes as fractions of the picture: left, top, width, height.
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
    """The mask's pixels in the box, which FiftyOne stretches over it; at least one."""
    x1, y1, x2, y2 = (round(side) for side in detection.box_xyxy)
    left, top = min(x1, mask.shape[1] - 1), min(y1, mask.shape[0] - 1)
    return mask[top : max(y2, top + 1), left : max(x2, left + 1)]
