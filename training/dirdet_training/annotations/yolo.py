"""YOLO: a text file to a picture, a line to an object, numbers relative to the picture's size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from globox import BoundingBox
from globox.errors import ParsingError

from dirdet_training.annotations.classes import checked_names, class_names
from dirdet_training.annotations.dataset import Converted, DrawnBox, Picture, chosen
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.pictures import pictures_below, size_wh

_CLASS_LISTS = ("classes.txt", "obj.names")
_BOX_NUMBERS = 5


def read_yolo(
    source: Path,
    pictures: Path,
    *,
    classes: Sequence[str] | None = None,
    stems: frozenset[str] | None = None,
) -> Converted:
    """Reads the pictures below a folder and the labels beside them; a polygon gives the box around it.

    The labels of `.../images/a/1.jpg` are `.../labels/a/1.txt`, else `1.txt` beside the picture. A picture without
    labels has no objects.

    Args:
        source: the data set, whose YAML file or list names the classes.
        pictures: the folder of the pictures.
        classes: the classes in order, instead of the data set's own.
        stems: the pictures to read, without folders and suffix; None reads all.

    Raises:
        AnnotationError: a folder is missing, it has no pictures, or nothing names the classes.
    """
    names = tuple(classes) if classes is not None else yolo_classes(source)
    files = chosen(pictures_below(pictures), stems, pictures)
    if not files:
        raise AnnotationError(f"there are no pictures below {pictures}")
    found: list[Picture] = []
    unreadable: list[str] = []
    unlabelled = 0
    for path in files:
        labels = labels_of(path)
        unlabelled += labels is None
        try:
            size = size_wh(path)
            lines = labels.read_text(encoding="utf-8").splitlines() if labels else []
        except (OSError, UnicodeDecodeError, AnnotationError) as exc:
            unreadable.append(f"{path}: {exc}")
            continue
        boxes: list[DrawnBox] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                boxes.append(parse_line(line, size, names))
            except AnnotationError as exc:
                unreadable.append(f"{labels}, line {number}: {exc}")
        found.append(Picture(path.relative_to(pictures).as_posix(), size, tuple(boxes)))
    notes = (f"{unlabelled:,} of {len(files):,} pictures have no label file, so no objects",) if unlabelled else ()
    return Converted(tuple(found), names, tuple(unreadable), notes)


def parse_line(line: str, size_wh: tuple[int, int], classes: Sequence[str]) -> DrawnBox:
    """The object of one line: class number, then centre, width and height, or a polygon's corners; all relative.

    Raises:
        AnnotationError: the line is neither, or its class has no name.
    """
    words = line.split()
    try:
        if len(words) == _BOX_NUMBERS:
            box = BoundingBox.from_yolo_v5(line, image_size=size_wh)
        else:
            box = BoundingBox.from_yolo_seg(line, image_size=size_wh)
        number = int(box.label)
    except (ParsingError, ValueError, AssertionError) as exc:
        raise AnnotationError(f"expected a class and 4 numbers, or a polygon, found {line.strip()[:80]!r}") from exc
    if not 0 <= number < len(classes):
        raise AnnotationError(f"class {number} has no name: there are {len(classes)}")
    return DrawnBox(classes[number], box.ltrb)


def labels_of(picture: Path) -> Path | None:
    """A picture's label file, if it has one."""
    parts = list(picture.with_suffix(".txt").parts)
    candidates = [picture.with_suffix(".txt")]
    if "images" in parts[:-1]:
        last = len(parts) - 2 - parts[-2::-1].index("images")
        candidates.insert(0, Path(*parts[:last], "labels", *parts[last + 1 :]))
    return next((path for path in candidates if path.is_file()), None)


def yolo_classes(source: Path) -> tuple[str, ...]:
    """The classes that a data set names in its YAML file (`names`), in classes.txt or in obj.names.

    Raises:
        AnnotationError: none of them is there, or its names are not numbered from 0.
    """
    for path in sorted([*source.glob("*.yaml"), *source.glob("*.yml")]):
        try:
            content: Any = yaml.safe_load(path.read_bytes())
        except yaml.YAMLError as exc:
            raise AnnotationError(f"{path} is no YAML: {exc}") from exc
        if isinstance(content, dict) and "names" in content:
            return checked_names(_in_order(content["names"], path), path)
    for name in _CLASS_LISTS:
        if (source / name).is_file():
            return class_names(source / name)
    raise AnnotationError(
        f"nothing in {source} names the classes (a YAML file with `names`, {' or '.join(_CLASS_LISTS)}): say --classes"
    )


def _in_order(names: Any, path: Path) -> list[str]:  # noqa: ANN401
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise AnnotationError(f"{path}: expected `names` numbered from 0, found {sorted(map(str, names))}")
        return [str(names[number]) for number in range(len(names))]
    if isinstance(names, list):
        return [str(name) for name in names]
    raise AnnotationError(f"{path}: expected `names` to be a list, found {type(names).__name__}")
