"""The catalogue of cut-outs: what the stamps folder holds, without what is reserved, divided into splits."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dirdet_training.scenes.cutouts import Cutout, read_cutout, why_unusable
from dirdet_training.scenes.errors import ScenesError
from dirdet_training.scenes.identity import same_pictures
from dirdet_training.scenes.reserved import identity_of, is_reserved
from dirdet_training.scenes.split import split_by_hash
from dirdet_training.scenes.taxonomy import CLASSES, SPLITS

STAMPS_PACKAGE: Final = "tuxpaint-stamps-default"
STAMPS_FOLDER: Final = Path("/usr/share/tuxpaint/stamps")


@dataclass(frozen=True)
class Stamps:
    """Usable cut-outs.

    Attributes:
        of_split: for each split and class the cut-outs, sorted by path, never empty.
        left_out: path and reason of every stamp that was opened and is of no use.
    """

    of_split: dict[str, tuple[tuple[Cutout, ...], ...]]
    left_out: dict[str, str]


def allowed_paths(folder: Path, class_folder: str) -> Iterator[str]:
    """Paths, relative to `folder`, of one class's PNGs that may be opened; nothing is opened to find out.

    Links are left out: their name would not say which file they open.
    """
    for parent, _, names in os.walk(folder / class_folder):
        for name in names:
            file = Path(parent) / name
            relative = file.relative_to(folder).as_posix()
            if file.suffix == ".png" and not file.is_symlink() and not is_reserved(relative):
                yield relative


def load_stamps(folder: Path = STAMPS_FOLDER) -> Stamps:
    """Reads all cut-outs that may be opened.

    Args:
        folder: where the stamps package lies.

    Raises:
        ScenesError: the folder or a class's folder is missing, a PNG is broken, or a class has too few cut-outs.
    """
    cutouts: list[Cutout] = []
    left_out: dict[str, str] = {}
    for class_index, entry in enumerate(CLASSES):
        if not (folder / entry.folder).is_dir():
            raise ScenesError(
                f"{folder / entry.folder}: no such folder with cut-outs; apt-get install {STAMPS_PACKAGE}"
            )
        for relative in sorted(allowed_paths(folder, entry.folder)):
            picture = why_unusable(identity_of(relative)) or read_cutout(folder / relative)
            if isinstance(picture, str):
                left_out[relative] = picture
            else:
                cutouts.append(Cutout(relative, class_index, picture))
    return Stamps(_divide(cutouts), left_out)


def _divide(cutouts: list[Cutout]) -> dict[str, tuple[tuple[Cutout, ...], ...]]:
    groups = same_pictures([cutout.picture for cutout in cutouts], [identity_of(cutout.path) for cutout in cutouts])
    # A picture that two classes show is counted with the first, and both follow its split.
    groups_of_class: defaultdict[int, set[str]] = defaultdict(set)
    taken: set[str] = set()
    for cutout, group in zip(cutouts, groups, strict=True):
        if group not in taken or group in groups_of_class[cutout.class_index]:
            groups_of_class[cutout.class_index].add(group)
            taken.add(group)
    split_of: dict[str, str] = {}
    for class_index, entry in enumerate(CLASSES):
        split_of |= split_by_hash(groups_of_class[class_index], kind=f"cut-outs of class {entry.name}")
    members: dict[str, list[list[Cutout]]] = {split: [[] for _ in CLASSES] for split in SPLITS}
    for cutout, group in zip(cutouts, groups, strict=True):
        members[split_of[group]][cutout.class_index].append(cutout)
    return {split: tuple(tuple(row) for row in rows) for split, rows in members.items()}
