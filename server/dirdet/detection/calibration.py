"""Calibration of a detector's figures, fitted on a data split: monotone maps, and a margin around boxes."""

from functools import cached_property
from typing import Annotated, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Floats = NDArray[np.float64]
MAX_KNOTS = 64
# Of maps of 0..1 on one axis.
APART = 2.0
Probability = Annotated[float, Field(ge=0, le=1)]
Points = Annotated[list[Probability], Field(min_length=1, max_length=MAX_KNOTS)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Knots(_Part):
    """A monotone, piecewise linear map of 0..1 to 0..1, constant beyond its knots."""

    x: Points = Field(description="what the network says; strictly rising")
    y: Points = Field(description="what that meant on the split; never falling")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"x and y must have one length, not {len(self.x)} and {len(self.y)}")
        if np.any(np.diff(self.x) <= 0):
            raise ValueError("x must rise strictly")
        if np.any(np.diff(self.y) < 0):
            raise ValueError("y must not fall")
        return self

    def apply(self, values: ArrayLike) -> Floats:
        """Maps values [N]."""
        return np.interp(np.asarray(values, np.float64), *self._arrays)

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats]:
        """Of x and y: numpy would convert the lists at every call."""
        return np.asarray(self.x, np.float64), np.asarray(self.y, np.float64)


class BoxMargin(_Part):
    """Margin by which a box grows to contain its object with a probability: margin + missing * (1 - integrity)."""

    margin: float = Field(
        ge=0, allow_inf_nan=False, description="of the box's width left and right, of its height up and down"
    )
    missing: float = Field(
        default=0,
        ge=0,
        allow_inf_nan=False,
        description="also of width and height; times the part of the object that the box misses: 1 - integrity",
    )
    coverage: float = Field(gt=0, lt=1, description="part of the objects that the grown boxes contain")

    def grow(self, boxes_xyxy: ArrayLike, picture_hw: tuple[int, int], *, integrity: ArrayLike | None = None) -> Floats:
        """Boxes [N, 4] grown on every side and clipped to the picture, pixels.

        Args:
            boxes_xyxy: [N, 4], pixels.
            picture_hw: its height and width, pixels.
            integrity: [N], predicted; None only if `missing` is 0.

        Raises:
            ValueError: `missing` is not 0 and integrity is None.
        """
        boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
        sides_wh = boxes[:, 2:] - boxes[:, :2]
        margins: float | Floats = self.margin
        if self.missing:
            if integrity is None:
                raise ValueError("a margin that grows with what a box misses needs the boxes' integrity, found none")
            margins = self.margin + self.missing * (1 - np.asarray(integrity, np.float64).reshape(-1, 1))  # [N, 1]
        grown = boxes + margins * np.hstack([-sides_wh, sides_wh])
        height, width = picture_hw
        return np.clip(grown, 0, [width, height, width, height])


class Maps(_Part):
    """What a figure means: one map for each class that had boxes enough, and one of all classes for the others."""

    pooled: Knots = Field(description="fitted on the boxes of all classes")
    of_class: dict[int, Knots] = Field(
        default_factory=dict[int, Knots], description="by class_id, of the classes that had boxes enough of their own"
    )

    def apply(self, values: ArrayLike, class_id: ArrayLike) -> Floats:
        """Maps values [N] in 0..1 of boxes of these classes [N]."""
        axis = self._axis
        place = axis.place[np.minimum(np.asarray(class_id, np.int64), len(axis.place) - 1)]  # [N]
        inside = np.clip(np.asarray(values, np.float64), axis.first[place], axis.last[place])  # constant beyond
        return np.interp(inside + APART * place, axis.x, axis.y)

    @cached_property
    def _axis(self) -> "_Axis":
        maps = [self.pooled, *self.of_class.values()]
        place = np.zeros(max(self.of_class, default=-1) + 2, np.int64)
        place[list(self.of_class)] = range(1, len(maps))
        return _Axis(
            place,
            first=np.array([each.x[0] for each in maps]),
            last=np.array([each.x[-1] for each in maps]),
            x=np.concatenate([np.array(each.x) + APART * number for number, each in enumerate(maps)]),
            y=np.concatenate([each.y for each in maps]),
        )


class _Axis(NamedTuple):
    """Maps of 0..1 beside each other on one axis, so that one interpolation serves boxes of all classes.

    Attributes:
        place: [C + 1] of a class's map, by class_id; the last one, 0, is that of all further classes.
        first: [maps] its first knot.
        last: [maps] its last knot.
        x: [K] knots of all maps, each map's moved by its place times `APART`.
        y: [K] what they are mapped to.
    """

    place: NDArray[np.int64]
    first: Floats
    last: Floats
    x: Floats
    y: Floats


class Meaning(_Part):
    """What score and iou mean for one kind of boxes, those on no object included."""

    score: Maps = Field(description="to the probability that class and box (IoU of at least 0.5) are right")
    iou: Maps | None = Field(
        default=None, description="to the expected IoU with the best object; null from a detector without iou"
    )
    boxes: int = Field(gt=0, description="that it was fitted on")


class Suggested(_Part):
    """Thresholds that suit the split."""

    score_threshold: Probability = Field(
        description="the best balance of precision and recall (F1) with two of three detections right, where there is "
        "such; a request that names none has it"
    )
    precision: Probability = Field(description="part of the detections above it that are right in class and box")
    recall: Probability = Field(description="part of the objects that they find")
    min_iou: Probability | None = Field(
        description="the greatest that drops at most 1% of the right detections of any score; no request has it unless "
        "it says so; null from a detector without iou"
    )
    wrong_removed: Probability = Field(description="part of the wrong detections that min_iou drops")
    right_lost: Probability = Field(description="part of the right ones")


class Calibration(_Part):
    """Fitted on one split, apart for detections, which NMS keeps, and candidates: many of them lie on one object."""

    detections: Meaning = Field(description="of the boxes that NMS keeps")
    candidates: Meaning | None = Field(
        default=None, description="null if the split's file had no candidates: theirs are null in answers too"
    )
    suggested: Suggested = Field(description="thresholds that suit the split")
    box_margin: BoxMargin | None = Field(default=None, description="source of outer_box; null: there is none")
    annotations: str = Field(description="name of the file with the split's objects")
    matched: int = Field(ge=0, description="detections that overlap an object by at least 0.5, for box_margin")
