"""Average precision as pycocotools measures it, with the thresholds of the paper's tables and of this project.

faster-coco-eval computes it in compiled loops; its figures equal those of pycocotools to the last digit, several times
faster.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dirdet.quality.arrays import Floats, Ints
from dirdet.quality.optional_libraries import library

THRESHOLDS = {"AP50": 0.5, "AP75": 0.75, "AP80": 0.8, "AP90": 0.9}
SIZES = ("small", "medium", "large")
AGNOSTIC = tuple(f"{name}_agnostic" for name in ("AP", *THRESHOLDS))
NAMES = ("AP", *THRESHOLDS, *(f"AP_{size}" for size in SIZES), *AGNOSTIC)


def coco_objects(path: Path) -> Any:  # noqa: ANN401
    """Loads the ground truth for `average_precisions`.

    Args:
        path: COCO JSON.

    Raises:
        MissingExtraError: faster-coco-eval is not installed.
    """
    return library("faster_coco_eval").COCO(path)


def average_precisions(objects: Any, detections: list[dict[str, Any]], picture_ids: list[int]) -> dict[str, float]:  # noqa: ANN401
    """AP, AP50, AP75, AP80, AP90, AP by object size, and all but the sizes without regard to class, in percent.

    Args:
        objects: the ground truth, a `faster_coco_eval.COCO`.
        detections: COCO results: image_id, category_id, bbox (xywh, pixels), score.
        picture_ids: the pictures on which the detector ran.

    Returns:
        Figures by `NAMES`; nan if there is no object of a kind.

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
        **{f"{name}_agnostic": _mean(agnostic, iou=iou) for name, iou in THRESHOLDS.items()},
    }


def resampled_precisions(
    objects: Any,  # noqa: ANN401
    detections: list[dict[str, Any]],
    picture_ids: list[int],
    drawn: Ints,
) -> dict[str, Floats]:
    """AP, AP75 and AP without regard to class for each bootstrap sample of the pictures.

    Args:
        objects: the ground truth, a `faster_coco_eval.COCO`.
        detections: as for `average_precisions`.
        picture_ids: P pictures, in rising order.
        drawn: [R, P], the pictures of each of the R samples, as indices, drawn with repetition.

    Returns:
        [R] in percent, by name.

    Raises:
        MissingExtraError: faster-coco-eval is not installed.
    """
    found = objects.loadRes(detections)
    per_class = _evaluate(objects, found, picture_ids, use_classes=True, apart=True)
    agnostic = _evaluate(objects, found, picture_ids, use_classes=False, apart=True)
    measured = [(_mean(each), _mean(each, iou=THRESHOLDS["AP75"])) for each in _resampled(per_class, drawn)]
    ap, ap75 = np.array(measured).T
    return {"AP": ap, "AP75": ap75, "AP_agnostic": np.array([_mean(each) for each in _resampled(agnostic, drawn)])}


def _resampled(evaluation: Any, drawn: Ints) -> Iterator[Any]:  # noqa: ANN401
    """Yields the evaluation with each sample's precision; a picture's matches are the same in every sample."""
    matches = evaluation._evalImgs_cpp  # One entry for each class, area and picture; the picture varies fastest.
    pictures = drawn.shape[1]
    for sample in drawn:
        starts = range(0, len(matches), pictures)
        evaluation._evalImgs_cpp = [matches[start + place] for start in starts for place in sample]
        evaluation.accumulate()
        yield evaluation


def _evaluate(objects: Any, found: Any, picture_ids: list[int], *, use_classes: bool, apart: bool = False) -> Any:  # noqa: ANN401
    # Without extra_calc it does not change the ground truth.
    evaluation = library("faster_coco_eval").COCOeval_faster(
        objects, found, "bbox", print_function=_be_quiet, extra_calc=False, separate_eval=apart
    )
    evaluation.params.imgIds = picture_ids
    evaluation.params.useCats = int(use_classes)
    if apart:  # Samples are many, so only the needed figures are computed.
        evaluation.params.maxDets = evaluation.params.maxDets[-1:]
        evaluation.params.areaRng = evaluation.params.areaRng[:1]
        evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def _be_quiet(*_: object) -> None:
    pass


def _mean(evaluation: Any, *, iou: float | None = None, area: str = "all") -> float:  # noqa: ANN401
    """Mean of the selected precision [thresholds, recalls, classes, areas, limits]."""
    precision = evaluation.eval["precision"][..., evaluation.params.areaRngLbl.index(area), -1]
    if iou is not None:
        precision = precision[np.isclose(evaluation.params.iouThrs, iou)]
    measured = precision[precision > -1]
    return float(measured.mean() * 100) if measured.size else float("nan")
