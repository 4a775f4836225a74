# Both take lists and dicts where their code suggests paths.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
import contextlib
import copy
import io
import math
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import coco as reference_coco
from pycocotools.cocoeval import COCOeval as ReferenceEvaluation

from dirdet.quality.average_precision import SIZES, THRESHOLDS, average_precisions, resampled_precisions

BOXES = {1: [(10, 10, 40, 40), (100, 20, 30, 60)], 2: [(5, 5, 120, 120)], 3: []}


def dataset():
    annotations = [
        {"image_id": picture, "category_id": 7 + index, "bbox": list(box), "area": box[2] * box[3], "iscrowd": 0}
        for picture, boxes in BOXES.items()
        for index, box in enumerate(boxes)
    ]
    return {
        "images": [{"id": picture, "width": 200, "height": 200} for picture in BOXES],
        "categories": [{"id": 7, "name": "a"}, {"id": 8, "name": "b"}],
        "annotations": [{"id": number, **item} for number, item in enumerate(annotations, start=1)],
    }


def objects():
    return COCO(dataset())


def detections(*, grow=0.0, category_shift=0):
    return [
        {
            "image_id": picture,
            "category_id": 7 + (index + category_shift) % 2,
            "bbox": [box[0], box[1], box[2] * (1 + grow), box[3]],
            "score": 0.9 - 0.1 * index,
        }
        for picture, boxes in BOXES.items()
        for index, box in enumerate(boxes)
    ]


def test_perfect_boxes_are_worth_100():
    figures = average_precisions(objects(), detections(), [1, 2, 3])
    assert [figures[name] for name in ("AP", "AP50", "AP75", "AP90", "AP_agnostic")] == [100] * 5


def test_boxes_a_quarter_too_wide_are_right_up_to_an_iou_of_four_fifths():
    figures = average_precisions(objects(), detections(grow=0.25), [1, 2, 3])
    assert figures["AP50"] == figures["AP75"] == 100
    assert figures["AP90"] == 0
    assert figures["AP"] == pytest.approx(70)  # seven of the ten thresholds are at most 0.8


def test_wrong_classes_cost_ap_but_not_class_agnostic_ap():
    figures = average_precisions(objects(), detections(category_shift=1), [1, 2, 3])
    assert figures["AP"] == 0
    assert figures["AP_agnostic"] == 100


def test_nothing_found_is_worth_0_where_there_is_an_object():
    figures = average_precisions(objects(), [], [1, 2, 3])
    assert figures["AP"] == figures["AP50"] == figures["AP_agnostic"] == 0
    whole = average_precisions(objects(), detections(), [1, 2, 3])
    assert {name for name, value in figures.items() if math.isnan(value)} == {
        name for name, value in whole.items() if math.isnan(value)
    }


def reference(truth: dict[str, Any], found: list[dict[str, Any]], pictures: list[int], *, use_classes: bool) -> Any:
    """pycocotools' evaluation."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = reference_coco.COCO()
        coco.dataset = copy.deepcopy(truth)
        coco.createIndex()
        evaluation: Any = ReferenceEvaluation(coco, coco.loadRes(copy.deepcopy(found)), "bbox")
        evaluation.params.imgIds = pictures
        evaluation.params.useCats = int(use_classes)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def test_the_figures_are_those_of_pycocotools_summary():
    found = [*detections(grow=0.1), {"image_id": 3, "category_id": 7, "bbox": [0, 0, 50, 50], "score": 0.95}]
    evaluation = reference(dataset(), found, [1, 2, 3], use_classes=True)
    figures = average_precisions(objects(), found, [1, 2, 3])
    names = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
    for name, expected in zip(names, evaluation.stats[:6] * 100, strict=True):
        if expected >= 0:  # pycocotools says -1 where there is no such object
            assert figures[name] == pytest.approx(expected, rel=1e-12), name


@given(seed=st.integers(0, 2**32 - 1), objects_each=st.integers(0, 6), found_each=st.integers(0, 110))
def test_it_agrees_with_pycocotools_to_the_last_digit_that_it_prints(seed: int, objects_each: int, found_each: int):
    """Crowds, ties, boxes without an area, pictures that were not looked at, more than 100 detections."""
    truth, found = random_case(np.random.default_rng(seed), objects_each, found_each)
    looked_at = [1, 2, 3]
    figures = average_precisions(COCO(copy.deepcopy(truth)), copy.deepcopy(found), looked_at)
    if not found:
        return  # pycocotools cannot load that
    per_class = reference(truth, found, looked_at, use_classes=True).eval["precision"]
    agnostic = reference(truth, found, looked_at, use_classes=False).eval["precision"]
    expected = {
        "AP": mean(per_class[..., 0, -1]),
        **{name: mean(per_class[round((iou - 0.5) / 0.05), ..., 0, -1]) for name, iou in THRESHOLDS.items()},
        **{f"AP_{size}": mean(per_class[..., number, -1]) for number, size in enumerate(SIZES, start=1)},
        "AP_agnostic": mean(agnostic[..., 0, -1]),
        **{
            f"{name}_agnostic": mean(agnostic[round((iou - 0.5) / 0.05), ..., 0, -1])
            for name, iou in THRESHOLDS.items()
        },
    }
    np.testing.assert_allclose(list(figures.values()), [expected[name] for name in figures], rtol=1e-12)


def test_a_sample_of_each_picture_once_is_the_whole():
    truth, found = random_case(np.random.default_rng(0), 5, 20)
    for place, each in enumerate(found):
        each["score"] = place * 7 % 80 / 80  # no ties: the order of the pictures would break them
    whole = average_precisions(COCO(copy.deepcopy(truth)), copy.deepcopy(found), [1, 2, 3, 4])
    drawn = np.array([[0, 1, 2, 3], [3, 2, 1, 0], [1, 1, 1, 1]])
    samples = resampled_precisions(COCO(copy.deepcopy(truth)), copy.deepcopy(found), [1, 2, 3, 4], drawn)
    alone = average_precisions(COCO(copy.deepcopy(truth)), copy.deepcopy(found), [2])
    for name, values in samples.items():
        assert values[:2] == pytest.approx([whole[name]] * 2, rel=1e-12)
        assert values[2] == pytest.approx(alone[name], rel=0.1)  # four times itself, and all its scores are ties


def mean(precision: Any) -> float:
    measured = precision[precision > -1]
    return float(measured.mean() * 100) if measured.size else math.nan


def random_case(
    rng: np.random.Generator, objects_each: int, found_each: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Objects of three classes on four pictures, and detections near them."""
    truth = dataset() | {"annotations": []}
    truth["images"] = [{"id": picture, "width": 200, "height": 200} for picture in (1, 2, 3, 4)]
    found: list[dict[str, Any]] = []
    for picture in (1, 2, 3, 4):
        boxes = rng.integers(0, 90, (max(objects_each, 1), 4)).astype(float)
        for box in boxes[:objects_each]:
            truth["annotations"].append(
                {
                    "id": len(truth["annotations"]) + 1,
                    "image_id": picture,
                    "category_id": int(rng.integers(7, 9)),
                    "bbox": box.tolist(),
                    "area": float(box[2] * box[3] * rng.uniform(0.5, 1)),
                    "iscrowd": int(rng.random() < 0.15),
                }
            )
        for _ in range(found_each):
            near = boxes[rng.integers(len(boxes))] + rng.integers(-3, 4, 4)
            found.append(
                {
                    "image_id": picture,
                    "category_id": int(rng.integers(7, 9)),
                    "bbox": near.clip(0).tolist(),
                    "score": float(rng.integers(1, 30) / 30),
                }
            )
    return truth, found
