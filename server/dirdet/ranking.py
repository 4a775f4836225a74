"""The method in plain numpy: Eq. 5, the confidence that ranks, and the NMS that ranks by it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def combined_iou(purity: ArrayLike, integrity: ArrayLike) -> Floats:
    """Eq. 5: 1 / (1/purity + 1/integrity - 1), and 0 where either is 0.

    Args:
        purity: [N] in 0..1, overlap / area of the box.
        integrity: [N] in 0..1, overlap / area of the object.

    Returns:
        [N] in 0..1.
    """
    purity, integrity = np.asarray(purity, np.float64), np.asarray(integrity, np.float64)
    product = purity * integrity
    return np.divide(product, purity + integrity - product, out=np.zeros_like(product), where=product > 0)


def confidence(score: ArrayLike, iou: ArrayLike | None, *, iou_weight: float) -> Floats:
    """score^(1-w) * iou^w; the score alone where w is 0 or no iou is predicted.

    Args:
        score: [N] in 0..1.
        iou: [N] in 0..1, or None for a plain detector.
        iou_weight: w in 0..1.

    Returns:
        [N] in 0..1.
    """
    score = np.asarray(score, np.float64)
    if iou is None:
        return score
    return score ** (1 - iou_weight) * np.asarray(iou, np.float64) ** iou_weight


def iou_with(box_xyxy: Floats, boxes_xyxy: Floats) -> Floats:
    """IoU of one box [4] with boxes [N, 4]; 0 where both are empty."""
    top_left = np.maximum(box_xyxy[:2], boxes_xyxy[:, :2])
    bottom_right = np.minimum(box_xyxy[2:], boxes_xyxy[:, 2:])
    overlap = np.prod(np.clip(bottom_right - top_left, 0, None), axis=1)  # [N]
    areas = np.prod(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], axis=1)  # [N]
    union = np.prod(box_xyxy[2:] - box_xyxy[:2]) + areas - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def ranked_nms(
    boxes_xyxy: ArrayLike, class_id: ArrayLike, rank: ArrayLike, *, iou_threshold: float
) -> NDArray[np.int64]:
    """Keeps, class by class, the highest-ranked of boxes that overlap by more than the threshold.

    With it somebody who has the candidates ranks them again without detecting again.

    Args:
        boxes_xyxy: [N, 4], any unit.
        class_id: [N].
        rank: [N], higher first; equal ranks keep their order.
        iou_threshold: in 0..1.

    Returns:
        [K] indices of the survivors, highest rank first.
    """
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    classes = np.asarray(class_id)
    waiting = np.argsort(-np.asarray(rank, np.float64), kind="stable")  # [N]
    kept: list[int] = []
    while waiting.size:
        best, others = waiting[0], waiting[1:]
        kept.append(int(best))
        suppressed = (iou_with(boxes[best], boxes[others]) > iou_threshold) & (classes[others] == classes[best])
        waiting = others[~suppressed]
    return np.asarray(kept, np.int64)
