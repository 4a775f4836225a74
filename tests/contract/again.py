"""The rule by which a client ranks candidates again, as the API's documentation states it."""

from typing import Any

from dirdet.detection.ranking import confidence, ranked_nms


def ranked_again(
    candidates: list[dict[str, Any]],
    *,
    score_threshold: float,
    nms_iou_threshold: float,
    iou_weight: float,
    limit: int,
    min_iou: float = 0,
    classes: set[str] | None = None,
    max_detections: int | None = None,
    nms: str = "per-class",
) -> list[dict[str, Any]]:
    """What of an answer's candidates is kept, most confident first.

    Args:
        limit: max_detections of GET /detector; the other arguments are the request's parameters.
    """
    above = [each for each in candidates if each["score"] > score_threshold]
    plain = any(each["iou"] is None for each in above)
    rank = confidence(
        [each["score"] for each in above], None if plain else [each["iou"] for each in above], iou_weight=iou_weight
    )
    kept = ranked_nms(
        [each["box"] for each in above],
        [each["class_id"] for each in above],
        rank,
        iou_threshold=nms_iou_threshold,
    )[:limit]
    if nms == "class-agnostic":
        boxes: list[list[float]] = [above[row]["box"] for row in kept.tolist()]
        again = ranked_nms(boxes, 0 * kept, rank[kept], iou_threshold=nms_iou_threshold)
        kept = kept[again]
    wanted: list[dict[str, Any]] = [above[index] | {"confidence": float(rank[index])} for index in kept.tolist()]
    wanted = [each for each in wanted if classes is None or each["label"] in classes]
    return [each for each in wanted if plain or each["iou"] >= min_iou][:max_detections]
