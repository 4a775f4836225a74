"""What a converter makes of a data set, and writing it as COCO JSON."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dirdet_training.annotations.classes import checked_names
from dirdet_training.annotations.errors import AnnotationError


@dataclasses.dataclass(frozen=True)
class DrawnBox:
    """An object as a data set names it.

    Attributes:
        label: its class.
        box_xyxy: edges in pixels, 0 at the picture's left and top edge.
        is_crowd: neither to be learned nor to be held against a detector.
    """

    label: str
    box_xyxy: tuple[float, float, float, float]
    is_crowd: bool = False


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture of a data set.

    Attributes:
        file_name: below the pictures' folder, with forward slashes.
        size_wh: pixels.
        boxes: its objects.
    """

    file_name: str
    size_wh: tuple[int, int]
    boxes: tuple[DrawnBox, ...]


@dataclasses.dataclass(frozen=True)
class Converted:
    """A data set that has been read.

    Attributes:
        pictures: in order of their names.
        classes: in the order of the ids they get.
        unreadable: for each entry that is none, where it stands and what it has.
        notes: what is legitimate and worth knowing.
    """

    pictures: tuple[Picture, ...]
    classes: tuple[str, ...]
    unreadable: tuple[str, ...]
    notes: tuple[str, ...] = ()


def to_coco(converted: Converted) -> dict[str, Any]:
    """COCO's content of a data set: categories, pictures and annotations numbered from 1, areas those of the boxes."""
    ids = {name: number for number, name in enumerate(converted.classes, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for picture_id, picture in enumerate(converted.pictures, start=1):
        width, height = picture.size_wh
        images.append({"id": picture_id, "file_name": picture.file_name, "width": width, "height": height})
        for box in picture.boxes:
            x1, y1, x2, y2 = box.box_xyxy
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": picture_id,
                    "category_id": ids[box.label],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": int(box.is_crowd),
                }
            )
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def listed_stems(path: Path) -> frozenset[str]:
    """The pictures that a list names: first word of each line, without folders and suffix.

    Raises:
        AnnotationError: the list cannot be read or is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise AnnotationError(f"list {path} cannot be read: {exc}") from exc
    stems = frozenset(Path(line.split()[0]).stem for line in lines if line.strip())
    if not stems:
        raise AnnotationError(f"list {path} names no pictures")
    return stems


def chosen(paths: Iterable[Path], stems: frozenset[str] | None, source: Path) -> list[Path]:
    """Those of the paths that a list names, sorted; all without a list.

    Raises:
        AnnotationError: the list names some that are not there.
    """
    found = sorted(path for path in paths if stems is None or path.stem in stems)
    missing = sorted((stems or frozenset()) - {path.stem for path in found})
    if missing:
        raise AnnotationError(f"{source} lacks {len(missing)} of the listed pictures: {', '.join(missing[:5])}")
    return found


def classes_of(labels: Iterable[str], given: Sequence[str] | None, source: Path) -> tuple[str, ...]:
    """The classes given, else all labels in alphabetical order.

    Raises:
        AnnotationError: there are none.
    """
    return checked_names(given if given is not None else sorted(set(labels)), source)
