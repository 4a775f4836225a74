"""Converts results to Label Studio's tasks with a pre-annotation each."""

from typing import Any

from dirdet.convert.common import Score, detections_of, score_of
from dirdet.convert.image_result import ImageResult
from dirdet.detection import Detection


def to_label_studio(
    result: ImageResult,
    *,
    image: str | None = None,
    score: Score = "confidence",
    from_name: str = "label",
    to_name: str = "image",
    data_key: str = "image",
) -> dict[str, Any]:
    """Returns a task for a labelling interface with `RectangleLabels`; masks are left out.

    The prediction's score is the score of its least certain detection, so sorting by it lists doubtful pictures first.
    A prediction without detections has no score.

    Args:
        result: of one picture.
        image: the address from which Label Studio loads the picture; None takes the result's name.
        score: the figure that becomes a region's score.
        from_name: name of RectangleLabels in the interface.
        to_name: name of Image in the interface.
        data_key: the task's key that Image loads, without the dollar sign.

    Raises:
        ResultsError: the picture could not be read, or the detector does not report the figure.
    """
    regions: list[dict[str, Any]] = []
    for number, each in enumerate(detections_of(result)):
        regions.append(
            {
                "id": f"dirdet-{number}",
                "type": "rectanglelabels",
                "from_name": from_name,
                "to_name": to_name,
                "original_width": result.width,
                "original_height": result.height,
                "image_rotation": 0,
                "score": score_of(each, score),
                "value": _value(each, result),
                **({} if each.iou is None else {"meta": {"text": [f"iou {each.iou:.2f}"]}}),
            }
        )
    prediction: dict[str, Any] = {"model_version": result.detector, "result": regions}
    if regions:
        prediction["score"] = min(region["score"] for region in regions)
    return {"data": {data_key: image or result.name}, "predictions": [prediction]}


def _value(detection: Detection, result: ImageResult) -> dict[str, Any]:
    """Label Studio stores boxes in per cent of the picture."""
    x1, y1, x2, y2 = detection.box_xyxy
    return {
        "x": 100 * x1 / result.width,
        "y": 100 * y1 / result.height,
        "width": 100 * (x2 - x1) / result.width,
        "height": 100 * (y2 - y1) / result.height,
        "rotation": 0,
        "rectanglelabels": [detection.label],
    }
