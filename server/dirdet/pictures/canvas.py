"""Places a picture or its file on a canvas, for gateway, jobs and clients alike, and maps boxes back.

A file is decoded no more than is needed. JPEG stores blocks of 8 x 8 pixels by frequency. A decoder that omits the
higher frequencies gives a picture of a half, a quarter or an eighth of the size and does much less work. The picture is
nearly what averaging the pixels gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from dirdet.bundle.bundle import CanvasSize, ResizeRule
from dirdet.bundle.interpolation import ANTIALIASED, Decode
from dirdet.pictures.reading import DEFAULT_LIMITS, PictureLimits, Readable, decoded, open_picture, reduce, upright_wh
from dirdet.pictures.resizing import Part, resize, soften

# Of a JPEG's sides, in the order of preference.
DIVISORS = (8, 4, 2)
# Pillow's names of what is JPEG; MPO is several of them.
BY_BLOCKS = ("JPEG", "MPO")


class NetworkInput(Protocol):
    """What placing needs to know of a detector: a bundle's manifest says it, and a gateway's GET /detector."""

    @property
    def resize(self) -> ResizeRule: ...
    @property
    def canvases(self) -> Sequence[CanvasSize]: ...


@dataclass(frozen=True, slots=True)
class Fit:
    """Position of a picture on its canvas: scaled to `resized_hw`, at the top left.

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
        """Boxes [N, 4] in picture pixels to canvas pixels."""
        return np.asarray(boxes_xyxy, np.float64) * self.scale_xyxy

    def to_picture(self, boxes_xyxy: ArrayLike) -> NDArray[np.float64]:
        """Boxes [N, 4] in canvas pixels to picture pixels, clipped to the picture."""
        height, width = self.picture_hw
        boxes = np.asarray(boxes_xyxy, np.float64) / self.scale_xyxy
        return np.clip(boxes, 0, [width, height, width, height])


@dataclass(frozen=True, slots=True)
class PlacedPicture:
    """A picture on its canvas, ready for the network.

    Attributes:
        canvas: [H, W, 3] RGB.
        fit: position of the picture on the canvas.
        decoded_scale: of the picture's own size, at which its file was decoded.
    """

    canvas: NDArray[np.uint8]
    fit: Fit
    decoded_scale: float = 1.0


def fit_picture(picture_hw: tuple[int, int], *, rule: ResizeRule, canvases: Sequence[CanvasSize]) -> Fit:
    """Chooses the canvas: one of the picture's own size by `rule.canvas_multiple`, else the smallest that holds it.

    If none holds the resized picture, it is scaled down further, as little as possible.

    Args:
        picture_hw: height and width in pixels, at least 1 each.
        rule: picture size that the network was trained with.
        canvases: at least one.
    """
    resized_hw = resized(picture_hw, rule)
    by_area = sorted(canvases, key=lambda canvas: canvas.height * canvas.width)
    for canvas in by_area:
        if resized_hw[0] <= canvas.height and resized_hw[1] <= canvas.width:
            own = rule.canvas_multiple
            canvas_hw = _rounded_up(resized_hw, own) if own else (canvas.height, canvas.width)
            return Fit(picture_hw, resized_hw, canvas_hw)
    # of equal scales the first, which is the smallest canvas
    best = max(by_area, key=lambda canvas: _largest_factor(picture_hw, canvas))
    height, width = _scaled(picture_hw, _largest_factor(picture_hw, best))
    return Fit(picture_hw, (min(height, best.height), min(width, best.width)), (best.height, best.width))


def place_picture(picture: Image.Image, manifest: NetworkInput) -> PlacedPicture:
    """Places an upright RGB picture on the smallest canvas of the detector that fits it."""
    rule = manifest.resize
    fit = fit_picture((picture.height, picture.width), rule=rule, canvases=manifest.canvases)
    return PlacedPicture(paint(picture, fit, rule=rule), fit)


def place_file(
    file: Readable, manifest: NetworkInput, *, decode: Decode, limits: PictureLimits = DEFAULT_LIMITS
) -> PlacedPicture:
    """Places a picture on the smallest canvas of the detector that fits it.

    Args:
        file: seekable, at its start; of any supported format.
        manifest: the detector's.
        decode: whether a JPEG may be decoded at less than its size.
        limits: of the picture at its full size.

    Raises:
        PictureError: as `dirdet.pictures.reading.read_picture`.
    """
    picture = open_picture(file, limits=limits)
    width, height = upright_wh(picture)
    fit = fit_picture((height, width), rule=manifest.resize, canvases=manifest.canvases)
    divisor, part = 1, None
    if decode == "scaled" and picture.format in BY_BLOCKS and manifest.resize.interpolation in ANTIALIASED:
        divisor = divisor_of(fit)
        part = reduce(picture, divisor)
    canvas = paint(decoded(picture), fit, rule=manifest.resize, part=part)
    if divisor > 1 and all(
        side / divisor - seen < 1 for side, seen in zip(fit.picture_hw, fit.resized_hw, strict=True)
    ):
        seen_h, seen_w = fit.resized_hw
        canvas[:seen_h, :seen_w] = soften(canvas[:seen_h, :seen_w])  # the resize had next to nothing to average
    return PlacedPicture(canvas, fit, 1 / divisor)


def divisor_of(fit: Fit) -> int:
    """The greatest by which a JPEG's sides can be divided without being shorter than on the canvas; else 1."""
    sides = list(zip(fit.picture_hw, fit.resized_hw, strict=True))
    large_enough = (each for each in DIVISORS if all(side >= each and -(-side // each) >= seen for side, seen in sides))
    return next(large_enough, 1)


def paint(picture: Image.Image, fit: Fit, *, rule: ResizeRule, part: Part | None = None) -> NDArray[np.uint8]:
    """The canvas [H, W, 3] with the resized picture at its top left; the network fills the rest, zeros here, itself.

    Args:
        picture: upright RGB.
        fit: where it is placed.
        rule: how it is resized.
        part: of it, that is placed; None places all of it.
    """
    canvas = np.zeros((*fit.canvas_hw, 3), np.uint8)
    height, width = fit.resized_hw
    canvas[:height, :width] = resize(picture, fit.resized_hw, interpolation=rule.interpolation, part=part)
    return canvas


def resized(picture_hw: tuple[int, int], rule: ResizeRule) -> tuple[int, int]:
    """Height and width in pixels of a picture after the rule, which are those of mmcv's `rescale_size`."""
    if rule.fixed_hw is not None:
        return rule.fixed_hw
    long_side, short_side = rule.long_side, rule.short_side
    if rule.factor is not None:
        sides = _scaled(picture_hw, rule.factor)
        if not rule.keep_ratio:
            return sides
        long_side, short_side = max(sides), min(sides)
    factor = min(long_side / max(picture_hw), short_side / min(picture_hw))
    return _scaled(picture_hw, factor, rounding=0.0 if rule.rounds_down else 0.5)


def _scaled(picture_hw: tuple[int, int], factor: float, *, rounding: float = 0.5) -> tuple[int, int]:
    height, width = (max(1, int(side * factor + rounding)) for side in picture_hw)
    return height, width


def _rounded_up(sides_hw: tuple[int, int], multiple: int) -> tuple[int, int]:
    height, width = (-(-side // multiple) * multiple for side in sides_hw)
    return height, width


def _largest_factor(picture_hw: tuple[int, int], canvas: CanvasSize) -> float:
    return min(canvas.height / picture_hw[0], canvas.width / picture_hw[1])
