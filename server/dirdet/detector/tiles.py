"""Cuts a large picture into overlapping tiles, so that small objects reach the network at their own size."""

import re
from dataclasses import dataclass
from itertools import product

from dirdet.bundle.bundle import Manifest
from dirdet.errors import ParameterError, PictureTooLargeError
from dirdet.pictures.regions import Rectangle

# Share of a tile that the next one repeats by default: an object of a fifth of a tile is whole in one of them.
OVERLAP = 0.2
MOST_OVERLAP = 0.8
LEAST_SIDE = 32
# A picture of at most so many tiles' sides is detected as a whole: its objects are nearly at their own size.
NEARLY = 1.2
# 20,000 x 20,000 pixels in tiles of 320 x 256 are 10,200.
MOST_TILES = 12_000
FORM = re.compile(r"(?:auto|([0-9]{1,6})x([0-9]{1,6}))(?::(0?\.[0-9]{1,4}|0))?")


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a picture is cut.

    Attributes:
        tile_wh: width and height of a tile in pixels of the picture; None: the size that the network sees unscaled.
        overlap: share of a tile, 0..0.8, that its neighbour repeats at least.
    """

    tile_wh: tuple[int, int] | None = None
    overlap: float = OVERLAP

    def __str__(self) -> str:
        """The text that `parse` reads."""
        size = "auto" if self.tile_wh is None else f"{self.tile_wh[0]}x{self.tile_wh[1]}"
        return f"{size}:{self.overlap:g}"

    @classmethod
    def parse(cls, text: str) -> "Tiling":
        """Reads `auto`, `WxH`, or either with an overlap: `640x512:0.3`.

        Raises:
            ParameterError: the text has another form, or a value is out of range; the message does not quote the text.
        """
        found = FORM.fullmatch(text)
        if found is None:
            raise ParameterError("tiles", "expected auto, WxH or WxH:OVERLAP, as 640x512:0.2")
        width, height, overlap = found.groups()
        tile_wh = None if width is None else (int(width), int(height))
        if tile_wh is not None and min(tile_wh) < LEAST_SIDE:
            raise ParameterError("tiles", f"expected sides of at least {LEAST_SIDE} pixels")
        share = OVERLAP if overlap is None else float(overlap)
        if share > MOST_OVERLAP:
            raise ParameterError("tiles", f"expected an overlap of at most {MOST_OVERLAP}")
        return cls(tile_wh, share)

    def cut(self, picture_wh: tuple[int, int], manifest: Manifest) -> list[Rectangle]:
        """The tiles of a picture, row by row; then tiles of two, four, ... times the size, and last the whole picture.

        The larger ones are for objects that no smaller one holds. A picture of nearly a tile's size is one: the whole.

        Raises:
            PictureTooLargeError: there would be more than `MOST_TILES`.
        """
        tile_wh = self.tile_wh or unscaled_wh(manifest, picture_wh)
        levels: list[tuple[list[int], list[int], tuple[int, int]]] = []
        if _beyond(picture_wh, tile_wh, NEARLY):
            levels.append(self._grid(picture_wh, tile_wh))
            while _beyond(picture_wh, tile_wh := (2 * tile_wh[0], 2 * tile_wh[1]), 2):
                levels.append(self._grid(picture_wh, tile_wh))
        count = 1 + sum(len(columns) * len(rows) for columns, rows, _ in levels)
        if count > MOST_TILES:
            first_wh = levels[0][2]
            raise PictureTooLargeError(
                f"a picture of {picture_wh[0]} x {picture_wh[1]} pixels makes {count} tiles of {first_wh[0]} x "
                f"{first_wh[1]} and more; at most {MOST_TILES} are accepted: name larger tiles"
            )
        tiles = [
            (left, top, left + width, top + height)
            for columns, rows, (width, height) in levels
            for top, left in product(rows, columns)
        ]
        return [*tiles, (0, 0, *picture_wh)]

    def _grid(
        self, picture_wh: tuple[int, int], tile_wh: tuple[int, int]
    ) -> tuple[list[int], list[int], tuple[int, int]]:
        """Where the columns and rows of tiles begin, and the width and height of a tile, at most the picture's."""
        columns, rows = (_starts(side, tile, self.overlap) for side, tile in zip(picture_wh, tile_wh, strict=True))
        return columns, rows, (min(tile_wh[0], picture_wh[0]), min(tile_wh[1], picture_wh[1]))


def _beyond(picture_wh: tuple[int, int], tile_wh: tuple[int, int], factor: float) -> bool:
    return any(side > factor * tile for side, tile in zip(picture_wh, tile_wh, strict=True))


def unscaled_wh(manifest: Manifest, picture_wh: tuple[int, int]) -> tuple[int, int]:
    """Width and height in pixels of the largest part of a picture that the network sees at its own size."""
    rule = manifest.resize
    if rule.fixed_hw is not None:
        return rule.fixed_hw[1], rule.fixed_hw[0]
    long_side, short_side = rule.long_side, rule.short_side
    return (long_side, short_side) if picture_wh[0] >= picture_wh[1] else (short_side, long_side)


def _starts(side: int, tile: int, overlap: float) -> list[int]:
    """Where the tiles of a side begin: evenly, the first at 0 and the last so that it ends with the side."""
    if side <= tile:
        return [0]
    most_step = max(1, int(tile * (1 - overlap)))
    gaps = -(-(side - tile) // most_step)
    return [round(index * (side - tile) / gaps) for index in range(gaps + 1)]
