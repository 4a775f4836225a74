"""Synthetic candidates whose figures are known: every object is found twice, exactly and half as wide."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dirdet_training.nms.ranks import Candidates
from dirdet_training.study.collected import Collected, completed, store
from dirdet_training.study.measurements import Measurer, Run

SIDE = 40.0
PICTURES = 3


def two_boxes(said: dict[str, tuple[float, float]], *, score: tuple[float, float] = (0.6, 0.9)) -> Candidates:
    """One object of class 0; what is said of the exact box and of the one half as wide."""
    exact = [10.0, 10.0, 10.0 + SIDE, 10.0 + SIDE]
    # An IoU of 0.55: enough to be well placed and to be suppressed at 0.5.
    narrow = [10.0, 10.0, 10.0 + 0.55 * SIDE, 10.0 + SIDE]
    judgements = {name: torch.tensor(values) for name, values in said.items()}
    return Candidates(
        boxes_xyxy=torch.tensor([exact, narrow]),
        class_ids=torch.zeros(2, dtype=torch.long),
        scores=torch.tensor(score),
        ious=judgements.get("dir/refined/ious"),
        objects_xyxy=torch.tensor([exact]),
        object_class_ids=torch.zeros(1, dtype=torch.long),
        proposals_xyxy=torch.tensor([narrow, narrow]),
        judgements=judgements,
    )


KNOWING = (0.9, 0.1)
MISTAKEN = (0.1, 0.9)
EVERYTHING = {
    "dir/refined/ious": KNOWING,
    "dir/refined/purity": (0.9, 0.8),
    "dir/refined/integrity": (0.9, 0.1),
    "dir/proposal/ious": MISTAKEN,
    "foresight/proposal/ious": MISTAKEN,
    "foresight/refined/ious": KNOWING,
    "foresight_iou/proposal/ious": MISTAKEN,
    "iou/refined/ious": KNOWING,
    "iou_3x/refined/ious": KNOWING,
}


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    """The pictures' objects as COCO JSON; category 7 is class 0."""
    box = [10.0, 10.0, SIDE, SIDE]
    path = tmp_path / "objects.json"
    numbers = range(1, PICTURES + 1)
    objects = [{"id": n, "image_id": n, "category_id": 7, "bbox": box, "area": SIDE**2, "iscrowd": 0} for n in numbers]
    pictures = [{"id": n, "file_name": f"{n}.png", "width": 96, "height": 64} for n in numbers]
    path.write_text(
        json.dumps({"images": pictures, "annotations": objects, "categories": [{"id": 7, "name": "thing"}]})
    )
    return path


@pytest.fixture
def run_of(tmp_path: Path) -> Callable[..., Run]:
    """Stores candidates of a made-up checkpoint."""

    def make(role: str, seed: int, said: dict[str, tuple[float, float]], **options: tuple[float, float]) -> Run:
        path = tmp_path / "candidates" / f"{role}-{seed}.npz"
        pictures = tuple(two_boxes(said, **options) for _ in range(PICTURES))
        store(path, Collected((1, 2, 3), pictures, (7,)))
        return Run(role, "config", seed, tmp_path / "iter_1.pth", {"tune": path, "report": path})

    return make


@pytest.fixture
def measurer(tmp_path: Path, annotations: Path) -> Measurer:
    return Measurer(tmp_path / "figures", {"tune": annotations, "report": annotations})


@pytest.fixture
def no_candidates() -> Candidates:
    empty = torch.zeros(0)
    return completed(
        Candidates(
            boxes_xyxy=torch.zeros(0, 4),
            class_ids=torch.zeros(0, dtype=torch.long),
            scores=empty,
            ious=empty,
            objects_xyxy=torch.zeros(0, 4),
            object_class_ids=torch.zeros(0, dtype=torch.long),
            judgements={"dir/refined/purity": empty, "dir/refined/integrity": empty},
        )
    )


@pytest.fixture
def everything() -> dict[str, tuple[float, float]]:
    """What judges say where all kinds of them are there: hindsight knows the better box, foresight does not."""
    return dict(EVERYTHING)


@pytest.fixture
def picture() -> Callable[..., Candidates]:
    return two_boxes
