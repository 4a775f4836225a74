"""Masks as COCO writes them: run lengths, column by column, as a short text.

The format is that of pycocotools' `rleEncode` and `rleToString` (cocodataset/cocoapi, common/maskApi.c). It is written
here because the libraries that have it take a whole picture's pixels for every mask, however small the object.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A character holds five bits, whether another one follows, and is printable from here on.
BITS = 5
MORE = 1 << BITS
FIRST_CHARACTER = 48
# Enough for pictures of 8 gigapixels.
MAX_CHARACTERS = 7


@dataclass(frozen=True, slots=True)
class Rle:
    """A mask of a whole picture.

    Attributes:
        size_hw: the picture's height and width, pixels.
        counts: run lengths, compressed.
    """

    size_hw: tuple[int, int]
    counts: str

    def to_json(self) -> dict[str, Any]:
        """The object that pycocotools reads."""
        return {"size": list(self.size_hw), "counts": self.counts}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Rle":
        """The mask that `to_json` wrote.

        Raises:
            KeyError: a member is missing.
            ValueError: the size is not two numbers.
        """
        height, width = (int(side) for side in told["size"])
        return cls((height, width), str(told["counts"]))

    @property
    def area(self) -> int:
        """How many pixels are inside."""
        return int(_expand(self.counts)[1::2].sum())

    def decode(self) -> Bools:
        """The mask's pixels, [H, W]."""
        counts = _expand(self.counts)
        inside = np.arange(len(counts)) % 2 == 1  # the first run lies outside
        height, width = self.size_hw
        return np.repeat(inside, counts).reshape(width, height).T


def encode(inside: Bools, *, left: int, top: int, picture_hw: tuple[int, int]) -> Rle:
    """A mask that is known on a part of its picture, and empty elsewhere.

    Args:
        inside: [h, w], the part's pixels.
        left: column of the picture in which the part begins.
        top: row in which it begins; the part lies inside the picture.
        picture_hw: the picture's height and width, pixels.
    """
    height, width = picture_hw
    framed = np.zeros((inside.shape[1], inside.shape[0] + 2), np.bool_)  # [w, h + 2]
    framed[:, 1:-1] = inside.T
    turns = np.flatnonzero(framed[:, 1:] != framed[:, :-1])  # a run begins, a run has ended, and so on
    column, row = np.divmod(turns, inside.shape[0] + 1)
    edges = (left + column) * height + top + row  # [2 * runs], never falling
    # A run that ends at the picture's bottom and one that begins at the next column's top are one.
    joined = np.flatnonzero(edges[1:] == edges[:-1])
    edges = np.delete(edges, np.concatenate([joined, joined + 1]))
    counts = np.diff(edges, prepend=0, append=height * width)
    if len(edges) and counts[-1] == 0:
        counts = counts[:-1]
    return Rle(picture_hw, _compress(counts))


def _compress(counts: Ints) -> str:
    """Run lengths [N] as text: from the fourth on as the difference to the one before the last."""
    values = counts.copy()
    values[3:] -= counts[1:-2]
    place = np.arange(MAX_CHARACTERS)
    size = np.where(values < 0, ~values, values)  # a sign bit more must fit
    length = 1 + (size[:, None] >= (MORE // 2) << (BITS * place[:-1])).sum(1)  # [N] characters
    groups = (values[:, None] >> (BITS * place)) & (MORE - 1)  # [N, MAX_CHARACTERS]
    groups += MORE * (place < length[:, None] - 1) + FIRST_CHARACTER
    return groups[place < length[:, None]].astype(np.uint8).tobytes().decode("ascii")


def _expand(text: str) -> Ints:
    """The run lengths [N] of a text that `_compress` or pycocotools wrote."""
    groups = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - FIRST_CHARACTER
    last = np.flatnonzero(groups < MORE)  # [N]
    first = np.concatenate([[0], last[:-1] + 1])
    place = np.arange(len(groups)) - np.repeat(first, last - first + 1)
    values = np.add.reduceat((groups & (MORE - 1)) << (BITS * place), first)
    negative = (groups[last] & (MORE // 2)) > 0
    values -= np.where(negative, np.int64(1) << (BITS * (place[last] + 1)), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
