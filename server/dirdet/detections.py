"""Detections: what is told of each object, in the picture's own pixels and in JSON."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dirdet.bundle import Manifest
from dirdet.calibration import Calibration, Floats
from dirdet.canvas import Fit
from dirdet.masks import paste
from dirdet.options import Settings
from dirdet.ranking import combined_iou, confidence
from dirdet.rle import Rle
from dirdet.tensors import Candidates

# Five significant digits, not decimals: iou and confidence then follow from the rounded figures beside them
# to a relative 1e-5 however small these are, and rounding keeps the order.
SIGNIFICANT_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Detection:
    """One object.

    Attributes:
        box_xyxy: in pixels of the upright picture, inside it.
        label: the class's name.
        class_id: from 0.
        category_id: the data set's own number.
        score: the classifier's probability.
        purity: predicted overlap / area of the box; None from a plain detector, as the next two.
        integrity: predicted overlap / area of the object.
        iou: 1 / (1/purity + 1/integrity - 1).
        confidence: score^(1-w) * iou^w, what detections are ranked by.
        score_calibrated: probability that class and box are right; None where the bundle has no calibration, as the
            next two.
        iou_calibrated: expected IoU with the object, if there is one; None from a plain detector too.
        outer_box_xyxy: a larger box that contains the object with the probability that the calibration names.
        mask: the object's pixels in the upright picture; None from a detector without masks.
    """

    box_xyxy: tuple[float, float, float, float]
    label: str
    class_id: int
    category_id: int
    score: float
    purity: float | None
    integrity: float | None
    iou: float | None
    confidence: float
    score_calibrated: float | None = None
    iou_calibrated: float | None = None
    outer_box_xyxy: tuple[float, float, float, float] | None = None
    mask: Rle | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that POST /detect answers with."""
        return {
            "box": _pixels(self.box_xyxy),
            "label": self.label,
            "class_id": self.class_id,
            "category_id": self.category_id,
            "score": _rounded(self.score),
            "purity": _rounded(self.purity),
            "integrity": _rounded(self.integrity),
            "iou": _rounded(self.iou),
            "confidence": _rounded(self.confidence),
            "score_calibrated": _rounded(self.score_calibrated),
            "iou_calibrated": _rounded(self.iou_calibrated),
            "outer_box": None if self.outer_box_xyxy is None else _pixels(self.outer_box_xyxy),
            "mask": None if self.mask is None else self.mask.to_json(),
        }


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


def _box(sides: Floats) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = sides.tolist()
    return x1, y1, x2, y2


def _pixels(box_xyxy: tuple[float, float, float, float]) -> list[float]:
    return [round(side, 2) for side in box_xyxy]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{SIGNIFICANT_DIGITS}g}")
