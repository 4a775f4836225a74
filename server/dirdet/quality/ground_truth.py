"""Reads the true objects: COCO annotations as arrays."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, FailFast, Field, FiniteFloat, ValidationError

from dirdet.errors import ResultsError, first_fault
from dirdet.files import MOST_ANNOTATIONS_BYTES, read_regular, utf8_json
from dirdet.quality.arrays import Bools, Floats, Ints

# Exactly as in the file: "1" and 1.5 are no ids, and arrays hold 64 bits.
Id = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
Box = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]


class Picture(BaseModel):
    """One picture; width and height in pixels."""

    model_config = ConfigDict(frozen=True)

    id: Id
    file_name: str
    width: int
    height: int


class _Object(BaseModel):
    id: Id
    image_id: Id
    category_id: Id
    bbox: Box
    area: FiniteFloat
    iscrowd: bool = False


class _Category(BaseModel):
    id: Id
    name: str


class _Annotations(BaseModel):
    images: Annotated[list[Picture], FailFast()]
    annotations: Annotated[list[_Object], FailFast()]
    categories: Annotated[list[_Category], FailFast()]


@dataclass(frozen=True)
class GroundTruth:
    """Pictures and the G objects on them.

    Attributes:
        path: of the annotation file.
        pictures: by id.
        categories: name by category id.
        picture_id: [G].
        category_id: [G].
        boxes_xyxy: [G, 4], pixels.
        crowd: [G], which objects are crowds.
    """

    path: Path
    pictures: dict[int, Picture]
    categories: dict[int, str]
    picture_id: Ints
    category_id: Ints
    boxes_xyxy: Floats
    crowd: Bools

    @cached_property
    def rows_of_picture(self) -> dict[int, Ints]:
        """The objects of each picture that has any, as rows of the arrays."""
        return rows_by(self.picture_id)

    def rows_on(self, picture_id: int) -> Ints:
        """The objects of one picture, as rows of the arrays; [0] if it has none."""
        return self.rows_of_picture.get(picture_id, np.zeros(0, np.int64))

    def visible_xyxy(self, rows: Ints) -> Floats:
        """The boxes [R, 4] of these objects, clipped to their pictures: an annotation may reach beyond its picture."""
        sizes_wh = [(self.pictures[int(each)].width, self.pictures[int(each)].height) for each in self.picture_id[rows]]
        limits = np.array(sizes_wh, np.float64).reshape(-1, 2)
        return np.clip(self.boxes_xyxy[rows], 0, np.hstack([limits, limits]))


def rows_by(key: Ints) -> dict[int, Ints]:
    """The rows of each value of `key` [N], in order."""
    order = np.argsort(key, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(key[order])) + 1) if len(key) else []
    return {int(key[group[0]]): group for group in groups}


def boxes_of(boxes_xywh: list[Box]) -> Floats:
    """COCO's x, y, width, height as corners [N, 4]."""
    boxes = np.array(boxes_xywh, np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def read_ground_truth(path: Path) -> GroundTruth:
    """Reads COCO JSON.

    Raises:
        ResultsError: the file cannot be read, or an entry does not follow COCO's format.
    """
    try:
        found = _Annotations.model_validate_json(utf8_json(read_regular(path, most_bytes=MOST_ANNOTATIONS_BYTES)))
    except OSError as exc:
        raise ResultsError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise ResultsError(f"{path} cannot be read as JSON: {exc}") from exc
    except ValidationError as exc:
        raise ResultsError(f"{path}: {first_fault(exc)}") from exc
    pictures = {picture.id: picture for picture in found.images}
    categories = {category.id: category.name for category in found.categories}
    for field, entries in (("images", found.images), ("categories", found.categories)):
        for each, times in Counter(entry.id for entry in entries).items():
            if times > 1:
                raise ResultsError(f"{path}: {times} of `{field}` have the id {each}")
    for item in found.annotations:
        if item.image_id not in pictures:
            raise ResultsError(f"{path}: annotation {item.id} is of image {item.image_id}, which is not in the file")
        if item.category_id not in categories:
            raise ResultsError(
                f"{path}: annotation {item.id} has category_id {item.category_id}, which is not in the file"
            )
    return GroundTruth(
        path=path,
        pictures=pictures,
        categories=categories,
        picture_id=np.array([item.image_id for item in found.annotations], np.int64),
        category_id=np.array([item.category_id for item in found.annotations], np.int64),
        boxes_xyxy=boxes_of([item.bbox for item in found.annotations]),
        crowd=np.array([item.iscrowd for item in found.annotations], np.bool_),
    )
