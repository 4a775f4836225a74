"""What one side of the comparison found in one picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dirdet.ranking import combined_iou, confidence
from dirdet.tensors import Candidates
from dirdet_export.parity.mask_match import MaskPixels, masks_by_engine

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes with their figures, [N] each, in any order.

    Attributes:
        boxes_xyxy: [N, 4], pixels of the canvas.
        class_id: from 0.
        score: the classifier's probability.
        purity: None from a plain detector, as the next two.
        integrity: overlap / area of the object.
        iou: Eq. 5 of the two.
        confidence: what NMS ranked by.
        masks: one for each box; None where there are none, and of candidates.
    """

    boxes_xyxy: Floats
    class_id: NDArray[np.int64]
    score: Floats
    purity: Floats | None
    integrity: Floats | None
    iou: Floats | None
    confidence: Floats
    masks: list[MaskPixels] | None = None

    def __len__(self) -> int:
        """How many boxes."""
        return len(self.score)

    def figures(self) -> dict[str, Floats]:
        """All that is compared beside the boxes, by name."""
        named = {name: getattr(self, name) for name in ("score", "purity", "integrity", "iou", "confidence")}
        return {name: values for name, values in named.items() if values is not None}


def found_by_engine(
    answer: Candidates,
    index: int,
    *,
    iou_weight: float,
    kept_only: bool,
    picture_hw: tuple[int, int],
    mask_threshold: float | None,
) -> Found:
    """One canvas of an engine's answer.

    Args:
        answer: of the engine.
        index: which canvas.
        iou_weight: w that it ranked with.
        kept_only: the detections; else all candidates, which have no masks.
        picture_hw: the part of the canvas that is picture.
        mask_threshold: a pixel belongs to a mask where its probability reaches it.
    """
    count = answer.num_candidates[index]
    rows = answer.kept[index, : answer.num_detections[index]] if kept_only else np.arange(count)

    def wide(values: NDArray[np.float32]) -> Floats:
        return values[index, rows].astype(np.float64)

    score = wide(answer.score)
    purity = integrity = iou = None
    if answer.purity is not None and answer.integrity is not None:
        purity, integrity = wide(answer.purity), wide(answer.integrity)
        iou = combined_iou(purity, integrity)
    return Found(
        boxes_xyxy=wide(answer.boxes_xyxy),
        class_id=answer.class_id[index, rows],
        score=score,
        purity=purity,
        integrity=integrity,
        iou=iou,
        confidence=confidence(score, iou, iou_weight=iou_weight),
        masks=masks_by_engine(answer, index, picture_hw=picture_hw, threshold=mask_threshold) if kept_only else None,
    )


def iou_matrix(one_xyxy: Floats, other_xyxy: Floats) -> Floats:
    """IoU of all pairs: [N, 4] and [K, 4] to [N, K]; 0 where both are empty."""
    top_left = np.maximum(one_xyxy[:, None, :2], other_xyxy[None, :, :2])
    bottom_right = np.minimum(one_xyxy[:, None, 2:], other_xyxy[None, :, 2:])
    overlap = np.clip(bottom_right - top_left, 0, None).prod(-1)  # [N, K]
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (one_xyxy, other_xyxy)]
    union = areas[0][:, None] + areas[1][None] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
