"""A picture that layers are laid on, which knows at every moment how much of each object can be seen."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dirdet_training.scenes.masks import Mask, shows_enough

VISIBLE_ALPHA: Final = 0.5

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """Something to lay on a canvas.

    Attributes:
        colour: premultiplied by alpha, [h, w, 3], 0 to 255.
        alpha: [h, w], 0 to 1.
    """

    colour: Plane
    alpha: Plane

    @property
    def opaque_px(self) -> int:
        """Pixels that would be seen with nothing in front and no edge of the picture."""
        return int(np.count_nonzero(self.alpha > VISIBLE_ALPHA))


@dataclass(frozen=True)
class Placement:
    """Where a layer and a canvas meet: the same window in the coordinates of each, and the alpha inside."""

    on_canvas: tuple[slice, slice]
    on_layer: tuple[slice, slice]
    alpha: Plane


class Canvas:
    """A picture under composition.

    Attributes:
        picture: [H, W, 3], 0 to 255.
        visible_alpha: one [H, W] for each object: its alpha times what all later layers let through.
        whole_px: one number for each object: its `Layer.opaque_px`.
    """

    def __init__(self, background: Plane) -> None:
        """Starts with nothing in front of the background [H, W, 3]; the array is changed in place."""
        self.picture = background
        self.visible_alpha: list[Plane] = []
        self.whole_px: list[int] = []

    def place(self, layer: Layer, top: int, left: int) -> Placement | None:
        """The window of a layer whose first pixel lies at (top, left), or None if it misses the picture."""
        height, width = self.picture.shape[:2]
        h, w = layer.alpha.shape
        y0, y1, x0, x1 = max(top, 0), min(top + h, height), max(left, 0), min(left + w, width)
        if y0 >= y1 or x0 >= x1:
            return None
        inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        return Placement((slice(y0, y1), slice(x0, x1)), inside, layer.alpha[inside])

    def leaves_enough(self, placement: Placement) -> bool:
        """Whether enough of every object would still be seen if the layer were laid there."""
        for visible, whole in zip(self.visible_alpha, self.whole_px, strict=True):
            after = visible > VISIBLE_ALPHA
            window = after[placement.on_canvas]
            before = int(np.count_nonzero(window))
            window &= visible[placement.on_canvas] * (1 - placement.alpha) > VISIBLE_ALPHA
            if np.count_nonzero(window) < before and not shows_enough(after, whole):
                return False
        return True

    def darken(self, placement: Placement) -> None:
        """Lays a black veil: a shadow hides no object."""
        self.picture[placement.on_canvas] *= 1 - placement.alpha[..., None]

    def lay(self, layer: Layer, placement: Placement, *, is_object: bool) -> None:
        """Lays a layer in front of everything; an object is remembered, anything else only hides."""
        through = 1 - placement.alpha
        window = self.picture[placement.on_canvas]
        window *= through[..., None]
        window += layer.colour[placement.on_layer]
        for visible in self.visible_alpha:
            visible[placement.on_canvas] *= through
        if is_object:
            alpha = np.zeros(self.picture.shape[:2], dtype=np.float32)
            alpha[placement.on_canvas] = placement.alpha
            self.visible_alpha.append(alpha)
            self.whole_px.append(layer.opaque_px)

    def masks(self) -> list[Mask]:
        """One [H, W] for each object: where more than half of it comes through."""
        return [visible > VISIBLE_ALPHA for visible in self.visible_alpha]
