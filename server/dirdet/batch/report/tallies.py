"""Counts of a job's detections, however many: histograms of their figures, for all and for each class."""

from typing import Any

import numpy as np

from dirdet.quality.arrays import Floats, Ints

FIGURES = ("score", "iou", "purity", "integrity")
# Of 0..1; quantiles are read off these bins, so they are right to 0.01.
BINS = 100
# Of each axis of score against iou.
PLANE_BINS = 40


class Tallies:
    """Grows by tables of detections; its size depends on the number of classes alone.

    Attributes:
        counts: [C], detections of each class.
        bins: [F, C, BINS], how many have a figure of `FIGURES` in that hundredth; none where it is not told.
        plane: [PLANE_BINS, PLANE_BINS], how many have that score and that iou.
    """

    def __init__(self, classes: int) -> None:
        """Nothing yet, of so many classes."""
        self._classes = classes
        self.counts: Ints = np.zeros(classes, np.int64)
        self.bins: Ints = np.zeros((len(FIGURES), classes, BINS), np.int64)
        self.plane: Ints = np.zeros((PLANE_BINS, PLANE_BINS), np.int64)

    def add(self, table: Any) -> None:  # noqa: ANN401 - pyarrow says no types
        """Detections with `class_id` and `FIGURES`."""
        class_id: Ints = table["class_id"].to_numpy().astype(np.int64)  # [N]
        self.counts += np.bincount(class_id, minlength=self._classes)
        columns = {name: _numbers(table[name]) for name in FIGURES}
        for place, values in enumerate(columns.values()):
            told = ~np.isnan(values)
            cells = class_id[told] * BINS + _bin(values[told], BINS)
            self.bins[place] += np.bincount(cells, minlength=self._classes * BINS).reshape(self._classes, BINS)
        both = ~np.isnan(columns["iou"])
        cells = _bin(columns["score"][both], PLANE_BINS) * PLANE_BINS + _bin(columns["iou"][both], PLANE_BINS)
        self.plane += np.bincount(cells, minlength=PLANE_BINS**2).reshape(PLANE_BINS, PLANE_BINS)

    @property
    def total(self) -> int:
        """Detections."""
        return int(self.counts.sum())

    def told(self) -> list[str]:
        """The figures that some detection has."""
        return [name for place, name in enumerate(FIGURES) if self.bins[place].any()]

    def histogram(self, figure: str, class_id: int | None = None) -> Ints:
        """How many have the figure in each hundredth [BINS]; of one class or of all."""
        bins = self.bins[FIGURES.index(figure)]
        return bins.sum(axis=0) if class_id is None else bins[class_id]


def quantile(histogram: Ints, fraction: float) -> float | None:
    """The value below which that fraction lies, by its bin's middle; None of nothing."""
    total = int(histogram.sum())
    if not total:
        return None
    place = int(np.searchsorted(np.cumsum(histogram), fraction * total))
    return (min(place, len(histogram) - 1) + 0.5) / len(histogram)


def _bin(values: Floats, bins: int) -> Ints:
    return np.clip((values * bins).astype(np.int64), 0, bins - 1)


def _numbers(column: Any) -> Floats:  # noqa: ANN401
    """A column [N], nan where there is none."""
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
