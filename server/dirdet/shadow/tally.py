"""What became of everything that one candidate was offered, in one line."""

from collections import Counter
from collections.abc import Sequence

from dirdet.shadow.comparison import Comparison


class _Spread:
    """Mean and maximum of what was added."""

    def __init__(self, unit: str = "") -> None:
        self._unit = unit
        self.number, self.sum, self.most = 0, 0.0, 0.0

    def add(self, values: Sequence[float]) -> None:
        self.number += len(values)
        self.sum += sum(values)
        self.most = max(self.most, *values, 0.0)

    def __str__(self) -> str:
        if not self.number:
            return "not known"
        return f"{self.sum / self.number:.3g}{self._unit} on average, {self.most:.3g}{self._unit} at most"


class Tally:
    """Sums over pictures; for one thread at a time."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.compared = 0
        self.failed = 0
        self.dropped: Counter[str] = Counter()
        self.both = 0
        self.only_served = 0
        self.only_candidate = 0
        self._score, self._iou, self._moved_px = _Spread(), _Spread(), _Spread(" px")

    def add(self, found: Comparison) -> None:
        """One more picture was compared."""
        self.compared += 1
        self.both += sum(found.both.values())
        self.only_served += sum(found.only_served.values())
        self.only_candidate += sum(found.only_candidate.values())
        self._score.add(found.score_differences)
        self._iou.add(found.iou_differences)
        self._moved_px.add(found.displacements_px)

    def __str__(self) -> str:
        """For the log."""
        counted = f"{self.compared} pictures compared, {self.dropped.total()} dropped, {self.failed} failed"
        if not self.compared:
            return counted
        return (
            f"{counted}; of the detections {self.both} found by both, {self.only_served} by the served one alone, "
            f"{self.only_candidate} by the candidate alone; difference of the score {self._score}, of the iou "
            f"{self._iou}, of the box {self._moved_px}"
        )
