"""What a data set of a config takes from an annotation file."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Use:
    """How a data set uses an annotation file; by default it takes the boxes of every class and leaves nothing out.

    Attributes:
        classes: the config's classes; None takes all classes of the file.
        min_size: pixels; pictures with a side below this are left out.
        drops_empty: whether pictures without an annotation of a class are left out.
        masks: whether the masks of the objects are read.
        polygons_alone: whether masks that are run lengths are ignored, together with their objects.
    """

    classes: Sequence[str] | None = None
    min_size: int = 0
    drops_empty: bool = False
    masks: bool = False
    polygons_alone: bool = False


ALL_BOXES = Use()
