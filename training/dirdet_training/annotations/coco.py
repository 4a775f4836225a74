"""Converts COCO to COCO: fills in missing fields that can be derived, and keeps all others."""

from pathlib import Path
from typing import Any

from dirdet.errors import counted
from dirdet_training.annotations.records import read_coco, read_whole


def completed(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns a COCO file's content with the fields that training and measuring need, and texts on the filled fields.

    A missing `iscrowd` is set to 0, a missing `area` to the box's area. The annotation with id 0 gets the next free id,
    because pycocotools takes 0 for "not found".

    Raises:
        AnnotationError: the file is not COCO JSON.
    """
    records = read_coco(path).annotations
    content = read_whole(path)
    counts = dict.fromkeys(("iscrowd", "area", "id"), 0)
    free = max((record.id for record in records if type(record.id) is int), default=0) + 1
    for record, entry in zip(records, content["annotations"], strict=True):
        if record.iscrowd is None:
            entry["iscrowd"] = 0
            counts["iscrowd"] += 1
        if record.area is None and _is_box(record.bbox):
            entry["area"] = record.bbox[2] * record.bbox[3]
            counts["area"] += 1
        if type(record.id) is int and record.id == 0:
            entry["id"], free = free, free + 1
            counts["id"] += 1
    filled = (f"{key} added to {counted(number, 'annotation')}" for key, number in counts.items() if number)
    return content, tuple(filled)


def _is_box(value: Any) -> bool:  # noqa: ANN401
    return type(value) is list and len(value) == 4 and all(type(part) in (int, float) for part in value)
