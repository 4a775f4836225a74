"""Average precision as pycocotools measures it, with the thresholds the paper's tables and ours ask for.

faster-coco-eval measures it, whose loops are compiled; it agrees with pycocotools to the last digit, several times
faster.
"""

from pathlib import Path
from typing import Any

import numpy as np

from dirdet.quality.extra import library

THRESHOLDS = {"AP50": 0.5, "AP75": 0.75, "AP80": 0.8, "AP90": 0.9}
SIZES = ("small", "medium", "large")
NAMES = ("AP", *THRESHOLDS, *(f"AP_{size}" for size in SIZES), "AP_agnostic")


def coco_objects(path: Path) -> Any:  # noqa: ANN401
    """The ground truth that `average_precisions` takes.

    Args:
        path: COCO JSON.

    Raises:
        MissingExtraError: faster-coco-eval is not installed.
    """
    return library("faster_coco_eval").COCO(path)


def average_precisions(objects: Any, detections: list[dict[str, Any]], picture_ids: list[int]) -> dict[str, float]:  # noqa: ANN401
    """AP, AP50, AP75, AP80, AP90, by object size, and AP without regard to class, in percent.

    Args:
        objects: the ground truth, a `faster_coco_eval.COCO`.
        detections: COCO results: image_id, category_id, bbox (xywh, pixels), score.
        picture_ids: the pictures that were looked at.

    Returns:
        Figures by `NAMES`; nan where there is no object of a kind.

    Raises:
        MissingExtraError: faster-coco-eval is not installed.
    """
    found = objects.loadRes(detections)
    per_class = _evaluate(objects, found, picture_ids, use_classes=True)
    agnostic = _evaluate(objects, found, picture_ids, use_classes=False)
    return {
        "AP": _mean(per_class),
        **{name: _mean(per_class, iou=iou) for name, iou in THRESHOLDS.items()},
        **{f"AP_{size}": _mean(per_class, area=size) for size in SIZES},
        "AP_agnostic": _mean(agnostic),
    }


def _evaluate(objects: Any, found: Any, picture_ids: list[int], *, use_classes: bool) -> Any:  # noqa: ANN401
    # Without extra_calc it leaves no marks in the ground truth.
    evaluation = library("faster_coco_eval").COCOeval_faster(
        objects, found, "bbox", print_function=_be_quiet, extra_calc=False
    )
    evaluation.params.imgIds = picture_ids
    evaluation.params.useCats = int(use_classes)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def _be_quiet(*_: object) -> None:
    pass


def _mean(evaluation: Any, *, iou: float | None = None, area: str = "all") -> float:  # noqa: ANN401
    """Mean of the precision [thresholds, recalls, classes, areas, limits] over what is asked for."""
    precision = evaluation.eval["precision"][..., evaluation.params.areaRngLbl.index(area), -1]
    if iou is not None:
        precision = precision[np.isclose(evaluation.params.iouThrs, iou)]
    measured = precision[precision > -1]
    return float(measured.mean() * 100) if measured.size else float("nan")
