"""Pairs the boxes of both sides and measures the differences of each pair."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dirdet_export.parity.found_boxes import Floats, Found, iou_matrix
from dirdet_export.parity.mask_match import mask_difference

MAX_BOX_DIFFERENCE_PX = 0.5
MAX_FIGURE_DIFFERENCE = 0.01

# Boxes with a lower IoU are not paired, even if the assignment pairs them.
MIN_PAIR_IOU = 0.1


@dataclass(frozen=True, slots=True)
class Pairs:
    """Corresponding boxes of both sides.

    Attributes:
        one: [P] positions on the first side.
        other: [P] positions on the second side.
        differences: [P] by name: `box` in pixels, score and the others, `mask` as 1 - IoU.
    """

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    differences: dict[str, Floats]

    def close(self) -> NDArray[np.bool_]:
        """Which pairs are within the tolerances, [P]."""
        inside = self.differences["box"] <= MAX_BOX_DIFFERENCE_PX
        for name, values in self.differences.items():
            if name != "box":
                inside = inside & (values <= MAX_FIGURE_DIFFERENCE)
        return inside

    def largest_figure(self) -> float:
        """The largest difference of any figure."""
        figures = [values.max(initial=0.0) for name, values in self.differences.items() if name not in ("box", "mask")]
        return float(max(figures, default=0.0))

    def choose(self, rows: NDArray[np.bool_]) -> "Pairs":
        """Some of the pairs."""
        chosen = {name: values[rows] for name, values in self.differences.items()}
        return Pairs(self.one[rows], self.other[rows], chosen)


def pair_up(one: Found, other: Found) -> Pairs:
    """Pairs boxes of the same class so that the total IoU is highest."""
    ious = iou_matrix(one.boxes_xyxy, other.boxes_xyxy)  # [N, K]
    # Two empty boxes at the same position have an IoU of 0 but can be paired.
    same_place = np.abs(one.boxes_xyxy[:, None] - other.boxes_xyxy[None]).max(-1) <= MAX_BOX_DIFFERENCE_PX
    gain = np.maximum(ious, same_place) * (one.class_id[:, None] == other.class_id[None])
    # Boxes at the same position are paired by the closest confidence.
    gain -= 1e-3 * np.abs(one.confidence[:, None] - other.confidence[None])
    rows, columns = linear_sum_assignment(-gain)
    real = gain[rows, columns] > MIN_PAIR_IOU
    rows, columns = rows[real].astype(np.int64), columns[real].astype(np.int64)
    differences = {"box": np.abs(one.boxes_xyxy[rows] - other.boxes_xyxy[columns]).max(-1, initial=0.0)}
    figures = other.figures()
    for name, values in one.figures().items():
        differences[name] = np.abs(values[rows] - figures[name][columns])
    if one.masks is not None and other.masks is not None:
        away = [mask_difference(one.masks[row], other.masks[column]) for row, column in zip(rows, columns, strict=True)]
        differences["mask"] = np.array(away, np.float64)
    return Pairs(rows, columns, differences)
