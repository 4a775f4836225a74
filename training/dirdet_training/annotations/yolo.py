"""Reads YOLO: a text file for each picture, a line for each object, numbers relative to the picture's size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from globox import BoundingBox
from globox.errors import ParsingError

from dirdet.errors import counted
from dirdet_training.annotations.classes import checked_names, class_names
from dirdet_training.annotations.dataset import Converted, DrawnBox, Picture
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.lists import chosen
from dirdet_training.annotations.pictures import pictures_below, size_wh
from dirdet_training.annotations.records import read_bytes

_CLASS_LISTS = ("classes.txt", "obj.names")
_BOX_NUMBERS = 5


def read_yolo(
    source: Path,
    pictures: Path,
    *,
    classes: Sequence[str] | None = None,
    listed: tuple[str, ...] | None = None,
) -> Converted:
    """Reads the pictures below a folder and the labels beside them; a polygon gives the box around it.

    The labels of `.../images/a/1.jpg` are in `.../labels/a/1.txt`, or else in `1.txt` in the picture's folder. A
    picture without labels has no objects.

    Args:
        source: the data set, whose YAML file or list names the classes.
        pictures: the folder of the pictures.
        classes: the classes in order, in place of the data set's own.
        listed: the lines of a list of the pictures to read; None reads all.

    Raises:
        AnnotationError: a folder is missing or has no pictures, or no file names the classes.
    """
    names = tuple(classes) if classes is not None else yolo_classes(source)
    keypoint_numbers = _keypoint_numbers(source)
    files = chosen(pictures_below(pictures), listed, pictures)
    if not files:
        raise AnnotationError(f"there are no pictures below {pictures}")
    found: list[Picture] = []
    unreadable: list[str] = []
    unlabelled = 0
    taken: dict[Path, Path] = {}
    for path in files:
        labels = labels_of(path)
        unlabelled += labels is None
        try:
            size = size_wh(path)
            if labels is not None and (other := taken.setdefault(labels, path)) != path:
                raise AnnotationError(f"its labels {labels} are also those of {other}")
            lines = read_bytes(labels).decode("utf-8-sig").splitlines() if labels else []
        except (UnicodeDecodeError, AnnotationError) as exc:
            unreadable.append(f"{labels if isinstance(exc, UnicodeDecodeError) else path}: {exc}")
            continue
        boxes: list[DrawnBox] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                boxes.append(parse_line(line, size, names, keypoint_numbers=keypoint_numbers))
            except AnnotationError as exc:
                unreadable.append(f"{labels}, line {number}: {exc}")
        found.append(Picture(path.relative_to(pictures).as_posix(), size, tuple(boxes)))
    note = f"{unlabelled:,} of {counted(len(files), 'picture')} without a label file, so without objects"
    return Converted(tuple(found), names, tuple(unreadable), (note,) if unlabelled else ())


def parse_line(
    line: str, size_wh: tuple[int, int], classes: Sequence[str], *, keypoint_numbers: int | None = None
) -> DrawnBox:
    """Reads the object of one line, as Ultralytics does; all numbers are relative to the picture's size.

    The class number is followed by centre, width and height of a box, in data sets with keypoints by these and the
    keypoints, or by the corners of a polygon or of a turned box.

    Raises:
        AnnotationError: the line has another form, or its class has no name.
    """
    words = line.split()
    poses = keypoint_numbers is not None and len(words) == _BOX_NUMBERS + keypoint_numbers
    try:
        if poses or len(words) == _BOX_NUMBERS:
            box = BoundingBox.from_yolo_v5(" ".join(words[:_BOX_NUMBERS]), image_size=size_wh)
        elif keypoint_numbers is None:
            box = BoundingBox.from_yolo_seg(line, image_size=size_wh)
        else:
            raise ValueError(line)
        number = float(box.label)  # numpy writes 0.0, and Ultralytics reads it
        if not number.is_integer():
            raise ValueError(line)
    except (ParsingError, ValueError, AssertionError) as exc:
        form = "a polygon" if keypoint_numbers is None else f"these and {keypoint_numbers} numbers of keypoints"
        raise AnnotationError(f"expected a class and 4 numbers, or {form}, found {line.strip()[:80]!r}") from exc
    if not 0 <= number < len(classes):
        raise AnnotationError(f"class {number:g} has no name: there are {len(classes)}")
    return DrawnBox(classes[int(number)], box.ltrb)


def _keypoint_numbers(source: Path) -> int | None:
    """Returns how many numbers of keypoints follow each box (`kpt_shape` of the YAML file); None without keypoints.

    Raises:
        AnnotationError: `kpt_shape` is not a number of keypoints and 2 or 3.
    """
    path, content = _settings(source)
    shape: Any = content.get("kpt_shape")
    if shape is None:
        return None
    if not (isinstance(shape, list) and len(shape) == 2 and str(shape[0]).isdecimal() and shape[1] in ("2", "3")):
        raise AnnotationError(f"{path}: expected `kpt_shape` to be a number of keypoints and 2 or 3, found {shape!r}")
    return int(shape[0]) * int(shape[1])


def part_pictures(source: Path, part: str) -> Path:
    """Returns the folder of the pictures of a part, `train`, `val` or `test`, that a data set's YAML file names.

    As in Ultralytics, a folder is relative to `path` or to the YAML file; Roboflow writes `../` before it.

    Raises:
        AnnotationError: the YAML file does not name the part, or its folder does not exist.
    """
    path, content = _settings(source)
    named: Any = content.get(part)
    if not isinstance(named, str):
        found = ", ".join(name for name in PARTS if name in content) or "none"
        raise AnnotationError(f"{path or source}: expected `{part}` to be a folder of pictures, the parts are {found}")
    roots = [source / str(content.get("path") or ""), source]
    names = [named, *([named.removeprefix("../")] if named.startswith("../") else [])]
    folders = [root / name for root in roots for name in names]
    for folder in folders:
        if folder.is_dir():
            return folder
    raise AnnotationError(f"{path}: the folder of `{part}`, {folders[0]}, does not exist")


PARTS = ("train", "val", "test")


def named_parts(source: Path) -> tuple[str, ...]:
    """Returns the parts that a data set's YAML file names."""
    _, content = _settings(source)
    return tuple(part for part in PARTS if content.get(part))


def labels_of(picture: Path) -> Path | None:
    """Returns a picture's label file, if it has one: by Ultralytics' rule, or else beside the picture.

    The rule puts `labels` in place of the last folder `images` of the path.
    """
    parts = list(picture.with_suffix(".txt").parts)
    candidates = [picture.with_suffix(".txt")]
    if "images" in parts[:-1]:
        last = len(parts) - 2 - parts[-2::-1].index("images")
        candidates.insert(0, Path(*parts[:last], "labels", *parts[last + 1 :]))
    return next((path for path in candidates if path.is_file()), None)


def yolo_classes(source: Path) -> tuple[str, ...]:
    """Reads the classes of a data set from its YAML file (`names`), from classes.txt or from obj.names.

    Raises:
        AnnotationError: none of these files exists, or the names are not numbered from 0.
    """
    path, content = _settings(source)
    if path is not None:
        return checked_names(_in_order(content["names"], path), path)
    for name in _CLASS_LISTS:
        if (source / name).is_file():
            return class_names(source / name)
    raise AnnotationError(
        f"nothing in {source} names the classes (a YAML file with `names`, {' or '.join(_CLASS_LISTS)}): say --classes"
    )


def _settings(source: Path) -> tuple[Path | None, dict[str, Any]]:
    """Reads a data set's YAML file, the first that names classes; every value is text, a list or a dictionary."""
    for path in sorted([*source.glob("*.yaml"), *source.glob("*.yml")]):
        try:
            content: Any = yaml.load(read_bytes(path), yaml.BaseLoader)  # noqa: S506  # nosec B506 - text alone
        except (yaml.YAMLError, ValueError, RecursionError) as exc:  # ValueError: text that cannot be decoded
            raise AnnotationError(f"{path} is no YAML: {' '.join(str(exc).split())}") from exc
        if isinstance(content, dict) and "names" in content:
            return path, content
    return None, {}


def _in_order(names: Any, path: Path) -> list[str]:  # noqa: ANN401
    if isinstance(names, dict):
        if set(names) != set(map(str, range(len(names)))):
            raise AnnotationError(f"{path}: expected `names` numbered from 0, found {sorted(names)}")
        names = [names[str(number)] for number in range(len(names))]
    if isinstance(names, list):
        for number, name in enumerate(names):
            if isinstance(name, list | dict | set):  # a container may hold itself, or grow by aliases
                raise AnnotationError(f"{path}: name {number} is a {type(name).__name__}, expected text")
        return [str(name) for name in names]
    raise AnnotationError(f"{path}: expected `names` to be a list, found {type(names).__name__}")
