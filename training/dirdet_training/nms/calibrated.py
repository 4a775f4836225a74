"""Calibration of score and iou that was measured on a split: rising maps, linear between their knots."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Knots:
    """A map of 0..1 to 0..1, constant beyond its knots; a bundle's `calibration` has the same form.

    Attributes:
        x: predicted values, strictly rising.
        y: the measured values on the split, as many as x.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raises ValueError if the knots are not a valid map."""
        if not self.x or len(self.x) != len(self.y):
            raise ValueError(f"expected x and y of one length and a knot at least, not {len(self.x)} and {len(self.y)}")
        if any(right <= left for left, right in zip(self.x, self.x[1:], strict=False)):
            raise ValueError("x must rise strictly")

    @classmethod
    def of(cls, settings: Any) -> "Knots":  # noqa: ANN401
        """Makes the map of a config's dict(x=[...], y=[...])."""
        return settings if isinstance(settings, cls) else cls(tuple(settings["x"]), tuple(settings["y"]))

    def __call__(self, values: Tensor) -> Tensor:
        """Maps values [N]; the type stays."""
        x, y = (values.new_tensor(side) for side in (self.x, self.y))  # [K]
        if len(x) == 1:
            return y.expand_as(values).clone()
        inside = values.clamp(x[0], x[-1])
        right = torch.searchsorted(x, inside.contiguous()).clamp(1, len(x) - 1)  # [N]
        left = right - 1
        return torch.lerp(y[left], y[right], (inside - x[left]) / (x[right] - x[left]))


@dataclass(frozen=True)
class Calibrated:
    """The product of calibrated score and calibrated iou: the expected quality of class and box.

    Attributes:
        score: the map to the probability that class and box are right.
        iou: the map to the expected IoU.
    """

    score: Knots
    iou: Knots

    def __call__(self, scores: Tensor, ious: Tensor) -> Tensor:
        """Computes the product, [N] in [0, 1]."""
        return self.score(scores) * self.iou(ious)
