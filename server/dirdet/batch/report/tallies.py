"""Counts of a job of any size: histograms of its detections' figures, and the pictures that could not be read."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dirdet.batch.arrow import parquet
from dirdet.quality.arrays import Floats, Ints

EXAMPLES = 5
# Calibrated figures lead: what they say is what happens.
FIGURES = ("score_calibrated", "iou_calibrated", "score", "iou", "purity", "integrity")
# Bins over 0..1; quantiles are read from them, exact to 0.01.
BINS = 100
# Bins of each axis of score against iou.
PLANE_BINS = 40


class Tallies:
    """Counts tables of detections; its size depends only on the number of classes.

    Attributes:
        counts: [C], detections of each class.
        bins: [F, C, BINS], histogram of each figure of `FIGURES`; empty if the detector does not report it.
        plane: [PLANE_BINS, PLANE_BINS], histogram over score and iou.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self.counts: Ints = np.zeros(classes, np.int64)
        self.bins: Ints = np.zeros((len(FIGURES), classes, BINS), np.int64)
        self.plane: Ints = np.zeros((PLANE_BINS, PLANE_BINS), np.int64)

    def add(self, table: Any) -> None:  # noqa: ANN401 - pyarrow says no types
        """Adds a table of detections with `class_id` and `FIGURES`."""
        class_id: Ints = table["class_id"].to_numpy().astype(np.int64)  # [N]
        self.counts += np.bincount(class_id, minlength=self._classes)
        columns = {name: _numbers(table[name]) for name in FIGURES}
        for place, values in enumerate(columns.values()):
            known = ~np.isnan(values)
            cells = class_id[known] * BINS + _bin(values[known], BINS)
            self.bins[place] += np.bincount(cells, minlength=self._classes * BINS).reshape(self._classes, BINS)
        both = ~np.isnan(columns["iou"])
        cells = _bin(columns["score"][both], PLANE_BINS) * PLANE_BINS + _bin(columns["iou"][both], PLANE_BINS)
        self.plane += np.bincount(cells, minlength=PLANE_BINS**2).reshape(PLANE_BINS, PLANE_BINS)

    @property
    def total(self) -> int:
        """Number of detections."""
        return int(self.counts.sum())

    def reported(self) -> list[str]:
        """The figures that at least one detection has."""
        return [name for place, name in enumerate(FIGURES) if self.bins[place].any()]

    def histogram(self, figure: str, class_id: int | None = None) -> Ints:
        """Histogram of a figure [BINS], of one class or of all."""
        bins = self.bins[FIGURES.index(figure)]
        return bins.sum(axis=0) if class_id is None else bins[class_id]


def quantile(histogram: Ints, fraction: float) -> float | None:
    """The value below which that fraction lies, as its bin's middle; None for an empty histogram."""
    total = int(histogram.sum())
    if not total:
        return None
    place = int(np.searchsorted(np.cumsum(histogram), fraction * total))
    return (min(place, len(histogram) - 1) + 0.5) / len(histogram)


def _bin(values: Floats, bins: int) -> Ints:
    return np.clip((values * bins).astype(np.int64), 0, bins - 1)


def _numbers(column: Any) -> Floats:  # noqa: ANN401
    """A column [N], nan for missing values."""
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


@dataclass
class Failures:
    """Pictures that could not be read.

    Attributes:
        counts: by reason.
        examples: the first pictures of each reason, with their errors.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, list[tuple[str, str]]] = field(default_factory=dict[str, list[tuple[str, str]]])


def read_failures(path: Path) -> Failures:
    """Reads errors.parquet, a few thousand rows at a time."""
    found = Failures()
    with parquet().ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["picture", "reason", "error"]):
            for picture, reason, error in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                found.counts[reason] += 1
                if found.counts[reason] <= EXAMPLES:
                    found.examples.setdefault(reason, []).append((picture, error))
    return found
