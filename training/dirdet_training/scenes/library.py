"""Everything a scene is made of, read once and shared with the worker processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dirdet_training.scenes.backgrounds import BACKGROUND_FOLDERS, Background, find_photographs, load_backgrounds
from dirdet_training.scenes.cutouts import Cutout
from dirdet_training.scenes.stamps import STAMPS_FOLDER, load_stamps


@dataclass(frozen=True)
class Shelf:
    """The sources of one split.

    Attributes:
        cutouts: for each class its cut-outs, never empty.
        backgrounds: photographs, never empty.
    """

    cutouts: tuple[tuple[Cutout, ...], ...]
    backgrounds: tuple[Background, ...]


@dataclass(frozen=True)
class Library:
    """The sources of all splits; no source is in two.

    Attributes:
        shelves: for each split its sources.
        left_out: path and reason of every stamp that was opened and is of no use.
    """

    shelves: dict[str, Shelf]
    left_out: dict[str, str]


def load_library(stamps: Path = STAMPS_FOLDER, backgrounds: Sequence[Path] = BACKGROUND_FOLDERS) -> Library:
    """Reads the installed sources.

    Args:
        stamps: the stamps folder.
        backgrounds: folders of wallpapers.

    Raises:
        ScenesError: a source is missing, broken, or there are too few.
    """
    photographs = find_photographs(backgrounds)
    cutouts = load_stamps(stamps)
    behind = load_backgrounds(photographs)
    shelves = {split: Shelf(cutouts.of_split[split], behind[split]) for split in behind}
    return Library(shelves, cutouts.left_out)
