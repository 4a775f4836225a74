"""What is told of one object, in the picture's own pixels, and its JSON both ways."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dirdet.rle import Rle

# Five significant digits, not decimals: iou and confidence then follow from the rounded figures beside them
# to a relative 1e-5 however small these are, and rounding keeps the order.
SIGNIFICANT_DIGITS = 5
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Detection:
    """One object.

    Attributes:
        box_xyxy: in pixels of the upright picture, inside it.
        label: the class's name.
        class_id: from 0.
        category_id: the data set's own number.
        score: the classifier's probability.
        purity: predicted overlap / area of the box; None from a plain detector, as the next two.
        integrity: predicted overlap / area of the object.
        iou: 1 / (1/purity + 1/integrity - 1).
        confidence: score^(1-w) * iou^w, what detections are ranked by.
        score_calibrated: probability that class and box are right; None where the bundle has no calibration, as the
            next two.
        iou_calibrated: expected IoU with the object, if there is one; None from a plain detector too.
        outer_box_xyxy: a larger box that contains the object with the probability that the calibration names.
        mask: the object's pixels in the upright picture; None from a detector without masks.
    """

    box_xyxy: Box
    label: str
    class_id: int
    category_id: int
    score: float
    purity: float | None
    integrity: float | None
    iou: float | None
    confidence: float
    score_calibrated: float | None = None
    iou_calibrated: float | None = None
    outer_box_xyxy: Box | None = None
    mask: Rle | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that POST /detect answers with."""
        return {
            "box": _pixels(self.box_xyxy),
            "label": self.label,
            "class_id": self.class_id,
            "category_id": self.category_id,
            "score": _rounded(self.score),
            "purity": _rounded(self.purity),
            "integrity": _rounded(self.integrity),
            "iou": _rounded(self.iou),
            "confidence": _rounded(self.confidence),
            "score_calibrated": _rounded(self.score_calibrated),
            "iou_calibrated": _rounded(self.iou_calibrated),
            "outer_box": None if self.outer_box_xyxy is None else _pixels(self.outer_box_xyxy),
            "mask": None if self.mask is None else self.mask.to_json(),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Detection":
        """The detection that `to_json` wrote; members that this version does not know are passed over.

        Raises:
            KeyError: a member is missing that every version of the answer has.
            TypeError: a member is of another type, as the next.
            ValueError: a member's value cannot be read.
        """
        outer, mask = told.get("outer_box"), told.get("mask")
        return cls(
            box_xyxy=_box(told["box"]),
            label=str(told["label"]),
            class_id=int(told["class_id"]),
            category_id=int(told["category_id"]),
            score=float(told["score"]),
            purity=_number(told.get("purity")),
            integrity=_number(told.get("integrity")),
            iou=_number(told.get("iou")),
            confidence=float(told["confidence"]),
            score_calibrated=_number(told.get("score_calibrated")),
            iou_calibrated=_number(told.get("iou_calibrated")),
            outer_box_xyxy=None if outer is None else _box(outer),
            mask=None if mask is None else Rle.from_json(mask),
        )


def _pixels(box_xyxy: Box) -> list[float]:
    return [round(side, 2) for side in box_xyxy]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _box(sides: Any) -> Box:  # noqa: ANN401 - JSON
    x1, y1, x2, y2 = (float(side) for side in sides)
    return x1, y1, x2, y2


def _number(value: Any) -> float | None:  # noqa: ANN401 - JSON
    return None if value is None else float(value)
