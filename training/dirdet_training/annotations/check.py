"""Checks a COCO file: everything that would break training, or that MMDetection would leave out without a word."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dirdet_training.annotations import boxes
from dirdet_training.annotations.boxes import Bools
from dirdet_training.annotations.classes import require_classes
from dirdet_training.annotations.columns import Objects, Pictures, object_columns, picture_columns
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.findings import Finding, Kind, Report
from dirdet_training.annotations.pictures import are_there, size_wh
from dirdet_training.annotations.records import CocoFile, read_coco


def check_file(
    path: Path,
    pictures: Path | None,
    *,
    classes: Sequence[str] | None = None,
    min_size: int = 0,
    open_pictures: bool = False,
) -> Report:
    """What is broken in a COCO JSON file, and what is worth knowing.

    Args:
        path: the file.
        pictures: what its file names are relative to; None leaves the picture files alone.
        classes: the config's; None takes all of the file's.
        min_size: training leaves out pictures with a side below this, pixels.
        open_pictures: compare stated sizes with those of the files.

    Raises:
        AnnotationError: the file is no COCO JSON, or does not fit the classes.
    """
    return check(read_coco(path), path, pictures, classes=classes, min_size=min_size, open_pictures=open_pictures)


def check(
    content: CocoFile,
    path: Path,
    pictures: Path | None,
    *,
    classes: Sequence[str] | None = None,
    min_size: int = 0,
    open_pictures: bool = False,
) -> Report:
    """`check_file` of a file that has been read."""
    if classes is not None:
        require_classes(path, [category.name for category in content.categories], classes)
    rows = picture_columns(content.images)
    found = _Found()
    sound = _check_pictures(found, content, rows, pictures, open_pictures=open_pictures)
    columns = object_columns(content, rows)
    with np.errstate(invalid="ignore", over="ignore"):  # sums of boxes that are not finite
        kept = _check_objects(found, content, rows, columns, sound)
    _note(found, content, rows, columns, sound, kept, classes, min_size)
    return Report(path, len(content.images), len(content.annotations), tuple(found.findings))


class _Found:
    """Collects findings; entries that an earlier breakage took are left out of later ones."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, kind: Kind, mask: Bools, alive: Bools, words: Any) -> Bools:  # noqa: ANN401
        """Adds the entries in a mask that are still alive; returns those alive afterwards."""
        chosen = mask & alive
        if chosen.any():
            self.findings.append(Finding(kind, np.flatnonzero(chosen), words))
        return alive & ~chosen if kind.broken else alive


def _check_pictures(
    found: _Found, content: CocoFile, rows: Pictures, folder: Path | None, *, open_pictures: bool
) -> Bools:
    """Adds broken pictures; returns which are sound [P]."""
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
    there = np.zeros(len(images), bool)
    usable = np.flatnonzero(rows.usable)
    there[usable] = are_there(folder, [images[row].file_name for row in usable.tolist()])
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


def _check_objects(found: _Found, content: CocoFile, rows: Pictures, columns: Objects, sound: Bools) -> Bools:
    """Adds broken annotations; returns which are sound [N]."""
    records, xywh = content.annotations, columns.boxes_xywh
    sizes = rows.sizes_wh[columns.picture_rows] if len(rows.sizes_wh) else np.full((len(records), 2), np.nan)

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
    return alive


def _note(
    found: _Found,
    content: CocoFile,
    rows: Pictures,
    columns: Objects,
    sound: Bools,
    kept: Bools,
    classes: Sequence[str] | None,
    min_size: int,
) -> None:
    """Adds what is legitimate and left out: classes that nobody asked for, pictures without objects, small ones."""
    names = [category.name for category in content.categories]
    wanted = np.array([classes is None or name in classes for name in names], bool)
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
    small[rows.usable] = rows.sizes_wh[rows.usable].min(axis=1) < min_size
    found.add(Kind.SMALL_PICTURE, small, sound, name)
