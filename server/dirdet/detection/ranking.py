"""The method in numpy: Eq. 5, the confidence that ranks, and the NMS that ranks by it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Boxes per block of NMS: small enough that unneeded pairs cost little, large enough that numpy's overhead per call is
# small.
BLOCK = 64


def combined_iou(purity: ArrayLike, integrity: ArrayLike) -> Floats:
    """Eq. 5: 1 / (1/purity + 1/integrity - 1), and 0 if either is 0.

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
    """score^(1-w) * iou^w; the score alone if w is 0 or no iou is predicted.

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
    """IoU of one box [4] with boxes [N, 4], or of shapes that numpy broadcasts; 0 if both are empty."""
    x1, y1, x2, y2 = (box_xyxy[..., corner] for corner in range(4))
    left, top, right, bottom = (boxes_xyxy[..., corner] for corner in range(4))
    width = np.maximum(np.minimum(x2, right) - np.maximum(x1, left), 0)
    overlap = width * np.maximum(np.minimum(y2, bottom) - np.maximum(y1, top), 0)  # [N]
    union = (x2 - x1) * (y2 - y1) + (right - left) * (bottom - top) - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def ranked_nms(
    boxes_xyxy: ArrayLike, class_id: ArrayLike, rank: ArrayLike, *, iou_threshold: float
) -> NDArray[np.int64]:
    """Keeps, class by class, the highest-ranked of boxes that overlap by more than the threshold.

    A client that has the candidates can rank them again without a new detection.

    Args:
        boxes_xyxy: [N, 4], any unit.
        class_id: [N].
        rank: [N], higher first; equal ranks keep their order.
        iou_threshold: in 0..1.

    Returns:
        [K] indices of the survivors, highest rank first.
    """
    ranks, classes = np.asarray(rank, np.float64), np.asarray(class_id, np.int64)
    waiting = np.lexsort((-ranks, classes))  # [N], class by class, best first
    # Each coordinate is contiguous, as the computation needs it.
    corners = np.ascontiguousarray(np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)[waiting].T)  # [4, N]
    classes = classes[waiting]
    kept: list[NDArray[np.int64]] = []
    while waiting.size:
        block, of_block = corners[:, :BLOCK].T, classes[:BLOCK]
        survives = _survives(block, of_block, iou_threshold)
        kept.append(waiting[:BLOCK][survives])
        if waiting.size <= BLOCK:
            break
        free = np.ones(len(waiting), np.bool_)
        free[:BLOCK] = False
        # Only the block's last class continues after the block.
        going_on = slice(BLOCK, np.count_nonzero(classes <= of_block[-1]))
        leaders = block[survives & (of_block == of_block[-1])]
        covers = iou_with(leaders[:, None], corners[:, going_on].T[None]) > iou_threshold  # [leaders, boxes]
        free[going_on] = ~covers.any(axis=0)
        waiting, corners, classes = waiting[free], np.compress(free, corners, axis=1), classes[free]
    found = np.sort(np.concatenate(kept)) if kept else np.zeros(0, np.int64)
    return found[np.argsort(-ranks[found], kind="stable")]


def kept_over_classes(boxes_xyxy: ArrayLike, rank: ArrayLike, *, iou_threshold: float) -> NDArray[np.bool_]:
    """Which boxes NMS keeps where classes do not matter: the second step of `nms=class-agnostic`, on kept boxes.

    Args:
        boxes_xyxy: [N, 4], any unit.
        rank: [N], higher is better; of equal ones the first wins.
        iou_threshold: in 0..1.

    Returns:
        [N].
    """
    ranks = np.asarray(rank, np.float64)
    kept = np.zeros(len(ranks), np.bool_)
    kept[ranked_nms(boxes_xyxy, np.zeros(len(ranks), np.int64), ranks, iou_threshold=iou_threshold)] = True
    return kept


def _survives(boxes_xyxy: Floats, classes: NDArray[np.int64], iou_threshold: float) -> NDArray[np.bool_]:
    """Which of the boxes [B, 4], class by class and best first, no better box of their class suppresses."""
    covers = iou_with(boxes_xyxy[:, None], boxes_xyxy[None]) > iou_threshold  # [B, B]
    covers &= classes[:, None] == classes[None]
    survives = np.ones(len(boxes_xyxy), np.bool_)
    for index in np.flatnonzero(covers.any(axis=1)):
        if survives[index]:
            survives[index + 1 :] &= ~covers[index, index + 1 :]
    return survives
