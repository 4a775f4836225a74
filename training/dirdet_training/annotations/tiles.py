"""Cuts pictures of small objects into enlarged tiles of one size, so that the objects are large on a small canvas."""

import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dirdet.detection.rle import Rle
from dirdet.errors import PictureError
from dirdet.files import open_regular, path_below
from dirdet.pictures.reading import DEFAULT_LIMITS, read_picture
from dirdet_training.annotations.dataset import Converted, Picture
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.masks import drawn
from dirdet_training.annotations.pictures import size_wh

# Training and evaluation ignore an object if less than this share of it is inside the tile.
LEAST_VISIBLE = 0.25
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Tiling:
    """The settings by which pictures are cut.

    Attributes:
        tile_wh: the size of a tile on the picture, pixels.
        enlarged: the factor by which a tile is enlarged when it is written.
        usual_px: a picture whose objects' median size (square root of the box's area) is outside this range, pixels, is
            resized before it is cut.
        wanted_px: the median size after this resizing, pixels.
        most: the most tiles of one picture, spread evenly over it; 0 keeps all.
    """

    tile_wh: tuple[int, int] = (160, 128)
    enlarged: int = 2
    usual_px: tuple[float, float] = (14.0, 40.0)
    wanted_px: float = 20.0
    most: int = 0

    def factor(self, sizes_px: list[float]) -> float:
        """Returns the factor by which a picture is resized before it is cut; 1 for a picture without objects."""
        if not sizes_px:
            return 1.0
        median = statistics.median(sizes_px)
        return 1.0 if self.usual_px[0] <= median <= self.usual_px[1] else self.wanted_px / median

    def windows(self, picture_wh: tuple[int, int]) -> list[tuple[int, int, int, int]]:
        """Places tiles (left, top, right, bottom) without overlap, with equal margins on both sides.

        A picture that is smaller than a tile is one tile of its own size in that direction.
        """
        columns, rows = (list(_spans(side, tile)) for side, tile in zip(picture_wh, self.tile_wh, strict=True))
        found = [(left, top, right, bottom) for top, bottom in rows for left, right in columns]
        if not 0 < self.most < len(found):
            return found
        return [found[int((number + 0.5) * len(found) / self.most)] for number in range(self.most)]


def _spans(side: int, tile: int) -> Iterator[tuple[int, int]]:
    count, tile = max(side // tile, 1), min(side, tile)
    first = (side - count * tile) // 2
    for number in range(count):
        yield first + number * tile, first + (number + 1) * tile


def cut(content: dict[str, Any], pictures: Path, out: Path, tiling: Tiling) -> Converted:
    """Writes the tiles of a data set whose objects have masks as PNG files, and returns their boxes.

    A box is that of the mask's part inside the tile, because the part of a box does not fit the part of a round object.

    Args:
        content: COCO's content, with run lengths as `segmentation`, as `convert --format masks` writes them.
        pictures: the folder that its file names are relative to.
        out: the folder for the tiles: PICTURE_ID_NUMBER.png.
        tiling: the settings.

    Raises:
        AnnotationError: an object has no run lengths, or a picture cannot be read, differs from the stated size or
            would become too large.
    """
    objects: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for entry in content["annotations"]:
        objects[entry["image_id"]].append(entry)
    classes = tuple(category["name"] for category in content["categories"])
    labels = {category["id"]: category["name"] for category in content["categories"]}
    out.mkdir(parents=True, exist_ok=True)
    found: list[Picture] = []
    for image in content["images"]:
        below = path_below(pictures, image["file_name"])
        if type(image["id"]) is not int or below is None:
            raise AnnotationError(
                f"picture {image['id']!r} ({image['file_name']!r}): expected a whole number and a name below {pictures}"
            )
        path = Path(below)
        stated = (image["width"], image["height"])
        if size_wh(path) != stated:
            raise AnnotationError(f"picture {path} is {size_wh(path)}, its annotations say {stated}")
        found += _tiles_of(path, image["id"], objects[image["id"]], labels, out, tiling)
    return Converted(tuple(found), classes, ())


def _tiles_of(
    path: Path, picture_id: int, objects: list[dict[str, Any]], labels: dict[int, str], out: Path, tiling: Tiling
) -> list[Picture]:
    factor = tiling.factor([(entry["bbox"][2] * entry["bbox"][3]) ** 0.5 for entry in objects])
    try:
        with open_regular(path) as file:
            picture = read_picture(file)
    except (OSError, PictureError) as exc:
        raise AnnotationError(f"picture {path} cannot be read: {exc}") from exc
    masks = [
        (labels[entry["category_id"]], _mask(entry, path, picture.size), bool(entry["iscrowd"])) for entry in objects
    ]
    if factor != 1:
        size = (max(round(picture.width * factor), 1), max(round(picture.height * factor), 1))
        if size[0] * size[1] > DEFAULT_LIMITS.max_pixels:
            raise AnnotationError(
                f"picture {path}: its objects are so small that it would be resized to {size[0]} x {size[1]} pixels; "
                f"at most {DEFAULT_LIMITS.max_pixels / 1e6:g} megapixels are made"
            )
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    found: list[Picture] = []
    for number, window in enumerate(tiling.windows(picture.size)):
        wh = ((window[2] - window[0]) * tiling.enlarged, (window[3] - window[1]) * tiling.enlarged)
        name = f"{picture_id}_{number}.png"
        picture.crop(window).resize(wh, Image.Resampling.BICUBIC).save(out / name)
        shown = (_shown(window, mask, picture.size, tiling.enlarged) for _, mask, _ in masks)
        boxes = (
            drawn(part.pixels, label, is_crowd=is_crowd or part.share < LEAST_VISIBLE)
            for (label, _, is_crowd), part in zip(masks, shown, strict=True)
            if part is not None
        )
        found.append(Picture(name, wh, tuple(boxes)))
    return found


def _mask(entry: dict[str, Any], path: Path, picture_wh: tuple[int, int]) -> Mask:
    try:
        mask = Rle.from_json(entry["segmentation"])
        if mask.size_hw[::-1] != picture_wh:
            raise ValueError(f"it is of {mask.size_hw[1]} x {mask.size_hw[0]} pixels")
        return mask.decode()
    except (KeyError, TypeError, ValueError) as exc:
        raise AnnotationError(
            f"annotation {entry['id']} of {path} has no mask as run lengths of {picture_wh[0]} x {picture_wh[1]} "
            "pixels: `dirdet annotations convert --format masks` writes them"
        ) from exc


class _Shown(NamedTuple):
    """The part of an object inside a tile: pixels [h, w] of the tile as written, and the part's share of the object."""

    pixels: Mask
    share: float


def _shown(window: tuple[int, int, int, int], mask: Mask, picture_wh: tuple[int, int], enlarged: int) -> _Shown | None:
    """Cuts a window of the resized picture out of an object's mask of the original picture; None if it is empty."""
    left, top, right, bottom = window
    across, down = mask.shape[1] / picture_wh[0], mask.shape[0] / picture_wh[1]
    if not mask[int(top * down) : int(bottom * down) + 1, int(left * across) : int(right * across) + 1].any():
        return None
    columns = ((left + (np.arange((right - left) * enlarged) + 0.5) / enlarged) * across).astype(int)  # [w]
    rows = ((top + (np.arange((bottom - top) * enlarged) + 0.5) / enlarged) * down).astype(int)  # [h]
    part = mask[rows[:, None], columns[None]]  # [h, w]
    if not part.any():
        return None
    return _Shown(part, float(part.sum() * across * down / (mask.sum() * enlarged**2)))
