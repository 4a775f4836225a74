"""A split with objects and noisy detections of them, as files; how the noise is told is known."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dirdet.quality.arrays import Floats

Write = Callable[..., Path]
PICTURE_WH = (320, 256)


@pytest.fixture
def annotations(tmp_path: Path) -> Write:
    """Writes COCO JSON with objects (picture, category, x, y, width, height); categories 10, 20, 30."""

    def write(objects: list[tuple[float, ...]], *, pictures: int = 2, name: str = "objects.json") -> Path:
        content = {
            "images": [
                {"id": number, "file_name": f"split/{number}.png", "width": PICTURE_WH[0], "height": PICTURE_WH[1]}
                for number in range(1, pictures + 1)
            ],
            "categories": [
                {"id": 10 * (number + 1), "name": colour} for number, colour in enumerate(("red", "green", "blue"))
            ],
            "annotations": [
                {"id": number + 1, "image_id": picture, "category_id": category, "bbox": box,
                 "area": box[2] * box[3], "iscrowd": 0}
                for number, (picture, category, *box) in enumerate(objects)
            ],
        }  # fmt: skip
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture
def results(tmp_path: Path) -> Write:
    """Writes any JSON as a results file."""

    def write(content: Any, name: str = "results.json") -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture
def noisy_split(annotations: Write, results: Write) -> Callable[[int], tuple[Path, Path]]:
    """Annotations and detections of a detector that says too much: its score is the root of the truth.

    In the pictures' corners it sees things that are not there, just so often that `score ** 2` is the chance to be
    right. Its iou is likewise the root of the true IoU, and anything where there is no object.
    """

    def make(seed: int) -> tuple[Path, Path]:
        generator = np.random.default_rng(seed)
        objects: list[tuple[float, ...]] = []
        entries: list[dict[str, Any]] = []
        for picture in range(1, 601):
            chance = generator.uniform(0.1, 1)
            x, y = generator.uniform(100, 150, 2)
            width, height = generator.uniform(30, 80, 2)
            objects.append((picture, 10, x, y, width, height))
            noise = generator.normal(0, 0.06, 4) * (width, height, width, height)
            box = np.array([x, y, width, height], np.float64) + noise
            if generator.random() >= chance:
                box[:2] = generator.uniform(0, 5, 2)
            iou = _iou(box, np.array([x, y, width, height], np.float64))
            told = iou**0.5 if iou else generator.uniform(0.8, 1)
            entries.append(
                {"image_id": picture, "category_id": 10, "bbox": box.tolist(), "score": chance**0.5, "iou": told}
            )  # fmt: skip
        return (
            annotations(objects, pictures=600, name=f"objects{seed}.json"),
            results(entries, f"results{seed}.json"),
        )

    return make


def _iou(one_xywh: Floats, other_xywh: Floats) -> float:
    low = np.maximum(one_xywh[:2], other_xywh[:2])
    high = np.minimum(one_xywh[:2] + one_xywh[2:], other_xywh[:2] + other_xywh[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    return shared / (float(np.prod(one_xywh[2:])) + float(np.prod(other_xywh[2:])) - shared)
