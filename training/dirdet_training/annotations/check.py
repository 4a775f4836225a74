"""Checks a COCO file for errors that would break training, and for entries that MMDetection silently leaves out."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from dirdet.files import path_below
from dirdet_training.annotations import boxes
from dirdet_training.annotations.boxes import Bools, Floats
from dirdet_training.annotations.classes import order_of
from dirdet_training.annotations.columns import Objects, Pictures, object_columns, picture_columns
from dirdet_training.annotations.config_use import ALL_BOXES, Use
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.findings import Finding, Kind, Report
from dirdet_training.annotations.pictures import are_there, size_wh
from dirdet_training.annotations.records import CocoFile, read_coco
from dirdet_training.annotations.segmentations import Segmentation, segmentation_states


def check_file(path: Path, pictures: Path | None, use: Use = ALL_BOXES, *, open_pictures: bool = False) -> Report:
    """Reports the broken entries of a COCO JSON file, and notes on its other entries.

    Args:
        path: the file.
        pictures: the folder that its file names are relative to; None skips the check of the picture files.
        use: what is taken from the file.
        open_pictures: compare the stated sizes with those of the picture files.

    Raises:
        AnnotationError: the file is not COCO JSON, or does not fit the classes.
    """
    return check(read_coco(path), path, pictures, use, open_pictures=open_pictures)


def check(
    content: CocoFile, path: Path, pictures: Path | None, use: Use = ALL_BOXES, *, open_pictures: bool = False
) -> Report:
    """Checks a file that has been read, as `check_file` does; only masks are read from the path."""
    names = [category.name for category in content.categories]
    order = None if use.classes is None else order_of(path, names, use.classes)
    rows = picture_columns(content.images)
    found = _Found()
    sound = _check_pictures(found, content, rows, pictures, open_pictures=open_pictures)
    columns = object_columns(content, rows)
    with np.errstate(invalid="ignore", over="ignore"):  # the sums of boxes that are not finite
        kept, learned = _check_objects(found, content, rows, columns, sound)
        if use.masks:
            kept, learned = _check_masks(found, content, columns, _sizes_of(rows, columns), path, use, kept, learned)
    used = _note(found, content, rows, columns, sound, kept, learned, use)
    return Report(path, len(content.images), len(content.annotations), tuple(found.findings), used, order)


class _Found:
    """Collects findings; an entry that is in one broken kind is left out of later kinds."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, kind: Kind, mask: Bools, alive: Bools, words: Any) -> Bools:  # noqa: ANN401
        """Adds the entries of a mask that are alive, in no broken kind yet; returns which are alive afterwards."""
        chosen = mask & alive
        if chosen.any():
            self.findings.append(Finding(kind, np.flatnonzero(chosen), words))
        return alive & ~chosen if kind.broken else alive


def _check_pictures(
    found: _Found, content: CocoFile, rows: Pictures, folder: Path | None, *, open_pictures: bool
) -> Bools:
    """Adds broken pictures; returns the mask of sound pictures [P]."""
    images = content.images

    def name(row: int) -> str:
        return f"picture {images[row].id!r} ({images[row].file_name})"

    def record(row: int) -> str:
        image = images[row]
        fields = f"file_name {image.file_name!r}, width {image.width!r}, height {image.height!r}"
        return f"picture {image.id!r} (place {row}): {fields}"

    alive = np.ones(len(images), bool)
    alive = found.add(Kind.PICTURE_RECORD, ~rows.usable, alive, record)
    alive = found.add(Kind.DUPLICATE_PICTURE, rows.repeated, alive, name)
    if folder is None:
        return alive
    usable = np.flatnonzero(rows.usable)
    paths = [path_below(folder, images[row].file_name) for row in usable.tolist()]
    elsewhere, there, again = np.zeros((3, len(images)), bool)
    elsewhere[usable] = [path is None for path in paths]
    seen: set[str] = set()
    for row, path in zip(usable.tolist(), paths, strict=True):
        same = os.path.normpath(path or "")  # a name can be written in several ways
        again[row] = path is not None and same in seen
        seen.add(same)
    there[usable] = are_there(path or "" for path in paths)
    alive = found.add(Kind.PICTURE_ELSEWHERE, elsewhere, alive, lambda row: f"{name(row)} is not below {folder}")
    found.add(Kind.SAME_FILE, again, alive, name)
    alive = found.add(Kind.MISSING_PICTURE, ~there, alive, lambda row: f"{name(row)} is not in {folder}")
    if not open_pictures:
        return alive
    unreadable, other = np.zeros_like(alive), np.zeros_like(alive)
    wrong: dict[int, str] = {}
    for row in np.flatnonzero(alive).tolist():
        stated = images[row].width, images[row].height
        try:
            actual = size_wh(folder / images[row].file_name)
        except AnnotationError as exc:
            unreadable[row], wrong[row] = True, f"picture {images[row].id!r}: {exc}"
            continue
        if actual != stated:
            words = f"stated {stated[0]}x{stated[1]}, the file is {actual[0]}x{actual[1]}"
            turned = ", turned upright by its EXIF orientation" if actual == stated[::-1] else ""
            other[row], wrong[row] = True, f"{name(row)}: {words}{turned}"
    alive = found.add(Kind.UNREADABLE_PICTURE, unreadable, alive, wrong.__getitem__)
    return found.add(Kind.PICTURE_SIZE, other, alive, wrong.__getitem__)


def _sizes_of(rows: Pictures, columns: Objects) -> Floats:
    """Returns the size of each annotation's picture, arbitrary where the file lacks that picture: [N, 2]."""
    return rows.sizes_wh[columns.picture_rows] if len(rows.sizes_wh) else np.full((len(columns.usable), 2), np.nan)


def _check_objects(
    found: _Found, content: CocoFile, rows: Pictures, columns: Objects, sound: Bools
) -> tuple[Bools, Bools]:
    """Adds broken annotations; returns the masks of sound annotations and of those that are learned [N]."""
    records, xywh = content.annotations, columns.boxes_xywh
    sizes = _sizes_of(rows, columns)

    def name(row: int) -> str:
        return f"annotation {records[row].id!r} (picture {records[row].image_id!r})"

    def whole(row: int) -> str:
        record = records[row]
        fields = ("image_id", "category_id", "bbox", "area", "iscrowd")
        return f"annotation {record.id!r} (place {row}): " + ", ".join(
            f"{key} {getattr(record, key)!r}" for key in fields
        )

    def box(row: int) -> str:
        return f"{name(row)}: bbox {records[row].bbox}, area {records[row].area}"

    def place(row: int) -> str:
        width, height = sizes[row]
        return f"{name(row)}: bbox {records[row].bbox} in a picture of {width:g}x{height:g}"

    alive = np.ones(len(records), bool)
    alive = found.add(Kind.RECORD, ~columns.usable, alive, whole)
    alive = found.add(Kind.DUPLICATE_ANNOTATION, columns.repeated, alive, name)
    alive = found.add(Kind.UNKNOWN_PICTURE, columns.picture_rows < 0, alive, name)
    broken_picture = ~sound[columns.picture_rows] if len(sound) else np.ones(len(records), bool)
    alive = found.add(
        Kind.UNKNOWN_CATEGORY,
        columns.category_rows < 0,
        alive,
        lambda row: f"{name(row)}: category_id {records[row].category_id}",
    )
    alive = found.add(Kind.NOT_FINITE, boxes.not_finite(xywh) | ~np.isfinite(columns.areas), alive, box)
    alive = found.add(Kind.NO_AREA, boxes.without_area(xywh) | (columns.areas <= 0), alive, box)
    alive = found.add(Kind.BROKEN_PICTURE, broken_picture, alive, name)
    alive = found.add(Kind.OUTSIDE, boxes.outside(xywh, sizes), alive, place)
    found.add(Kind.CLIPPED, boxes.reaching_out(xywh, sizes), alive, place)
    found.add(Kind.THIN, boxes.thin(xywh), alive, box)
    found.add(Kind.IGNORED, columns.ignored, alive, name)
    found.add(Kind.CROWD, columns.crowd & ~columns.ignored, alive, name)
    return alive, alive & ~boxes.thin(xywh) & ~columns.ignored & ~columns.crowd


def _check_masks(
    found: _Found,
    content: CocoFile,
    columns: Objects,
    sizes_wh: Floats,
    path: Path,
    use: Use,
    kept: Bools,
    learned: Bools,
) -> tuple[Bools, Bools]:
    """Adds annotations whose masks cannot be read or are ignored; returns the masks of `_check_objects` after it."""
    records = content.annotations
    states = segmentation_states(path, sizes_wh, polygons_alone=use.polygons_alone)
    names = np.array([use.classes is None or category.name in use.classes for category in content.categories], bool)
    # MMDetection leaves these out before it looks at masks.
    looked_at = kept & ~boxes.thin(columns.boxes_xywh) & ~columns.ignored
    looked_at[looked_at] = names[columns.category_rows[looked_at]]

    def name(row: int) -> str:
        return f"annotation {records[row].id!r} (picture {records[row].image_id!r})"

    for state, kind in _MASK_KINDS.items():
        chosen = looked_at & (states == state)
        found.add(kind, chosen, kept, name)
        learned = learned & ~chosen
        if kind.broken:
            kept = kept & ~chosen
    return kept, learned


_MASK_KINDS = {
    Segmentation.ABSENT: Kind.NO_SEGMENTATION,
    Segmentation.UNREADABLE: Kind.UNREADABLE_SEGMENTATION,
    Segmentation.IGNORED: Kind.IGNORED_SEGMENTATION,
}


def _note(
    found: _Found,
    content: CocoFile,
    rows: Pictures,
    columns: Objects,
    sound: Bools,
    kept: Bools,
    learned: Bools,
    use: Use,
) -> tuple[int, int]:
    """Adds valid entries that training leaves out: classes not requested, pictures without objects, small pictures.

    Returns:
        The numbers of pictures and objects that are learned from.
    """
    names = [category.name for category in content.categories]
    wanted = np.array([use.classes is None or name in use.classes for name in names], bool)
    of_class = kept.copy()
    of_class[kept] = wanted[columns.category_rows[kept]]
    records, images = content.annotations, content.images
    found.add(
        Kind.UNUSED_CATEGORY,
        ~of_class,
        kept,
        lambda row: f"annotation {records[row].id!r}: {names[columns.category_rows[row]]!r}",
    )
    zero = np.array([type(record.id) is int and record.id == 0 for record in records], bool)
    found.add(Kind.ID_ZERO, zero, kept, lambda row: f"annotation 0 (picture {records[row].image_id!r})")
    full = np.zeros(len(images), bool)
    full[columns.picture_rows[of_class]] = True

    def name(row: int) -> str:
        return f"picture {images[row].id!r} ({images[row].file_name})"

    found.add(Kind.EMPTY_PICTURE, ~full, sound, name)
    small = np.zeros(len(images), bool)
    small[rows.usable] = rows.sizes_wh[rows.usable].min(axis=1) < use.min_size
    found.add(Kind.SMALL_PICTURE, small, sound, name)
    present = np.zeros(len(names), bool)
    present[columns.category_rows[of_class]] = True
    found.add(Kind.EMPTY_CATEGORY, ~present, wanted, lambda row: repr(names[row]))
    used = sound & ~small & (full | (not use.drops_empty))
    in_used = learned & of_class
    in_used[in_used] = used[columns.picture_rows[in_used]]
    return int(used.sum()), int(in_used.sum())
