"""What MMDetection makes of the segmentation of each annotation when a config trains masks."""

import enum
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from dirdet.detection.rle import Rle
from dirdet_training.annotations.boxes import Floats
from dirdet_training.annotations.records import json_bytes, read_whole


class Segmentation(enum.IntEnum):
    """What becomes of an object with this segmentation."""

    READ = 0
    ABSENT = 1
    """There is none, and MMDetection fails on it."""
    UNREADABLE = 2
    """MMDetection fails on it, or pycocotools reads memory that is not its own."""
    IGNORED = 3
    """Fewer than three points, or not the form that the config reads: MMDetection ignores the object."""


States = npt.NDArray[np.int8]


class _Object(msgspec.Struct, gc=False):
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


class _File(msgspec.Struct):
    annotations: list[_Object]


_POLYGONS = msgspec.json.Decoder(list[list[float]])


def segmentation_states(path: Path, sizes_wh: Floats, *, polygons_alone: bool = False) -> States:
    """Looks at the segmentation of every annotation of a COCO JSON file that `read_coco` has read.

    Args:
        path: the file.
        sizes_wh: pixels, the size of each annotation's picture, nan if unknown: [N, 2].
        polygons_alone: whether the config reads polygons only.

    Returns:
        Members of Segmentation: [N].

    Raises:
        AnnotationError: the file cannot be read.
    """
    try:
        content = msgspec.json.decode(json_bytes(path), type=_File)
        found: list[Any] = [entry.segmentation for entry in content.annotations]
    except (msgspec.DecodeError, UnicodeDecodeError):  # NaN or Infinity
        found = [entry.get("segmentation") for entry in read_whole(path)["annotations"]]
    states = (
        _state_of(value, (size[1], size[0]), polygons_alone)
        for value, size in zip(found, sizes_wh.tolist(), strict=True)
    )
    return np.fromiter(states, np.int8, len(found))


def _state_of(value: Any, size_hw: tuple[float, float], polygons_alone: bool) -> Segmentation:  # noqa: ANN401
    if isinstance(value, msgspec.Raw):
        try:
            polygons = _POLYGONS.decode(value)
        except msgspec.DecodeError:
            value = msgspec.json.decode(value)
        else:
            return _of_polygons(polygons) if polygons else Segmentation.ABSENT
    if not value:
        return Segmentation.ABSENT
    if isinstance(value, list):
        if not all(isinstance(polygon, list) for polygon in value):
            return Segmentation.UNREADABLE
        read = [polygon for polygon in value if _is_read(polygon)]
        numbers = [number for polygon in read for number in polygon]
        finite = all(type(number) in (int, float) and abs(number) < np.inf for number in numbers)
        return _of_polygons(value) if finite else Segmentation.UNREADABLE
    if polygons_alone:
        return Segmentation.IGNORED
    return _of_runs(value, size_hw) if isinstance(value, dict) else Segmentation.UNREADABLE


def _of_polygons(polygons: list[list[Any]]) -> Segmentation:
    return Segmentation.READ if any(map(_is_read, polygons)) else Segmentation.IGNORED


def _is_read(polygon: list[Any]) -> bool:
    return len(polygon) >= 6 and len(polygon) % 2 == 0


def _of_runs(value: dict[str, Any], size_hw: tuple[float, float]) -> Segmentation:
    counts, size = value.get("counts"), value.get("size")
    if size is None or not isinstance(counts, list | str):
        return Segmentation.IGNORED
    if size != list(size_hw):
        return Segmentation.UNREADABLE
    if isinstance(counts, str):
        whole = Rle((int(size_hw[0]), int(size_hw[1])), counts).is_whole
    else:
        whole = all(type(count) is int and count >= 0 for count in counts) and sum(counts) == size[0] * size[1]
    return Segmentation.READ if whole else Segmentation.UNREADABLE
