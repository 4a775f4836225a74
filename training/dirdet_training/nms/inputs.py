"""Checks of the inputs of every NMS, and the ends of their classes."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def require_inputs(iou_threshold: float, **columns: Tensor) -> None:
    """Raises ValueError unless the columns have one length and the threshold is in [0, 1]."""
    lengths = [len(column) for column in columns.values()]
    if len(set(lengths)) > 1:
        *names, last = columns
        raise ValueError(f"{', '.join(names)} and {last} must have one length, not {', '.join(map(str, lengths))}")
    if not 0 <= iou_threshold <= 1:
        raise ValueError(f"iou_threshold must be in [0, 1], not {iou_threshold}")


def class_ends(classes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Returns the end of each class in sorted class numbers [N]; for no class numbers, one end, 0."""
    return np.append(np.flatnonzero(classes[1:] != classes[:-1]) + 1, len(classes))
