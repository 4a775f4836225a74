"""The two difficulties: every range that a scene draws from."""

from dataclasses import dataclass
from typing import Final

Range = tuple[float, float]


@dataclass(frozen=True)
class Difficulty:
    """Ranges of one difficulty; each pair is lowest and highest, both possible.

    Attributes:
        name: as in folders and file names.
        objects: how many objects a scene tries to hold.
        longer_side_px: an object's longer side before rotation, drawn log-uniformly.
        rotation_deg: either way from upright.
        aspect: an object's width is multiplied by a factor drawn log-uniformly from 1/aspect to aspect.
        beside_another: probability that an object is placed to overlap one that is there already.
        over_the_edge: probability that an object may reach out of the picture.
        occluders: probability, after each object, of a patch of another photograph pasted near it.
        shadow: probability of a drop shadow.
        object_tone, picture_tone: strength of the random changes of light and colour, 0 for none.
        object_blur_px, picture_blur_px: radius of a Gaussian.
        noise: standard deviation on a scale of 255.
        light_slope: change of brightness from one side of the picture to the other.
        jpeg_quality: Pillow's scale.
    """

    name: str
    objects: tuple[int, int]
    longer_side_px: Range
    rotation_deg: float
    aspect: float
    beside_another: float
    over_the_edge: float
    occluders: float
    shadow: float
    object_tone: float
    picture_tone: float
    object_blur_px: Range
    picture_blur_px: Range
    noise: Range
    light_slope: float
    jpeg_quality: tuple[int, int]


EASY: Final = Difficulty(
    name="easy",
    objects=(1, 5),
    longer_side_px=(28.0, 220.0),
    rotation_deg=15.0,
    aspect=1.1,
    beside_another=0.25,
    over_the_edge=0.2,
    occluders=0.0,
    shadow=0.3,
    object_tone=0.5,
    picture_tone=0.4,
    object_blur_px=(0.0, 0.4),
    picture_blur_px=(0.0, 0.3),
    noise=(0.0, 4.0),
    light_slope=0.15,
    jpeg_quality=(92, 92),
)
HARD: Final = Difficulty(
    name="hard",
    objects=(3, 8),
    longer_side_px=(28.0, 220.0),
    rotation_deg=45.0,
    aspect=1.3,
    beside_another=0.45,
    over_the_edge=0.4,
    occluders=0.3,
    shadow=0.4,
    object_tone=1.0,
    picture_tone=0.9,
    object_blur_px=(0.0, 1.2),
    picture_blur_px=(0.0, 1.0),
    noise=(0.0, 11.0),
    light_slope=0.4,
    jpeg_quality=(80, 92),
)
DIFFICULTIES: Final = (EASY, HARD)
