"""Finds cut-outs that show the same picture, mirrored or not, so that no split sees another's."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE: Final = 16
# Mirrored files differ by at most 0.01, the most alike of different drawings (two road signs) by 0.039.
_SAME_BELOW: Final = 0.02


def _signature(picture: Image.Image) -> NDArray[np.float32]:
    """The premultiplied picture shrunk to [16, 16, 4], range 0 to 1."""
    small = picture.convert("RGBa").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / np.float32(255)


def same_pictures(pictures: Sequence[Image.Image], names: Sequence[str]) -> list[str]:
    """Groups pictures that are equal or mirror images, and those that share a name.

    Args:
        pictures: N cropped RGBA pictures.
        names: N names; equal names belong together whatever the pixels.

    Returns:
        For each picture its group's name: the smallest of the group's names.
    """
    group = list(range(len(pictures)))

    def root(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    signatures = np.array([_signature(picture) for picture in pictures]).reshape(-1, _SIDE, _SIDE, 4)
    mirrored = signatures[:, :, ::-1]
    for i in range(len(pictures)):
        straight = np.abs(signatures[:i] - signatures[i]).mean(axis=(1, 2, 3))  # [i]
        flipped = np.abs(mirrored[:i] - signatures[i]).mean(axis=(1, 2, 3))  # [i]
        close = np.minimum(straight, flipped) < _SAME_BELOW
        for j in range(i):
            if close[j] or names[i] == names[j]:
                group[root(i)] = root(j)
    smallest: dict[int, str] = {}
    for index, name in enumerate(names):
        key = root(index)
        smallest[key] = min(smallest.get(key, name), name)
    return [smallest[root(index)] for index in range(len(pictures))]
