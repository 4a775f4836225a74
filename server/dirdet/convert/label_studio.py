"""Results as Label Studio's tasks, each with its pre-annotation."""

from typing import Any

from dirdet.client.results import ImageResult
from dirdet.convert.common import Score, detections_of, score_of
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
    """A task to import, for a labelling interface with `RectangleLabels`; masks are left out.

    The prediction's score is that of its least sure detection: sorted by it, pictures with something doubtful come
    first. Where nothing was found it has none.

    Args:
        result: of one picture.
        image: the picture's address as Label Studio is to load it; the result's name unless given.
        score: which figure becomes a region's score.
        from_name: the interface's name of RectangleLabels.
        to_name: the interface's name of Image.
        data_key: what the interface's Image loads, without the dollar sign.

    Raises:
        ResultsError: the picture could not be read, or the detector does not tell the figure.
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
    """Label Studio has boxes in per cent of the picture."""
    x1, y1, x2, y2 = detection.box_xyxy
    return {
        "x": 100 * x1 / result.width,
        "y": 100 * y1 / result.height,
        "width": 100 * (x2 - x1) / result.width,
        "height": 100 * (y2 - y1) / result.height,
        "rotation": 0,
        "rectanglelabels": [detection.label],
    }
