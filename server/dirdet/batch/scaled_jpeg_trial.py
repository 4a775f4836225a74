"""Tests on some of a job's pictures whether scaled JPEG decoding is accurate enough."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from dirdet.batch.source_picture import Entry
from dirdet.detection import Detection
from dirdet.detector.detector import Detector
from dirdet.detector.options import Settings
from dirdet.engines.tensors import MAX_BATCH
from dirdet.errors import PictureError, counted
from dirdet.pictures.canvas import PlacedPicture
from dirdet.pictures.reading import read_picture
from dirdet.pictures.scaled_jpeg import is_scaled, place_scaled

MOST_PICTURES = 64
MOST_LOOKED_AT = 1000
FEWEST_BOXES = 100
MOVED_PX = 1.0
MOST_MOVED = 0.01


@dataclass(frozen=True, slots=True)
class Trial:
    """Result of a trial.

    Attributes:
        pictures: number of pictures detected on twice.
        boxes: number of boxes in them without scaling.
        moved: those of them without a box of the same class within `MOVED_PX` with scaling.
    """

    pictures: int
    boxes: int
    moved: int

    @property
    def good_enough(self) -> bool:
        """Whether there are enough boxes and fewer than `MOST_MOVED` of them moved."""
        return self.boxes >= FEWEST_BOXES and self.moved < MOST_MOVED * self.boxes

    def __str__(self) -> str:
        if not self.pictures:
            return "scaled JPEG decoding: no picture is large enough for it"
        share = self.moved / self.boxes if self.boxes else 0.0
        if self.good_enough:
            verdict = "used"
        elif self.boxes < FEWEST_BOXES:
            verdict = f"not used: too few boxes to decide, expected {FEWEST_BOXES}"
        else:
            verdict = f"not used: expected fewer than {MOST_MOVED:.0%}"
        return (
            f"scaled JPEG decoding: {self.moved} of {counted(self.boxes, 'box')} ({share:.1%}) in "
            f"{counted(self.pictures, 'picture')} move "
            f"by more than {MOVED_PX:g} px; {verdict}"
        )


def run_trial(detector: Detector, settings: Settings, entries: Iterable[Entry]) -> Trial:
    """Detects twice on the first pictures that scaling would affect; skips pictures that cannot be read.

    Args:
        detector: the job's.
        settings: the job's.
        entries: pictures of the job in a fixed order; at most `MOST_LOOKED_AT` of them are examined.
    """
    whole: list[PlacedPicture] = []
    scaled: list[PlacedPicture] = []
    for entry in islice(entries, MOST_LOOKED_AT):
        try:
            with entry.open() as file:
                if not is_scaled(file, detector.manifest):
                    continue
            with entry.open() as file:
                placed = detector.place(read_picture(file))
            with entry.open() as file:
                scaled.append(place_scaled(file, detector.manifest))
        except PictureError:
            continue
        whole.append(placed)
        if len(whole) == MOST_PICTURES:
            break
    boxes = moved = 0
    for start in range(0, len(whole), MAX_BATCH):
        some = slice(start, start + MAX_BATCH)
        expected = detector.detect_placed(whole[some], settings)
        found = detector.detect_placed(scaled[some], settings)
        for one, other in zip(expected, found, strict=True):
            boxes += len(one.detections)
            moved += moved_in(one.detections, other.detections)
    return Trial(len(whole), boxes, moved)


def moved_in(expected: Sequence[Detection], found: Sequence[Detection]) -> int:
    """Number of boxes without a box of their class whose edges all lie within `MOVED_PX`."""
    moved = 0
    for each in expected:
        same = [other.box_xyxy for other in found if other.class_id == each.class_id]
        edges = np.abs(np.asarray(same, np.float64).reshape(-1, 4) - np.asarray(each.box_xyxy)).max(axis=1)  # [N]
        moved += not (edges <= MOVED_PX).any()
    return moved
