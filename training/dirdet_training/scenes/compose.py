"""Composes one scene: a pure function of the sources and of (seed, split, difficulty, index)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dirdet_training.scenes.canvas import VISIBLE_ALPHA, Canvas, Layer
from dirdet_training.scenes.cutouts import Cutout
from dirdet_training.scenes.difficulty import DIFFICULTIES, Difficulty
from dirdet_training.scenes.layers import background, blurred, object_layer, occluder_layer, shadow_layer
from dirdet_training.scenes.library import Shelf
from dirdet_training.scenes.masks import Mask, box_xywh, shows_enough
from dirdet_training.scenes.taxonomy import SPLITS
from dirdet_training.scenes.tone import noise, slope_of_light, tone_curves

_T = TypeVar("_T")

_LONGER_SIDE_PX: Final = 320
_SHORTER_SIDE_PX: Final = (224, 256)
_LANDSCAPE: Final = 0.7
_TRIES: Final = 10


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene.

    Attributes:
        cutout: what is shown.
        mask: the pixels where it is seen, [H, W].
        whole_px: how many would be seen without occlusion and truncation.
    """

    cutout: Cutout
    mask: Mask
    whole_px: int


@dataclass(frozen=True)
class Scene:
    """One picture with its objects, those behind first.

    Attributes:
        jpeg: the encoded picture.
        size_wh: pixels.
        background: path of the photograph behind.
        objects: maybe none.
    """

    jpeg: bytes
    size_wh: tuple[int, int]
    background: str
    objects: tuple[SceneObject, ...]


def scene_rng(seed: int, split: str, difficulty: Difficulty, index: int) -> np.random.Generator:
    """The scene's own source of randomness."""
    key = (seed, SPLITS.index(split), DIFFICULTIES.index(difficulty), index)
    return np.random.default_rng(np.random.SeedSequence(key))


def compose(shelf: Shelf, *, seed: int, split: str, difficulty: Difficulty, index: int) -> Scene:
    """Composes a scene.

    Of every object enough is seen (`shows_enough`), and everything of a cut-out that is seen belongs to an object:
    a layer that would hide too much is tried elsewhere and then left away.

    Args:
        shelf: the split's sources.
        seed: of the data set, not negative.
        split: train, val or test.
        difficulty: the ranges.
        index: of the scene, not negative.
    """
    rng = scene_rng(seed, split, difficulty, index)
    short = int(rng.integers(_SHORTER_SIDE_PX[0], _SHORTER_SIDE_PX[1], endpoint=True))
    size_wh = (_LONGER_SIDE_PX, short) if rng.random() < _LANDSCAPE else (short, _LONGER_SIDE_PX)
    photograph = _pick(rng, shelf.backgrounds)
    canvas = Canvas(background(rng, photograph.picture, size_wh))
    cutouts: list[Cutout] = []
    for _ in range(int(rng.integers(*difficulty.objects, endpoint=True))):
        cutout = _pick(rng, _pick(rng, shelf.cutouts))
        if _add_object(rng, canvas, cutout, difficulty):
            cutouts.append(cutout)
        if rng.random() < difficulty.occluders:
            patch = occluder_layer(rng, _pick(rng, shelf.backgrounds).picture, difficulty)
            _add_occluder(rng, canvas, patch)
    objects = tuple(map(SceneObject, cutouts, canvas.masks(), canvas.whole_px))
    return Scene(_develop(rng, canvas, difficulty), size_wh, photograph.path, objects)


def _pick(rng: np.random.Generator, choices: Sequence[_T]) -> _T:
    return choices[int(rng.integers(len(choices)))]


def _near_an_object(rng: np.random.Generator, canvas: Canvas, layer: Layer, *, spread: float) -> tuple[int, int]:
    """A top left corner with which the layer lies across a random object."""
    h, w = layer.alpha.shape
    x, y, width, height = box_xywh(_pick(rng, canvas.masks()))
    dy, dx = rng.uniform(-spread, spread, size=2).tolist()
    return round(y + height / 2 + dy * (height + h) - h / 2), round(x + width / 2 + dx * (width + w) - w / 2)


def _anywhere(rng: np.random.Generator, canvas: Canvas, layer: Layer, *, over_the_edge: bool) -> tuple[int, int]:
    """A top left corner with which the layer's centre, or the whole layer where it fits, lies in the picture."""
    corner: list[int] = []
    for full, part in zip(canvas.picture.shape[:2], layer.alpha.shape, strict=True):
        free = full - part
        low, high = (-part / 2, full - part / 2) if over_the_edge else (min(0, free), max(0, free))
        corner.append(round(rng.uniform(low, high)))
    return corner[0], corner[1]


def _add_object(rng: np.random.Generator, canvas: Canvas, cutout: Cutout, difficulty: Difficulty) -> bool:
    """Lays a cut-out where it hides no object too much; False if no such place was found."""
    layer = object_layer(rng, cutout.picture, difficulty)
    for _ in range(_TRIES):
        if canvas.visible_alpha and rng.random() < difficulty.beside_another:
            top, left = _near_an_object(rng, canvas, layer, spread=0.45)
        else:
            over_the_edge = rng.random() < difficulty.over_the_edge
            top, left = _anywhere(rng, canvas, layer, over_the_edge=over_the_edge)
        placement = canvas.place(layer, top, left)
        if placement is None or not shows_enough(placement.alpha > VISIBLE_ALPHA, layer.opaque_px):
            continue
        if not canvas.leaves_enough(placement):
            continue
        if rng.random() < difficulty.shadow:
            shadow, (down, right) = shadow_layer(rng, layer)
            under = canvas.place(shadow, top + down, left + right)
            if under is not None:
                canvas.darken(under)
        canvas.lay(layer, placement, is_object=True)
        return True
    return False


def _add_occluder(rng: np.random.Generator, canvas: Canvas, patch: Layer) -> None:
    if not canvas.visible_alpha:
        return
    top, left = _near_an_object(rng, canvas, patch, spread=0.4)
    placement = canvas.place(patch, top, left)
    if placement is not None and canvas.leaves_enough(placement):
        canvas.lay(patch, placement, is_object=False)


def _develop(rng: np.random.Generator, canvas: Canvas, difficulty: Difficulty) -> bytes:
    """Light, blur, noise and JPEG; none of them moves a pixel."""
    size_hw = (canvas.picture.shape[0], canvas.picture.shape[1])
    lit = canvas.picture * slope_of_light(rng, size_hw=size_hw, strength=difficulty.light_slope)
    picture = Image.fromarray(_to_bytes(lit)).point(tone_curves(rng, strength=difficulty.picture_tone))
    picture = blurred(picture, rng.uniform(*difficulty.picture_blur_px))
    grain = noise(rng, size_hw=size_hw, deviation=rng.uniform(*difficulty.noise))
    picture = Image.fromarray(_to_bytes(np.asarray(picture, dtype=np.float32) + grain))
    encoded = io.BytesIO()
    quality = int(rng.integers(*difficulty.jpeg_quality, endpoint=True))
    picture.save(encoded, "JPEG", quality=quality, subsampling="4:2:0")
    return encoded.getvalue()


def _to_bytes(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
