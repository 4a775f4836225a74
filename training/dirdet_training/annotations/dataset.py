"""The form to which converters bring a data set, and its conversion to COCO JSON."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dirdet.detection.rle import Rle
from dirdet_training.annotations.classes import checked_names


@dataclasses.dataclass(frozen=True)
class DrawnBox:
    """An object of a data set.

    Attributes:
        label: the name of its class.
        box_xyxy: edges in pixels, 0 at the picture's left and top edge.
        is_crowd: whether training and evaluation ignore the object.
        mask: the pixels of the object, if the data set has masks.
    """

    label: str
    box_xyxy: tuple[float, float, float, float]
    is_crowd: bool = False
    mask: Rle | None = None


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture of a data set.

    Attributes:
        file_name: path relative to the pictures' folder, with forward slashes.
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
        pictures: the pictures in order of their names.
        classes: the classes in the order of their new ids.
        unreadable: for each entry that cannot be read, its place and its content.
        notes: notes on valid entries.
    """

    pictures: tuple[Picture, ...]
    classes: tuple[str, ...]
    unreadable: tuple[str, ...]
    notes: tuple[str, ...] = ()


def to_coco(converted: Converted) -> dict[str, Any]:
    """Converts a data set to COCO's content: categories, pictures and annotations numbered from 1.

    An object's area is that of its mask if there is one, else that of its box.
    """
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
                    "area": (x2 - x1) * (y2 - y1) if box.mask is None else box.mask.area,
                    "iscrowd": int(box.is_crowd),
                    **({} if box.mask is None else {"segmentation": box.mask.to_json()}),
                }
            )
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def classes_of(labels: Iterable[str], given: Sequence[str] | None, source: Path) -> tuple[str, ...]:
    """Returns the given classes, or else all labels in alphabetical order.

    Raises:
        AnnotationError: there are no classes.
    """
    return checked_names(given if given is not None else sorted(set(labels)), source)
