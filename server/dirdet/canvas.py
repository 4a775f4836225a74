"""A picture onto a canvas and boxes back: which bucket, which size, which pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from dirdet.antialiasing import resize_antialiased
from dirdet.bundle import CanvasSize, ResizeRule


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a picture lies on its canvas: scaled to `resized_hw`, at the top left.

    Attributes:
        picture_hw: the picture's own height and width, pixels.
        resized_hw: height and width on the canvas, pixels; never larger than the canvas.
        canvas_hw: the canvas's height and width, pixels.
    """

    picture_hw: tuple[int, int]
    resized_hw: tuple[int, int]
    canvas_hw: tuple[int, int]

    @property
    def scale_xyxy(self) -> NDArray[np.float64]:
        """[4] canvas pixels per picture pixel; rounding makes the two axes differ slightly."""
        scale_y, scale_x = np.divide(self.resized_hw, self.picture_hw)
        return np.array([scale_x, scale_y, scale_x, scale_y])

    def to_canvas(self, boxes_xyxy: ArrayLike) -> NDArray[np.float64]:
        """Boxes [N, 4] in picture pixels, in canvas pixels."""
        return np.asarray(boxes_xyxy, np.float64) * self.scale_xyxy

    def to_picture(self, boxes_xyxy: ArrayLike) -> NDArray[np.float64]:
        """Boxes [N, 4] in canvas pixels, in picture pixels; every box lies inside the picture."""
        height, width = self.picture_hw
        boxes = np.asarray(boxes_xyxy, np.float64) / self.scale_xyxy
        return np.clip(boxes, 0, [width, height, width, height])


def fit_picture(picture_hw: tuple[int, int], *, rule: ResizeRule, canvases: Sequence[CanvasSize]) -> Fit:
    """Chooses the smallest canvas that holds the resized picture.

    If none does, the picture shrinks further, by as little as the best canvas needs.

    Args:
        picture_hw: height and width in pixels, at least 1 each.
        rule: the size that the network was trained to see.
        canvases: the buckets, at least one.
    """
    factor = min(rule.long_side / max(picture_hw), rule.short_side / min(picture_hw))
    resized_hw = _scaled(picture_hw, factor)
    by_area = sorted(canvases, key=lambda canvas: canvas.height * canvas.width)
    for canvas in by_area:
        if resized_hw[0] <= canvas.height and resized_hw[1] <= canvas.width:
            return Fit(picture_hw, resized_hw, (canvas.height, canvas.width))
    best = max(by_area, key=lambda canvas: _largest_factor(picture_hw, canvas))  # the first, so the smallest, of equals
    height, width = _scaled(picture_hw, _largest_factor(picture_hw, best))
    return Fit(picture_hw, (min(height, best.height), min(width, best.width)), (best.height, best.width))


def paint(picture: Image.Image, fit: Fit, *, rule: ResizeRule) -> NDArray[np.uint8]:
    """The canvas [H, W, 3] with the resized picture at its top left and zeros elsewhere."""
    canvas = np.zeros((*fit.canvas_hw, 3), np.uint8)
    height, width = fit.resized_hw
    canvas[:height, :width] = np.asarray(resize(picture, fit.resized_hw, interpolation=rule.interpolation))
    return canvas


def resize(picture: Image.Image, resized_hw: tuple[int, int], *, interpolation: str) -> Image.Image:
    """An RGB picture in another size, by the interpolation the network was trained with (`ResizeRule`)."""
    height, width = resized_hw
    if (width, height) == picture.size:
        return picture
    if interpolation == "antialiased":
        return resize_antialiased(picture, (width, height))
    # An affine map reads the four neighbours only, about pixel centres: what OpenCV calls INTER_LINEAR.
    steps = (picture.width / width, 0.0, 0.0, 0.0, picture.height / height, 0.0)
    return picture.transform((width, height), Image.Transform.AFFINE, steps, Image.Resampling.BILINEAR)


def _scaled(picture_hw: tuple[int, int], factor: float) -> tuple[int, int]:
    height, width = (max(1, int(side * factor + 0.5)) for side in picture_hw)
    return height, width


def _largest_factor(picture_hw: tuple[int, int], canvas: CanvasSize) -> float:
    return min(canvas.height / picture_hw[0], canvas.width / picture_hw[1])
