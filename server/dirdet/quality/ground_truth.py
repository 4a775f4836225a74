"""What is really on the pictures: COCO annotations as arrays."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from dirdet.errors import ResultsError
from dirdet.faults import first_fault
from dirdet.quality.arrays import Bools, Floats, Ints

Box = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]


class Picture(BaseModel):
    """One picture; width and height in pixels."""

    model_config = ConfigDict(frozen=True)

    id: int
    file_name: str
    width: int
    height: int


class _Object(BaseModel):
    id: int
    image_id: int
    category_id: int
    bbox: Box
    area: FiniteFloat
    iscrowd: bool = False


class _Category(BaseModel):
    id: int
    name: str


class _Annotations(BaseModel):
    images: list[Picture]
    annotations: list[_Object]
    categories: list[_Category]


@dataclass(frozen=True)
class GroundTruth:
    """Pictures and the G objects on them.

    Attributes:
        path: the file it comes from.
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
        """The objects of one picture, as rows of the arrays; [0] where it has none."""
        return self.rows_of_picture.get(picture_id, np.zeros(0, np.int64))

    def visible_xyxy(self, rows: Ints) -> Floats:
        """Those objects' boxes [R, 4] inside their pictures: an annotation may reach beyond its picture."""
        sizes_wh = [(self.pictures[int(each)].width, self.pictures[int(each)].height) for each in self.picture_id[rows]]
        limits = np.array(sizes_wh, np.float64).reshape(-1, 2)
        return np.clip(self.boxes_xyxy[rows], 0, np.hstack([limits, limits]))


def rows_by(key: Ints) -> dict[int, Ints]:
    """For each value of `key` [N] the rows that have it, in order."""
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
        ResultsError: the file cannot be read, or an entry is not as COCO has it.
    """
    try:
        found = _Annotations.model_validate_json(path.read_bytes())
    except OSError as exc:
        raise ResultsError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except ValidationError as exc:
        raise ResultsError(f"{path}: {first_fault(exc)}") from exc
    pictures = {picture.id: picture for picture in found.images}
    categories = {category.id: category.name for category in found.categories}
    for item in found.annotations:
        if item.image_id not in pictures:
            raise ResultsError(f"{path}: annotation {item.id} is of image {item.image_id}, which the file has not")
        if item.category_id not in categories:
            raise ResultsError(f"{path}: annotation {item.id} has category_id {item.category_id}, which is not listed")
    return GroundTruth(
        path=path,
        pictures=pictures,
        categories=categories,
        picture_id=np.array([item.image_id for item in found.annotations], np.int64),
        category_id=np.array([item.category_id for item in found.annotations], np.int64),
        boxes_xyxy=boxes_of([item.bbox for item in found.annotations]),
        crowd=np.array([item.iscrowd for item in found.annotations], np.bool_),
    )
