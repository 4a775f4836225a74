"""Composes pictures of thousands of pixels from the sources of the scenes, with objects at their usual size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dirdet_training.scenes.canvas import VISIBLE_ALPHA, Canvas, Layer
from dirdet_training.scenes.difficulty import EASY
from dirdet_training.scenes.layers import background, object_layer, shadow_layer
from dirdet_training.scenes.library import Shelf
from dirdet_training.scenes.masks import box_xywh, shows_enough
from dirdet_training.scenes.taxonomy import SPLITS

TRIES = 20


@dataclass
class Laid:
    """An object of a picture.

    Attributes:
        top: of its window.
        left: of its window.
        visible: [h, w] its alpha times what all later layers let through.
        whole_px: pixels that would be seen without occlusion.
        class_id: from 0.
    """

    top: int
    left: int
    visible: NDArray[np.float32]
    whole_px: int
    class_id: int

    def under(self, layer: Layer, top: int, left: int) -> NDArray[np.float32]:
        """What would still be seen of it below a layer there."""
        height, width = self.visible.shape
        after = self.visible.copy()
        y0, y1 = max(top, self.top), min(top + layer.alpha.shape[0], self.top + height)
        x0, x1 = max(left, self.left), min(left + layer.alpha.shape[1], self.left + width)
        if y0 < y1 and x0 < x1:
            covers = layer.alpha[y0 - top : y1 - top, x0 - left : x1 - left]
            after[y0 - self.top : y1 - self.top, x0 - self.left : x1 - self.left] *= 1 - covers
        return after

    @property
    def box_xyxy(self) -> tuple[int, int, int, int]:
        """Of the pixels that are seen."""
        x, y, width, height = box_xywh(self.visible > VISIBLE_ALPHA)
        return self.left + x, self.top + y, self.left + x + width, self.top + y + height


def compose_large(
    shelf: Shelf, *, split: str, index: int, size_wh: tuple[int, int], objects: int
) -> tuple[Image.Image, list[Laid]]:
    """A picture and its objects; the same arguments give the same picture.

    Args:
        shelf: the split's sources.
        split: train, val or test.
        index: of the picture.
        size_wh: of the picture, pixels.
        objects: how many; one that fits nowhere is left out.
    """
    rng = np.random.default_rng(np.random.SeedSequence((SPLITS.index(split), index, objects, *size_wh)))
    photograph = shelf.backgrounds[int(rng.integers(len(shelf.backgrounds)))]
    canvas = Canvas(background(rng, photograph.picture, size_wh))
    laid: list[Laid] = []
    for _ in range(objects):
        class_id = int(rng.integers(len(shelf.cutouts)))
        cutout = shelf.cutouts[class_id][int(rng.integers(len(shelf.cutouts[class_id])))]
        layer = object_layer(rng, cutout.picture, EASY)
        place = _place(rng, layer, laid, size_wh)
        if place is None:
            continue
        top, left = place
        if rng.random() < EASY.shadow:
            shadow, (down, right) = shadow_layer(rng, layer)
            if (under := canvas.place(shadow, top + down, left + right)) is not None:
                canvas.darken(under)
        placement = canvas.place(layer, top, left)
        if placement is None:
            continue
        for each in laid:
            each.visible = each.under(layer, top, left)
        canvas.lay(layer, placement, is_object=False)  # Its masks are of the whole picture: too many pixels here.
        laid.append(Laid(top, left, layer.alpha.copy(), layer.opaque_px, class_id))
    return Image.fromarray(np.rint(np.clip(canvas.picture, 0, 255)).astype(np.uint8)), laid


def _place(
    rng: np.random.Generator, layer: Layer, laid: list[Laid], size_wh: tuple[int, int]
) -> tuple[int, int] | None:
    """A place (top, left) where a layer covers no object too much."""
    height, width = layer.alpha.shape
    for _ in range(TRIES):
        if laid and rng.random() < EASY.beside_another:
            near = laid[int(rng.integers(len(laid)))]
            down, right = (rng.uniform(-0.45, 0.45, 2) * np.add(layer.alpha.shape, near.visible.shape)).tolist()
            top = int(near.top + (near.visible.shape[0] - height) / 2 + down)
            left = int(near.left + (near.visible.shape[1] - width) / 2 + right)
        else:
            top, left = (
                int(rng.integers(side - part + 1)) for side, part in zip(size_wh[::-1], (height, width), strict=True)
            )
        if not (0 <= top <= size_wh[1] - height and 0 <= left <= size_wh[0] - width):
            continue
        if all(shows_enough(each.under(layer, top, left) > VISIBLE_ALPHA, each.whole_px) for each in laid):
            return top, left
    return None
