"""Average precision as pycocotools measures it, with the thresholds the paper's tables and ours ask for."""

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def average_precisions(objects: COCO, detections: list[dict[str, Any]], picture_ids: list[int]) -> dict[str, float]:
    """AP, AP50, AP75, AP90, by object size, and AP without regard to class, in percent.

    Args:
        objects: the ground truth.
        detections: COCO results: image_id, category_id, bbox (xywh, pixels), score.
        picture_ids: the pictures that were looked at.

    Returns:
        Figures by name; nan where there is no object of a kind.
    """
    if not detections:
        names = ("AP", "AP50", "AP75", "AP90", "AP_small", "AP_medium", "AP_large", "AP_agnostic")
        return dict.fromkeys(names, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):
        found = objects.loadRes(detections)  # pyright: ignore[reportArgumentType] - it takes lists too
        per_class = _evaluate(objects, found, picture_ids, use_classes=True)
        agnostic = _evaluate(objects, found, picture_ids, use_classes=False)
    return {
        "AP": _mean(per_class),
        "AP50": _mean(per_class, iou=0.5),
        "AP75": _mean(per_class, iou=0.75),
        "AP90": _mean(per_class, iou=0.9),
        "AP_small": _mean(per_class, area="small"),
        "AP_medium": _mean(per_class, area="medium"),
        "AP_large": _mean(per_class, area="large"),
        "AP_agnostic": _mean(agnostic),
    }


def _evaluate(objects: COCO, found: COCO, picture_ids: list[int], *, use_classes: bool) -> COCOeval:
    evaluation = COCOeval(objects, found, "bbox")
    evaluation.params.imgIds = picture_ids
    evaluation.params.useCats = int(use_classes)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def _mean(evaluation: COCOeval, *, iou: float | None = None, area: str = "all") -> float:
    """Mean of pycocotools' precision [thresholds, recalls, classes, areas, limits] over what is asked for."""
    precision = evaluation.eval["precision"][..., evaluation.params.areaRngLbl.index(area), -1]
    if iou is not None:
        precision = precision[np.isclose(evaluation.params.iouThrs, iou)]
    measured = precision[precision > -1]
    return float(measured.mean() * 100) if measured.size else float("nan")
