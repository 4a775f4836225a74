"""Masks in COCO's format: run lengths, column by column, as a short text.

The format is that of pycocotools' `rleEncode` and `rleToString` (cocodataset/cocoapi, common/maskApi.c). It is
implemented here because the libraries that have it take the whole picture's pixels for every mask, even for a small
object.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A character holds five bits and a flag for a following character; this offset makes it printable.
BITS = 5
MORE = 1 << BITS
FIRST_CHARACTER = 48
# Sufficient for pictures of 8 gigapixels.
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
        """Reads the mask that `to_json` wrote.

        Raises:
            KeyError: a member is missing.
            ValueError: the size is not two numbers.
        """
        height, width = (int(side) for side in told["size"])
        return cls((height, width), str(told["counts"]))

    @property
    def area(self) -> int:
        """Number of pixels inside the mask."""
        return int(_expand(self.counts)[1::2].sum())

    @property
    def is_whole(self) -> bool:
        """Whether the run lengths are readable and cover exactly a picture of this size."""
        try:
            counts = _expand(self.counts)
        except (ValueError, IndexError):  # other characters than ASCII, or none that ends a run
            return False
        return bool((counts >= 0).all()) and int(counts.sum()) == self.size_hw[0] * self.size_hw[1]

    def decode(self) -> Bools:
        """The mask's pixels, [H, W].

        Raises:
            ValueError: the runs are not those of a picture of this size.
        """
        counts = _expand(self.counts)
        height, width = self.size_hw
        pixels = height * width
        # Each run is checked too: the sum of very large ones wraps around.
        if not len(counts) or counts.min() < 0 or counts.max() > pixels or counts.sum() != pixels:
            raise ValueError(f"expected runs of {height} x {width} pixels in all")
        inside = np.arange(len(counts)) % 2 == 1  # the first run lies outside
        return np.repeat(inside, counts).reshape(width, height).T


def encode(inside: Bools, *, left: int, top: int, picture_hw: tuple[int, int]) -> Rle:
    """Encodes a mask that is given on a part of its picture and empty elsewhere.

    Args:
        inside: [h, w], the part's pixels.
        left: column of the picture in which the part begins.
        top: row in which it begins; the part lies inside the picture.
        picture_hw: the picture's height and width, pixels.
    """
    height, width = picture_hw
    framed = np.zeros((inside.shape[1], inside.shape[0] + 2), np.bool_)  # [w, h + 2]
    framed[:, 1:-1] = inside.T
    turns = np.flatnonzero(framed[:, 1:] != framed[:, :-1])  # alternately the beginning and the end of a run
    column, row = np.divmod(turns, inside.shape[0] + 1)
    edges = (left + column) * height + top + row  # [2 * runs], never falling
    # A run that ends at the picture's bottom and one that begins at the next column's top are merged.
    joined = np.flatnonzero(edges[1:] == edges[:-1])
    edges = np.delete(edges, np.concatenate([joined, joined + 1]))
    counts = np.diff(edges, prepend=0, append=height * width)
    if len(edges) and counts[-1] == 0:
        counts = counts[:-1]
    return Rle(picture_hw, _compress(counts))


def _compress(counts: Ints) -> str:
    """Run lengths [N] as text; from the fourth on each is the difference to the one before the last."""
    values = counts.copy()
    values[3:] -= counts[1:-2]
    place = np.arange(MAX_CHARACTERS)
    size = np.where(values < 0, ~values, values)  # room for a sign bit
    length = 1 + (size[:, None] >= (MORE // 2) << (BITS * place[:-1])).sum(1)  # [N] characters
    groups = (values[:, None] >> (BITS * place)) & (MORE - 1)  # [N, MAX_CHARACTERS]
    groups += MORE * (place < length[:, None] - 1) + FIRST_CHARACTER
    return groups[place < length[:, None]].astype(np.uint8).tobytes().decode("ascii")


def _expand(text: str) -> Ints:
    """The run lengths [N] of a text that `_compress` or pycocotools wrote."""
    groups = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - FIRST_CHARACTER
    last = np.flatnonzero(groups < MORE)  # [N]
    if not len(last):
        return np.zeros(0, np.int64)
    first = np.concatenate([[0], last[:-1] + 1])
    place = np.arange(len(groups)) - np.repeat(first, last - first + 1)
    values = np.add.reduceat((groups & (MORE - 1)) << (BITS * place), first)
    negative = (groups[last] & (MORE // 2)) > 0
    values -= np.where(negative, np.int64(1) << (BITS * (place[last] + 1)), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
