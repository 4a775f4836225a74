"""What a split told of a detector's figures: maps that make them mean what they say, and a margin around boxes."""

from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Floats = NDArray[np.float64]
MAX_KNOTS = 64
Probability = Annotated[float, Field(ge=0, le=1)]
Points = Annotated[list[Probability], Field(min_length=1, max_length=MAX_KNOTS)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Knots(_Part):
    """A rising map of 0..1 to 0..1: straight between its knots, level beyond them."""

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
        return np.interp(np.asarray(values, np.float64), self.x, self.y)


class BoxMargin(_Part):
    """By how much a box must grow to contain its object with a probability: margin + missing * (1 - integrity)."""

    margin: float = Field(
        ge=0, allow_inf_nan=False, description="of the box's width left and right, of its height up and down"
    )
    missing: float = Field(
        default=0,
        ge=0,
        allow_inf_nan=False,
        description="likewise, times the part of the object that the box misses: 1 - integrity",
    )
    coverage: float = Field(gt=0, lt=1, description="part of the objects that the grown boxes contain")

    def grow(self, boxes_xyxy: ArrayLike, picture_hw: tuple[int, int], *, integrity: ArrayLike | None = None) -> Floats:
        """Boxes [N, 4] grown on every side, inside the picture; pixels.

        Args:
            boxes_xyxy: [N, 4], pixels.
            picture_hw: its height and width, pixels.
            integrity: [N], predicted; None only where `missing` is 0.

        Raises:
            ValueError: integrity is needed and not there.
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


class Calibration(_Part):
    """Fitted on detections of one split; each part is optional where the detector does not tell what it needs."""

    score: Knots = Field(description="to the probability that class and box (IoU of at least 0.5) are right")
    iou: Knots | None = Field(
        default=None, description="to the expected IoU of a detection that overlaps an object by at least 0.5"
    )
    box_margin: BoxMargin | None = None
    annotations: str = Field(description="name of the file with the split's objects")
    detections: int = Field(gt=0, description="that score was fitted on")
    matched: int = Field(ge=0, description="those of them that overlap an object by at least 0.5: iou and the margin")
