# pycocotools takes lists and dicts where its code suggests paths.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
import contextlib
import io
import math

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from dirdet.quality.average_precision import average_precisions

BOXES = {1: [(10, 10, 40, 40), (100, 20, 30, 60)], 2: [(5, 5, 120, 120)], 3: []}


def objects():
    coco = COCO()
    annotations = [
        {"image_id": picture, "category_id": 7 + index, "bbox": list(box), "area": box[2] * box[3], "iscrowd": 0}
        for picture, boxes in BOXES.items()
        for index, box in enumerate(boxes)
    ]
    coco.dataset = {
        "images": [{"id": picture, "width": 200, "height": 200} for picture in BOXES],
        "categories": [{"id": 7, "name": "a"}, {"id": 8, "name": "b"}],
        "annotations": [{"id": number, **item} for number, item in enumerate(annotations, start=1)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


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


def test_the_figures_are_those_of_pycocotools_summary():
    truth = objects()
    found = [*detections(grow=0.1), {"image_id": 3, "category_id": 7, "bbox": [0, 0, 50, 50], "score": 0.95}]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    figures = average_precisions(truth, found, [1, 2, 3])
    names = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
    for name, expected in zip(names, evaluation.stats[:6] * 100, strict=True):
        if expected >= 0:  # pycocotools says -1 where there is no such object
            assert figures[name] == pytest.approx(expected), name
