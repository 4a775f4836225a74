"""The detections of a picture, from what an engine found on its canvas."""

from typing import NamedTuple

import numpy as np

from dirdet.bundle import Manifest
from dirdet.calibration import Calibration, Floats
from dirdet.canvas import Fit
from dirdet.detection import Box, Detection
from dirdet.masks import paste
from dirdet.options import Settings
from dirdet.ranking import combined_iou, confidence
from dirdet.rle import Rle
from dirdet.tensors import Candidates


def detections_of(
    candidates: Candidates, index: int, *, fit: Fit, manifest: Manifest, settings: Settings
) -> list[Detection]:
    """The detections of one canvas of a batch, most confident first.

    Args:
        candidates: an engine's answer.
        index: which canvas.
        fit: where the picture lies on it.
        manifest: whose class numbers these are.
        settings: which detections are wanted.
    """
    kept = candidates.kept[index, : candidates.num_detections[index]]  # [K]
    boxes = fit.to_picture(candidates.boxes_xyxy[index, kept])  # [K, 4]
    class_id = candidates.class_id[index, kept]
    score = candidates.score[index, kept].astype(np.float64)
    purity = integrity = iou = None
    if candidates.purity is not None and candidates.integrity is not None:
        purity = candidates.purity[index, kept].astype(np.float64)
        integrity = candidates.integrity[index, kept].astype(np.float64)
        iou = combined_iou(purity, integrity)
    rank = confidence(score, iou, iou_weight=settings.iou_weight)

    wanted = np.ones(len(kept), np.bool_)
    if settings.class_ids is not None:
        wanted &= np.isin(class_id, list(settings.class_ids))
    if settings.min_iou is not None and iou is not None:
        wanted &= iou >= settings.min_iou
    # The engine ranked in float32: the order must hold for the figures given.
    order = np.argsort(-rank, kind="stable")
    order = order[wanted[order]][: settings.max_detections]
    categories = [manifest.categories[int(class_id[i])] for i in order]
    outer = None
    if manifest.calibration is not None and manifest.calibration.box_margin is not None:
        outer = manifest.calibration.box_margin.grow(boxes, fit.picture_hw, integrity=integrity)  # [N, 4]
    calibrated = _calibrated(manifest.calibration, score, iou)
    return [
        Detection(
            box_xyxy=_box(boxes[i]),
            label=category.name,
            class_id=int(class_id[i]),
            category_id=category.category_id,
            score=float(score[i]),
            purity=None if purity is None else float(purity[i]),
            integrity=None if integrity is None else float(integrity[i]),
            iou=None if iou is None else float(iou[i]),
            confidence=float(rank[i]),
            score_calibrated=None if calibrated.score is None else float(calibrated.score[i]),
            iou_calibrated=None if calibrated.iou is None else float(calibrated.iou[i]),
            outer_box_xyxy=None if outer is None else _box(outer[i]),
            mask=_mask(candidates, index, int(i), box_xyxy=boxes[i], fit=fit, manifest=manifest),
        )
        for i, category in zip(order, categories, strict=True)
    ]


class _Calibrated(NamedTuple):
    """[N] each; None where the calibration lacks the part."""

    score: Floats | None
    iou: Floats | None


def _calibrated(calibration: Calibration | None, score: Floats, iou: Floats | None) -> _Calibrated:
    if calibration is None:
        return _Calibrated(None, None)
    return _Calibrated(
        score=calibration.score.apply(score),
        iou=None if calibration.iou is None or iou is None else calibration.iou.apply(iou),
    )


def _mask(
    candidates: Candidates, index: int, position: int, *, box_xyxy: Floats, fit: Fit, manifest: Manifest
) -> Rle | None:
    """The mask of one of a canvas's kept, by its position among them."""
    if candidates.mask is None or manifest.mask_threshold is None:
        return None
    return paste(candidates.mask[index, position], box_xyxy, fit.picture_hw, threshold=manifest.mask_threshold)


def _box(sides: Floats) -> Box:
    x1, y1, x2, y2 = sides.tolist()
    return x1, y1, x2, y2
