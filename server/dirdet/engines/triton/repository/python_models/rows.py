"""Rows of a dynamic batch, by request and by NMS threshold.

Runs inside Triton's Python backend, beside the model that uses it.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise


def spans(sizes: Sequence[int]) -> list[slice]:
    """The range of rows of each request, in order.

    Args:
        sizes: number of rows of each request.
    """
    return [slice(start, end) for start, end in pairwise(accumulate(sizes, initial=0))]


def groups(thresholds: Sequence[float]) -> list[tuple[float, list[int]]]:
    """Every threshold with the rows that want it: the networks take one number for all rows."""
    rows: dict[float, list[int]] = {}
    for row, threshold in enumerate(thresholds):
        rows.setdefault(threshold, []).append(row)
    return list(rows.items())
