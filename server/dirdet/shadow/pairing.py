"""Which detections of two detectors mean one object."""

from collections.abc import Sequence

import numpy as np

from dirdet.detection import Detection
from dirdet.quality.overlap import overlaps

# COCO's least overlap of a match.
MIN_IOU = 0.5


def pairs(
    first: Sequence[Detection], second: Sequence[Detection], *, min_iou: float = MIN_IOU
) -> list[tuple[Detection, Detection]]:
    """Pairs of one class, by its name: of those that are free, the two that overlap most are one, and so on.

    Neither side is the truth, so that neither one's ranking decides, as it does in COCO's assignment: exchanged, the
    two give the same pairs. Every detection is in one pair at most.

    Args:
        first: in one picture.
        second: in the same one.
        min_iou: least overlap of a pair.
    """
    if not first or not second:
        return []
    iou = overlaps(
        np.array([each.box_xyxy for each in first], np.float64),
        np.array([each.box_xyxy for each in second], np.float64),
    ).iou  # [N, M]
    one_class = np.array([[a.label == b.label for b in second] for a in first])
    rows, columns = np.nonzero(one_class & (iou >= min_iou))
    found: list[tuple[Detection, Detection]] = []
    taken_rows: set[int] = set()
    taken_columns: set[int] = set()
    for index in np.argsort(-iou[rows, columns], kind="stable"):
        row, column = int(rows[index]), int(columns[index])
        if row not in taken_rows and column not in taken_columns:
            taken_rows.add(row)
            taken_columns.add(column)
            found.append((first[row], second[column]))
    return found
