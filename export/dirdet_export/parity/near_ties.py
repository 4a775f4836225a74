"""Which differences are near-ties of the last steps: threshold, cuts and the NMS ranked by confidence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dirdet_export.anatomy import Limits
from dirdet_export.parity.found import Floats, Found, iou_matrix

# Two computations in float32 may order figures as close as this either way.
NEAR = 1e-4


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What one side found and the other did not.

    Attributes:
        boxes: of the side that found them.
        other: all that the other side found.
    """

    boxes: Found
    other: Found


def offset_iou_matrix(one_xyxy: Floats, other_xyxy: Floats, *, group: NDArray[np.int64], span: float) -> Floats:
    """IoU as MMDetection computes it: in float32, on boxes moved aside by their group.

    Args:
        one_xyxy: [N, 4], pixels.
        other_xyxy: [K, 4], pixels.
        group: [N], class or level of the first boxes; pairs are of one group.
        span: pixels between groups.

    Returns:
        [N, K].
    """
    offset = (group * (span + 1)).astype(np.float32)  # [N]
    rows: list[Floats] = []
    for box, shift in zip(one_xyxy.astype(np.float32), offset, strict=True):
        moved = (other_xyxy.astype(np.float32) + shift).astype(np.float64)
        rows.append(iou_matrix((box + shift).astype(np.float64)[None], moved)[0])
    return np.array(rows).reshape(len(one_xyxy), len(other_xyxy))


def may_flip(exact: Floats, moved: Floats, threshold: float) -> NDArray[np.bool_]:
    """Pairs whose suppression hangs on rounding: near the threshold, or on either side of it by MMDetection's own."""
    near = (np.abs(exact - threshold) <= NEAR) | (np.abs(moved - threshold) <= NEAR)
    return near | ((exact > threshold) != (moved > threshold))


def _tied_in_nms(boxes: Found, around: Found, limits: Limits) -> NDArray[np.bool_]:
    """[N] whether a box's survival hangs on a near-tie with one of those around it."""
    if not len(boxes) or not len(around):
        return np.zeros(len(boxes), np.bool_)
    same = boxes.class_id[:, None] == around.class_id[None]
    exact = iou_matrix(boxes.boxes_xyxy, around.boxes_xyxy)  # [N, K]
    span = max(boxes.boxes_xyxy.max(initial=0), around.boxes_xyxy.max(initial=0))
    moved = offset_iou_matrix(boxes.boxes_xyxy, around.boxes_xyxy, group=boxes.class_id, span=float(span))
    apart = np.abs(boxes.confidence[:, None] - around.confidence[None])
    itself = (np.abs(boxes.boxes_xyxy[:, None] - around.boxes_xyxy[None]).max(-1) <= 1e-2) & (apart <= NEAR)
    overlap = exact > limits.nms_iou_threshold - NEAR
    flips = may_flip(exact, moved, limits.nms_iou_threshold) | (overlap & (apart <= NEAR))
    return (same & ~itself & flips).any(1)


def excused(leftovers: Leftovers, candidates: Found, limits: Limits) -> NDArray[np.bool_]:
    """[N] which leftovers a near-tie explains.

    Args:
        leftovers: of one side.
        candidates: all candidates of the bundle's side.
        limits: thresholds and sizes.
    """
    boxes, other = leftovers.boxes, leftovers.other
    verdict = np.abs(boxes.score - limits.score_threshold) <= NEAR
    if len(candidates) == limits.max_candidates:
        verdict |= np.abs(boxes.score - candidates.score.min()) <= NEAR
    if len(other) == limits.max_detections:
        # Cut off by a full list. What took its place is a leftover of the other side and must be excused itself.
        verdict |= boxes.confidence <= other.confidence.min() + NEAR
    for around in (candidates, other):
        verdict |= _tied_in_nms(boxes, around, limits)
    return verdict


def spread(
    sides: tuple[Found, Found], verdicts: tuple[NDArray[np.bool_], NDArray[np.bool_]], limits: Limits
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Excuses what an excused leftover of either side suppresses or would have: one flip may cause a chain.

    Args:
        sides: leftovers of both sides, [N] and [K].
        verdicts: which are excused.
        limits: thresholds.

    Returns:
        The verdicts after the chains.
    """
    boxes = np.concatenate([side.boxes_xyxy for side in sides])  # [N + K, 4]
    classes = np.concatenate([side.class_id for side in sides])
    verdict = np.concatenate(verdicts)
    linked = iou_matrix(boxes, boxes) > limits.nms_iou_threshold - NEAR
    linked &= classes[:, None] == classes[None]
    while True:
        wider = verdict | (linked & verdict[None]).any(1)
        if (wider == verdict).all():
            return verdict[: len(sides[0])], verdict[len(sides[0]) :]
        verdict = wider
