"""Results and annotations are read as they are meant, or refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dirdet.errors import ResultsError
from dirdet.quality.detections_file import read_results
from dirdet.quality.ground_truth import read_ground_truth

Write = Callable[..., Path]
ENTRY = {"image_id": 1, "category_id": 10, "bbox": [10, 20, 30, 40], "score": 0.81}


def test_an_empty_list(annotations: Write, results: Write) -> None:
    found = read_results(results([]), read_ground_truth(annotations([])))
    assert found.looked_at == [1, 2]
    assert found.boxes_xyxy.shape == (0, 4)
    assert found.to_coco() == []


def test_a_plain_coco_entry(annotations: Write, results: Write) -> None:
    found = read_results(results([ENTRY]), read_ground_truth(annotations([])))
    assert found.boxes_xyxy.tolist() == [[10, 20, 40, 60]]
    assert found.kept.tolist() == [True]
    assert {name: values.tolist() for name, values in found.predictions.items()} == {
        "score": [0.81],
        "confidence": [0.81],
    }
    assert found.to_coco() == [ENTRY]


def test_a_candidate_with_everything(annotations: Write, results: Write) -> None:
    entry = ENTRY | {"purity": 0.5, "integrity": 0.5, "kept": False}
    found = read_results(results([entry]), read_ground_truth(annotations([])))
    assert found.kept.tolist() == [False]
    assert found.predictions["iou"] == pytest.approx([1 / 3])
    assert found.predictions["confidence"] == pytest.approx([(0.81 / 3) ** 0.5])


def answer(*images: tuple[str, list[dict[str, Any]] | None]) -> dict[str, Any]:
    told: list[dict[str, Any]] = [
        {"name": name} | ({"error": {}} if found is None else {"detections": found}) for name, found in images
    ]
    return {"detector": {"name": "any"}, "images": told}


def test_an_answer_is_of_the_pictures_it_names(annotations: Write, results: Write) -> None:
    box = {"box": [10, 20, 40, 60], "category_id": 20, "score": 0.5, "iou": None, "confidence": 0.5, "outer_box": None}
    given = answer(("/elsewhere/split/2.png", [box]), ("1.png", None))
    found = read_results(results(given), read_ground_truth(annotations([])))
    assert found.looked_at == [2]
    assert found.picture_id.tolist() == [2]
    assert found.boxes_xyxy.tolist() == [[10, 20, 40, 60]]
    assert set(found.predictions) == {"score", "confidence"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([ENTRY | {"image_id": 7}], r"entry 0 is of image 7"),
        ([ENTRY | {"category_id": 7}], r"entry 0 has category_id 7; .* has 10, 20, 30"),
        ([ENTRY, ENTRY | {"score": 1.5}], r"1\.score: .*less than or equal to 1, found 1\.5"),
        ([ENTRY | {"bbox": [1, 2, 3]}], r"0\.bbox"),
        ([ENTRY, ENTRY | {"iou": 0.5}], "entry 0 has no iou, though others have"),
        (answer(("3.png", [])), r"no picture named '3\.png'"),
        (answer(("1.png", []), ("split/1.png", [])), "occurs twice"),
        ("text", "should be a valid array"),
        (None, "should be a valid array"),
    ],
)
def test_what_is_wrong_is_named(content: Any, expected: str, annotations: Write, results: Write) -> None:
    truth = read_ground_truth(annotations([]))
    with pytest.raises(ResultsError, match=expected):
        read_results(results(content), truth)


def test_a_file_that_is_not_there(annotations: Write, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"none\.json cannot be read"):
        read_results(tmp_path / "none.json", read_ground_truth(annotations([])))
    with pytest.raises(ResultsError, match=r"none\.json cannot be read"):
        read_ground_truth(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("objects", "expected"),
    [([(9, 10, 0, 0, 1, 1)], "is of image 9"), ([(1, 7, 0, 0, 1, 1)], "category_id 7, which is not in the file")],
)
def test_annotations_that_contradict_themselves(objects: Any, expected: str, annotations: Write) -> None:
    with pytest.raises(ResultsError, match=expected):
        read_ground_truth(annotations(objects))


def test_objects_end_where_their_picture_ends(annotations: Write) -> None:
    truth = read_ground_truth(annotations([(1, 10, 300, 200, 50, 100)]))
    assert truth.boxes_xyxy.tolist() == [[300, 200, 350, 300]]
    assert truth.visible_xyxy(np.array([0])).tolist() == [[300, 200, 320, 256]]
