"""The boxes that one side of the comparison has for one picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dirdet.detection.ranking import combined_iou, confidence
from dirdet.detector.postprocess import kept_by
from dirdet.engines.tensors import Candidates
from dirdet_export.dissect.mmdet_settings import Limits
from dirdet_export.parity.mask_match import MaskPixels, masks_by_engine

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes with their figures, [N] each, unordered.

    Attributes:
        boxes_xyxy: [N, 4], pixels of the canvas.
        class_id: from 0.
        score: the classifier's probability.
        purity: overlap / area of the box; None from a plain detector, as `integrity` and `iou`.
        integrity: overlap / area of the object.
        iou: Eq. 5 of purity and integrity.
        confidence: rank of NMS.
        masks: one per box; None for candidates and without masks.
        unclipped_xyxy: [N, 4], the boxes in NMS if `boxes_xyxy` were clipped after it; None if both are the same.
    """

    boxes_xyxy: Floats
    class_id: NDArray[np.int64]
    score: Floats
    purity: Floats | None
    integrity: Floats | None
    iou: Floats | None
    confidence: Floats
    masks: list[MaskPixels] | None = None
    unclipped_xyxy: Floats | None = None

    @property
    def in_nms_xyxy(self) -> Floats:
        """[N, 4], the boxes that NMS compared."""
        return self.boxes_xyxy if self.unclipped_xyxy is None else self.unclipped_xyxy

    def __len__(self) -> int:
        return len(self.score)

    def figures(self) -> dict[str, Floats]:
        """All compared values except boxes and masks, by name."""
        named = {name: getattr(self, name) for name in ("score", "purity", "integrity", "iou", "confidence")}
        return {name: values for name, values in named.items() if values is not None}


def found_by_engine(
    answer: Candidates,
    index: int,
    *,
    limits: Limits,
    kept_only: bool,
    picture_hw: tuple[int, int],
) -> Found:
    """Boxes of one canvas from an engine's output.

    Args:
        answer: output of the engine.
        index: of the canvas.
        limits: thresholds, and steps of the ranked NMS.
        kept_only: give the detections; else all candidates, without masks.
        picture_hw: size of the picture on the canvas.
    """
    every = np.arange(answer.num_candidates[index])
    chosen = kept_by(
        answer,
        index,
        selection=limits.selection,
        iou_weight=limits.iou_weight,
        nms_iou_threshold=limits.nms_iou_threshold,
        limit=limits.max_detections,
    )
    rows = chosen.rows if kept_only else every

    def wide(values: NDArray[np.float32]) -> Floats:
        return values[index, rows].astype(np.float64)

    score = wide(answer.score)
    purity = integrity = iou = None
    if answer.purity is not None and answer.integrity is not None:
        purity, integrity = wide(answer.purity), wide(answer.integrity)
        iou = combined_iou(purity, integrity)
    ranked = confidence(score, iou, iou_weight=limits.iou_weight)
    return Found(
        boxes_xyxy=chosen.boxes_xyxy if kept_only else wide(answer.boxes_xyxy),
        class_id=answer.class_id[index, rows],
        score=score,
        purity=purity,
        integrity=integrity,
        iou=iou,
        confidence=chosen.reported if kept_only else ranked,
        masks=masks_by_engine(answer, index, picture_hw=picture_hw, threshold=limits.mask_threshold)
        if kept_only
        else None,
    )


def iou_matrix(one_xyxy: Floats, other_xyxy: Floats) -> Floats:
    """IoU of all pairs: [N, 4] and [K, 4] to [N, K]; 0 if both are empty."""
    top_left = np.maximum(one_xyxy[:, None, :2], other_xyxy[None, :, :2])
    bottom_right = np.minimum(one_xyxy[:, None, 2:], other_xyxy[None, :, 2:])
    overlap = np.clip(bottom_right - top_left, 0, None).prod(-1)  # [N, K]
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (one_xyxy, other_xyxy)]
    union = areas[0][:, None] + areas[1][None] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
