"""The detections of a picture, from what an engine found on its canvas."""

import numpy as np

from dirdet.bundle import Manifest
from dirdet.calibration import Floats
from dirdet.canvas import Fit
from dirdet.detection import Detection
from dirdet.figures import at, box_at, figures_of
from dirdet.masks import paste
from dirdet.options import Settings
from dirdet.ranking import confidence
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
    figures = figures_of(candidates, index, kept, fit=fit, manifest=manifest)
    rank = confidence(figures.score, figures.iou, iou_weight=settings.iou_weight)

    wanted = np.ones(len(kept), np.bool_)
    if settings.class_ids is not None:
        wanted &= np.isin(figures.class_id, list(settings.class_ids))
    if settings.min_iou is not None and figures.iou is not None:
        wanted &= figures.iou >= settings.min_iou
    # The engine ranked in float32: the order must hold for the figures given.
    order = np.argsort(-rank, kind="stable")
    order = order[wanted[order]][: settings.max_detections].tolist()
    categories = [manifest.categories[int(figures.class_id[i])] for i in order]
    return [
        Detection(
            box_xyxy=box_at(figures.boxes_xyxy, i),
            label=category.name,
            class_id=int(figures.class_id[i]),
            category_id=category.category_id,
            score=float(figures.score[i]),
            purity=at(figures.purity, i),
            integrity=at(figures.integrity, i),
            iou=at(figures.iou, i),
            confidence=float(rank[i]),
            score_calibrated=at(figures.score_calibrated, i),
            iou_calibrated=at(figures.iou_calibrated, i),
            outer_box_xyxy=None if figures.outer_xyxy is None else box_at(figures.outer_xyxy, i),
            mask=_mask(candidates, index, i, box_xyxy=figures.boxes_xyxy[i], fit=fit, manifest=manifest),
        )
        for i, category in zip(order, categories, strict=True)
    ]


def _mask(
    candidates: Candidates, index: int, position: int, *, box_xyxy: Floats, fit: Fit, manifest: Manifest
) -> Rle | None:
    """The mask of one of a canvas's kept, by its position among them."""
    if candidates.mask is None or manifest.mask_threshold is None:
        return None
    return paste(candidates.mask[index, position], box_xyxy, fit.picture_hw, threshold=manifest.mask_threshold)
