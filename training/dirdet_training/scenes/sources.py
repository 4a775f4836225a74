"""What a data set was made from: every file with its hash, package, licence and split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dirdet_training.scenes.backgrounds import find_photographs
from dirdet_training.scenes.fingerprint import file_sha256
from dirdet_training.scenes.library import Library
from dirdet_training.scenes.stamps import STAMPS_PACKAGE
from dirdet_training.scenes.taxonomy import CLASSES

# As Debian's copyright file of each package says of the files used here.
_LICENCES: Final = {
    STAMPS_PACKAGE: "GPL-2",
    "plasma-workspace-wallpapers": "GPL-2+",
    "mate-backgrounds": "GPL-2+",
}


def describe_sources(library: Library, *, stamps: Path, backgrounds: Sequence[Path]) -> dict[str, Any]:
    """The `sources` of scenes.json, without any path of this machine.

    Args:
        library: what was read.
        stamps: the stamps folder it was read from.
        backgrounds: the folders of wallpapers it was read from.
    """
    file_of = {photograph.path: file for photograph, file in find_photographs(backgrounds)}
    cutouts = {
        cutout.path: {
            "class": CLASSES[cutout.class_index].name,
            "split": split,
            "sha256": file_sha256(stamps / cutout.path),
        }
        for split, shelf in library.shelves.items()
        for row in shelf.cutouts
        for cutout in row
    }
    photographs = {
        one.path: {"package": one.package, "split": split, "sha256": file_sha256(file_of[one.path])}
        for split, shelf in library.shelves.items()
        for one in shelf.backgrounds
    }
    return {
        "licences": _LICENCES,
        "cutouts_package": STAMPS_PACKAGE,
        "cutouts": cutouts,
        "photographs": photographs,
        "left_out": library.left_out,
    }
