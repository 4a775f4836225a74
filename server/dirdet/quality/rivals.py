"""Compares every NMS on one file of candidates; the methods are in a package that needs torch."""

import math
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Any

from dirdet.errors import MissingExtraError, install_hint
from dirdet.quality.average_precision import average_precisions, coco_objects
from dirdet.quality.detections_file import Results
from dirdet.quality.ground_truth import GroundTruth
from dirdet.terminal import aligned

COLUMNS = ("AP", "AP50", "AP75", "AP90", "AP_agnostic", "AP75_agnostic")
Each = Callable[..., Iterator[tuple[str, Results | None]]]


def compare_rivals(
    results: Results, truth: GroundTruth, *, nms_iou_threshold: float, max_detections: int
) -> dict[str, dict[str, float | None] | None]:
    """AP by NMS, in percent; None of an NMS that needs a prediction that the candidates lack.

    Raises:
        MissingExtraError: torch is not installed.
    """
    objects: Any = coco_objects(truth.path)
    found: dict[str, dict[str, float | None] | None] = {}
    each = _methods()(results, truth, nms_iou_threshold=nms_iou_threshold, max_detections=max_detections)
    for name, kept in each:
        if kept is None:
            found[name] = None
            continue
        figures = average_precisions(objects, kept.to_coco(), results.looked_at)
        found[name] = {column: None if math.isnan(figures[column]) else figures[column] for column in COLUMNS}
    return found


def _methods() -> Each:
    [point] = entry_points(group="dirdet.rivals")
    try:
        return point.load()
    except ModuleNotFoundError as exc:
        raise MissingExtraError(
            f"comparing NMS needs torch and numba, which are not installed: {install_hint('torch')}"
        ) from exc


def rivals_table(compared: dict[str, dict[str, float | None] | None]) -> str:
    """A line for each NMS, and at the end those that need another prediction."""
    rows = [
        [name, *("-" if (value := figures[column]) is None else f"{value:.1f}" for column in COLUMNS)]
        for name, figures in compared.items()
        if figures is not None
    ]
    lines = [aligned([["NMS", *COLUMNS], *rows])]
    if lacking := [name for name, figures in compared.items() if figures is None]:
        lines.append(f"not compared, for want of a prediction: {', '.join(lacking)}")
    return "\n".join(lines)
