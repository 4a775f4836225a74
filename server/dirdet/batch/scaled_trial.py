"""Whether scaled JPEG decoding is good enough for a job's pictures: tried on some of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from dirdet.batch.entry import Entry
from dirdet.detection import Detection
from dirdet.detector import MAX_BATCH, Detector, PlacedPicture
from dirdet.errors import PictureError
from dirdet.options import Settings
from dirdet.pictures import read_picture
from dirdet.scaled_jpeg import is_scaled, place_scaled

MOST_PICTURES = 64
MOST_LOOKED_AT = 1000
FEWEST_BOXES = 100
MOVED_PX = 1.0
MOST_MOVED = 0.01


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial found.

    Attributes:
        pictures: that were detected on twice.
        boxes: that were found in them without scaling.
        moved: of these, those of which no box of the same class is within `MOVED_PX` with it.
    """

    pictures: int
    boxes: int
    moved: int

    @property
    def good_enough(self) -> bool:
        """Fewer than `MOST_MOVED` moved, of enough boxes to tell."""
        return self.boxes >= FEWEST_BOXES and self.moved < MOST_MOVED * self.boxes

    def __str__(self) -> str:
        """For people."""
        if not self.pictures:
            return "scaled JPEG decoding: no picture is large enough for it"
        share = self.moved / self.boxes if self.boxes else 0.0
        if self.good_enough:
            verdict = "used"
        elif self.boxes < FEWEST_BOXES:
            verdict = f"not used: too few boxes to tell, expected {FEWEST_BOXES}"
        else:
            verdict = f"not used: expected fewer than {MOST_MOVED:.0%}"
        return (
            f"scaled JPEG decoding: {self.moved} of {self.boxes} boxes ({share:.1%}) in {self.pictures} pictures move "
            f"by more than {MOVED_PX:g} px; {verdict}"
        )


def tried(detector: Detector, settings: Settings, entries: Iterable[Entry]) -> Trial:
    """Detects twice on the first pictures that scaling would touch; those that cannot be read are passed over.

    Args:
        detector: the job's.
        settings: the job's.
        entries: pictures of the job, in an order that is the same each time; at most `MOST_LOOKED_AT` are looked at.
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
    """How many boxes have none of their class with all edges within `MOVED_PX` of theirs."""
    moved = 0
    for each in expected:
        same = [other.box_xyxy for other in found if other.class_id == each.class_id]
        edges = np.abs(np.asarray(same, np.float64).reshape(-1, 4) - np.asarray(each.box_xyxy)).max(axis=1)  # [N]
        moved += not (edges <= MOVED_PX).any()
    return moved
