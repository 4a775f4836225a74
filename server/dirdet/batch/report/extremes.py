"""The most and the least certain boxes of a job, a bounded number of each."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dirdet.quality.arrays import Floats, Ints

COLUMNS = ("position", "picture", "x1", "y1", "x2", "y2", "label", "score", "purity", "integrity", "iou", "confidence")
# Of one picture among the most, and among the least certain: else a picture of a crowd would be all there is to see.
OF_A_PICTURE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """A detection that is shown.

    Attributes:
        position: of its picture in the plan.
        xyxy: in the picture's pixels.
        figures: score, purity, integrity, iou and confidence; None where the detector does not tell it.
    """

    position: int
    picture: str
    xyxy: tuple[float, float, float, float]
    label: str
    figures: dict[str, float | None]


class Extremes:
    """Grows by tables of detections, whose rows stand by picture, the most confident first.

    Attributes:
        most: by falling confidence.
        least: by rising confidence.
    """

    def __init__(self, wanted: int) -> None:
        """So many of each."""
        self._wanted = wanted
        self.most: list[Box] = []
        self.least: list[Box] = []

    def add(self, table: Any) -> None:  # noqa: ANN401 - pyarrow says no types
        """Detections with `COLUMNS`."""
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
        """The best of what was known and of a table's rows, which stand with the best of each picture first."""
        rows = np.arange(len(position))
        first = np.flatnonzero(np.r_[True, position[1:] != position[:-1]])
        within = rows - np.repeat(first, np.diff(np.r_[first, len(position)]))  # [N], place within the picture
        candidates = rows[within < OF_A_PICTURE]
        order = np.lexsort((position[candidates], sign * confidence[candidates]))[: self._wanted]
        chosen = candidates[order]
        # A table read backwards counts its rows backwards.
        places = chosen if sign < 0 else len(position) - 1 - chosen
        found = [_box(row) for row in table.select(list(COLUMNS)).take(places).to_pylist()]
        return sorted([*known, *found], key=lambda box: (sign * (box.figures["confidence"] or 0), box.position))[
            : self._wanted
        ]


def _box(row: dict[str, Any]) -> Box:
    figures = {name: row[name] for name in ("score", "purity", "integrity", "iou", "confidence")}
    return Box(row["position"], row["picture"], (row["x1"], row["y1"], row["x2"], row["y2"]), row["label"], figures)
