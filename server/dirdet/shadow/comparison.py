"""How a candidate's detections of one picture differ from those that were answered."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dirdet.detection import Detection
from dirdet.shadow.pairing import pairs


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of one picture.

    Attributes:
        both: how many detections both found, by class.
        only_served: how many only the served detector found, by class.
        only_candidate: how many only the candidate found, by class.
        score_differences: |score - score| of those that both found.
        iou_differences: |iou - iou| of those, where both detectors predict it.
        displacements_px: of those, how far the side of the box that moved most did, in pixels of the picture.
    """

    both: Mapping[str, int]
    only_served: Mapping[str, int]
    only_candidate: Mapping[str, int]
    score_differences: tuple[float, ...]
    iou_differences: tuple[float, ...]
    displacements_px: tuple[float, ...]


def compare(served: Sequence[Detection], candidate: Sequence[Detection]) -> Comparison:
    """What is one in both, what only one of them has, and by how much the pairs differ."""
    paired = pairs(served, candidate)
    both = Counter(each.label for each, _ in paired)
    return Comparison(
        both=both,
        only_served=Counter(each.label for each in served) - both,
        only_candidate=Counter(each.label for each in candidate) - both,
        score_differences=tuple(abs(a.score - b.score) for a, b in paired),
        iou_differences=tuple(abs(a.iou - b.iou) for a, b in paired if a.iou is not None and b.iou is not None),
        displacements_px=tuple(max(abs(x - y) for x, y in zip(a.box_xyxy, b.box_xyxy, strict=True)) for a, b in paired),
    )
