"""Differences explained by near-ties of the last steps: threshold, limits and the NMS ranked by confidence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dirdet_export.dissect.mmdet_settings import Limits
from dirdet_export.parity.found_boxes import Floats, Found, iou_matrix
from dirdet_export.parity.match import MAX_BOX_DIFFERENCE_PX, MAX_FIGURE_DIFFERENCE, Pairs

# Two float32 computations may order values that differ by less than this either way.
NEAR = 1e-4
# The most that is excused where the matched boxes of both sides differ by more than NEAR.
MAX_NEAR = 1e-3


def nearness(close: Pairs) -> float:
    """What counts as near in one picture: twice the largest difference of matched figures, within bounds."""
    return min(MAX_NEAR, max(NEAR, 2 * close.largest_figure()))


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Boxes that only one side has.

    Attributes:
        boxes: the unmatched boxes.
        other: all boxes of the other side.
    """

    boxes: Found
    other: Found


def offset_iou_matrix(one_xyxy: Floats, other_xyxy: Floats, *, group: NDArray[np.int64], span: float) -> Floats:
    """IoU as MMDetection computes it: in float32, on boxes with an offset per group.

    Args:
        one_xyxy: [N, 4], pixels.
        other_xyxy: [K, 4], pixels.
        group: [N], class or level of the first boxes; both boxes of a pair have the same group.
        span: offset between groups, pixels.

    Returns:
        [N, K].
    """
    offset = (group * (span + 1)).astype(np.float32)  # [N]
    rows: list[Floats] = []
    for box, shift in zip(one_xyxy.astype(np.float32), offset, strict=True):
        moved = (other_xyxy.astype(np.float32) + shift).astype(np.float64)
        rows.append(iou_matrix((box + shift).astype(np.float64)[None], moved)[0])
    return np.array(rows).reshape(len(one_xyxy), len(other_xyxy))


def may_flip(exact: Floats, moved: Floats, threshold: float, near: float) -> NDArray[np.bool_]:
    """Pairs whose suppression depends on rounding: an IoU near the threshold, or on its other side in MMDetection."""
    close = (np.abs(exact - threshold) <= near) | (np.abs(moved - threshold) <= near)
    return close | ((exact > threshold) != (moved > threshold))


def _twins(boxes: Found, candidates: Found) -> NDArray[np.int64]:
    """[N] index among the candidates of each box itself; -1 if the bundle does not have it."""
    if not len(candidates):
        return np.full(len(boxes), -1, np.int64)
    away = np.abs(boxes.boxes_xyxy[:, None] - candidates.boxes_xyxy[None]).max(-1)  # [N, K]
    apart = np.abs(boxes.score[:, None] - candidates.score[None])
    alike = (away <= MAX_BOX_DIFFERENCE_PX) & (apart <= MAX_FIGURE_DIFFERENCE)
    alike &= boxes.class_id[:, None] == candidates.class_id[None]
    distance = np.where(alike, away + apart, np.inf)
    return np.where(alike.any(1), distance.argmin(1), -1)


def _tied_in_nms(candidates: Found, rows: NDArray[np.int64], limits: Limits, near: float) -> NDArray[np.bool_]:
    """[N] whether the survival of the candidates in these rows [N] depends on a near-tie with another one."""
    boxes, class_id, confidence = candidates.in_nms_xyxy, candidates.class_id, candidates.confidence
    others = limits.nms_over_classes | (class_id[rows, None] == class_id[None])  # [N, K]
    others &= rows[:, None] != np.arange(len(candidates))[None]
    exact = iou_matrix(boxes[rows], boxes)  # [N, K]
    group = class_id[rows] * (not limits.nms_over_classes)
    moved = offset_iou_matrix(boxes[rows], boxes, group=group, span=float(boxes.max(initial=0)))
    tied = np.abs(confidence[rows, None] - confidence[None]) <= near
    tied &= exact > limits.nms_iou_threshold - near
    return (others & (may_flip(exact, moved, limits.nms_iou_threshold, near) | tied)).any(1)


def excused(leftovers: Leftovers, candidates: Found, limits: Limits, near: float) -> NDArray[np.bool_]:
    """[N] whether a near-tie explains each leftover.

    A leftover that is a candidate of the bundle may have been dropped in the last steps, another one before them.

    Args:
        leftovers: of one side.
        candidates: all candidates of the bundle's side.
        limits: thresholds and sizes.
        near: values that differ by less may change their order.
    """
    boxes, other = leftovers.boxes, leftovers.other
    verdict = np.abs(boxes.score - limits.score_threshold) <= near
    if len(candidates) == limits.considered:
        verdict |= np.abs(boxes.score - candidates.score.min()) <= near
    twins = _twins(boxes, candidates)
    late = np.zeros(len(boxes), np.bool_)
    known = np.flatnonzero(twins >= 0)
    late[known] = _tied_in_nms(candidates, twins[known], limits, near)
    if len(other) == limits.max_detections:
        # Dropped by a full list. The box that took its place is a leftover of the other side, for which a near-tie is
        # required too.
        late |= boxes.confidence <= other.confidence.min() + near
    return verdict | (late & (twins >= 0))


def spread(
    sides: tuple[Found, Found], verdicts: tuple[NDArray[np.bool_], NDArray[np.bool_]], limits: Limits, near: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Also excuses leftovers that an excused one of either side suppresses or would suppress, repeatedly.

    Args:
        sides: leftovers of both sides, [N] and [K].
        verdicts: whether each is excused.
        limits: thresholds.
        near: values that differ by less may change their order.

    Returns:
        The verdicts including the chains.
    """
    boxes = np.concatenate([side.boxes_xyxy for side in sides])  # [N + K, 4]
    classes = np.concatenate([side.class_id for side in sides])
    verdict = np.concatenate(verdicts)
    linked = iou_matrix(boxes, boxes) > limits.nms_iou_threshold - near
    linked &= limits.nms_over_classes | (classes[:, None] == classes[None])
    while True:
        wider = verdict | (linked & verdict[None]).any(1)
        if (wider == verdict).all():
            return verdict[: len(sides[0])], verdict[len(sides[0]) :]
        verdict = wider
