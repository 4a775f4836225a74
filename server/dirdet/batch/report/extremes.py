"""The boxes that a report shows: the most and the least certain, and the first to review; a bounded number of each."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dirdet.batch.arrow import parquet
from dirdet.batch.review_queue import REASON
from dirdet.quality.arrays import Floats, Ints

FIGURES = ("score_calibrated", "iou_calibrated", "score", "purity", "integrity", "iou", "confidence")
COLUMNS = ("position", "picture", "x1", "y1", "x2", "y2", "label", *FIGURES)
# Most boxes of one picture in each list; otherwise one picture of a crowd could fill it.
OF_A_PICTURE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """A detection in the report.

    Attributes:
        position: of its picture in the plan.
        xyxy: in the picture's pixels.
        figures: by the names of FIGURES; None if the detector does not report it.
        reason: why a person should review it; None of the others.
    """

    position: int
    picture: str
    xyxy: tuple[float, float, float, float]
    label: str
    figures: dict[str, float | None]
    reason: str | None = None


class Extremes:
    """Collects boxes from tables of detections, whose rows are grouped by picture, the most confident first.

    Attributes:
        most: by falling confidence.
        least: by rising confidence.
    """

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self.most: list[Box] = []
        self.least: list[Box] = []

    def add(self, table: Any) -> None:  # noqa: ANN401 - pyarrow says no types
        """Adds a table of detections with `COLUMNS`."""
        if not table.num_rows:
            return
        position: Ints = table["position"].to_numpy()  # [N]
        confidence: Floats = table["confidence"].to_numpy()  # [N]
        self.most = self._merged(self.most, table, position, confidence, sign=-1)
        self.least = self._merged(self.least, table, position[::-1], confidence[::-1], sign=1)

    def _merged(
        self,
        known: list[Box],
        table: Any,  # noqa: ANN401
        position: Ints,
        confidence: Floats,
        *,
        sign: int,
    ) -> list[Box]:
        """The best of the known boxes and a table's rows, which list the best of each picture first."""
        rows = np.arange(len(position))
        first = np.flatnonzero(np.r_[True, position[1:] != position[:-1]])
        within = rows - np.repeat(first, np.diff(np.r_[first, len(position)]))  # [N], rank within the picture
        candidates = rows[within < OF_A_PICTURE]
        order = np.lexsort((position[candidates], sign * confidence[candidates]))[: self._wanted]
        chosen = candidates[order]
        # The rows of a reversed table are numbered from its end.
        places = chosen if sign < 0 else len(position) - 1 - chosen
        found = [_box(row) for row in table.select(list(COLUMNS)).take(places).to_pylist()]
        return sorted([*known, *found], key=lambda box: (sign * (box.figures["confidence"] or 0), box.position))[
            : self._wanted
        ]


def first_to_review(path: Path, wanted: int) -> list[Box]:
    """The first boxes of review.parquet, of each picture at most `OF_A_PICTURE`."""
    found: list[Box] = []
    of_picture: Counter[int] = Counter()
    with parquet().ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024, columns=[*COLUMNS, REASON]):
            for row in batch.to_pylist():
                of_picture[row["position"]] += 1
                if of_picture[row["position"]] <= OF_A_PICTURE:
                    found.append(_box(row))
                if len(found) == wanted:
                    return found
    return found


def _box(row: dict[str, Any]) -> Box:
    figures = {name: row[name] for name in FIGURES}
    sides = (row["x1"], row["y1"], row["x2"], row["y2"])
    return Box(row["position"], row["picture"], sides, row["label"], figures, row.get(REASON))
