"""Detections: what is told of each object, in the picture's own pixels and in JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dirdet.bundle import Manifest
from dirdet.canvas import Fit
from dirdet.options import Settings
from dirdet.ranking import combined_iou, confidence
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

    def to_json(self) -> dict[str, Any]:
        """The object that POST /detect answers with."""
        return {
            "box": [round(side, 2) for side in self.box_xyxy],
            "label": self.label,
            "class_id": self.class_id,
            "category_id": self.category_id,
            "score": _rounded(self.score),
            "purity": _rounded(self.purity),
            "integrity": _rounded(self.integrity),
            "iou": _rounded(self.iou),
            "confidence": _rounded(self.confidence),
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
    return [
        Detection(
            box_xyxy=(float(boxes[i, 0]), float(boxes[i, 1]), float(boxes[i, 2]), float(boxes[i, 3])),
            label=category.name,
            class_id=int(class_id[i]),
            category_id=category.category_id,
            score=float(score[i]),
            purity=None if purity is None else float(purity[i]),
            integrity=None if integrity is None else float(integrity[i]),
            iou=None if iou is None else float(iou[i]),
            confidence=float(rank[i]),
        )
        for i, category in zip(order, categories, strict=True)
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{SIGNIFICANT_DIGITS}g}")
