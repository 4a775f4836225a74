import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from dirdet_training.mm.fit_measures import distinct_boxes, fit_figures, joined
from dirdet_training.mm.metric import RankingMetric
from dirdet_training.nms.ranks import Candidates, MissingHeadError
from dirdet_training.rivals import COLUMNS, SUPPRESSIONS

CLASSES = ("red", "blue")


def measure(data_set, ranks, **columns):
    """The figures of candidates that are every object twice: exactly, and half as wide."""
    metric = RankingMetric(ann_file=str(data_set / "objects.json"), ranks=list(ranks))
    metric.dataset_meta = {"classes": CLASSES}
    picture_ids = metric.coco.getImgIds()
    for picture_id in picture_ids:
        objects = metric.coco.loadAnns(metric.coco.getAnnIds(imgIds=[picture_id]))
        boxes = torch.tensor([[x, y, x + width, y + height] for x, y, width, height in (o["bbox"] for o in objects)])
        boxes, class_ids = boxes.float(), torch.tensor([o["category_id"] // 10 - 1 for o in objects])
        narrow = boxes.clone()
        narrow[:, 2] = (boxes[:, 0] + boxes[:, 2]) / 2 + 2
        found = {
            "bboxes": torch.cat([boxes, narrow]),
            "labels": class_ids.repeat(2),
            # The narrow boxes look better to the classifier.
            "scores": torch.cat([torch.full((len(boxes),), 0.6), torch.full((len(boxes),), 0.9)]),
        }
        for name, (exact, half) in columns.items():
            found[name] = torch.cat([torch.full((len(boxes),), exact), torch.full((len(boxes),), half)])
        metric.process({}, [{"img_id": picture_id, "pred_instances": found}])
    figures = metric.evaluate(len(picture_ids))
    return {name.removeprefix("ranking/"): value for name, value in figures.items()}


def test_every_nms_is_measured_under_its_name(data_set):
    confident = (1.0, 0.1)
    figures = measure(data_set, SUPPRESSIONS, **dict.fromkeys(("ious", *COLUMNS), confident))
    for name in SUPPRESSIONS:
        assert 0 <= figures[f"{name}/AP"] <= figures[f"{name}/AP50"] <= 100
    for name in ("dir", "oracle", "single", "rank_nms", "fitness_nms", "iou_nms"):
        assert figures[f"{name}/AP"] > figures["score/AP"] + 10, "who knows the better box keeps it"
    for column in ("iou", *COLUMNS):
        assert figures[f"pearson/{column}"] > 0.9
    assert figures["pearson/score"] < -0.9
    assert figures["distinct/iou/pearson"] > 0.9 > -0.9 > figures["distinct/score/pearson"]
    assert figures["distinct/iou/mean"] == pytest.approx(0.55)
    assert figures["distinct/iou/lowest"] == pytest.approx(0.1)


def test_a_plain_detector_has_no_figures_of_heads_it_lacks(data_set):
    figures = measure(data_set, ["score", "soft_nms_linear"])
    assert math.isnan(figures["pearson/iou"])
    assert "pearson/fitness" not in figures
    assert "distinct/iou/mean" not in figures
    with pytest.raises(MissingHeadError, match="fitness_nms"):
        measure(data_set, ["fitness_nms"])


def test_a_box_of_several_classes_counts_once():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60]])
    found = Candidates(
        boxes_xyxy=boxes,
        class_ids=torch.tensor([0, 1, 0, 0]),
        scores=torch.tensor([0.2, 0.7, 0.4, 0.1]),
        ious=torch.tensor([0.9, 0.9, 0.5, 0.05]),
        objects_xyxy=boxes[:1],
        object_class_ids=torch.tensor([0]),
    )
    distinct = distinct_boxes(found)
    rows = distinct.rows[distinct.rows[:, 0].argsort()]
    np.testing.assert_allclose(rows, [[0, 0.1, 0.05], [0.5, 0.4, 0.5], [1, 0.7, 0.9]], atol=1e-6)
    assert sorted(distinct.objects) == [-1, 0, 0]
    figures = fit_figures(distinct)
    assert (figures["boxes"], figures["fitting"]) == (3, 2)
    assert figures["iou/auroc_fitting"] == 1
    nothing = torch.zeros(0)
    none = replace(found, boxes_xyxy=nothing.view(0, 4), class_ids=nothing.long(), scores=nothing, ious=nothing)
    assert distinct_boxes(none).rows.shape == (0, 3)
    figures = fit_figures(joined([distinct_boxes(none)]))
    assert math.isnan(figures["true/mean"])
    assert "iou/mean" not in figures
    no_object = replace(found, objects_xyxy=nothing.view(0, 4), object_class_ids=nothing.long())
    assert math.isnan(fit_figures(distinct_boxes(no_object))["iou/regret"])


def test_choosing_by_the_score_is_told_from_choosing_by_the_iou():
    # On each of two pictures one object, a good box with a low score, a bad box with a high one, and background.
    found = Candidates(
        boxes_xyxy=torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 4], [50, 50, 60, 60]]),
        class_ids=torch.tensor([0, 0, 0]),
        scores=torch.tensor([0.2, 0.7, 0.9]),
        ious=torch.tensor([0.9, 0.5, 0.95]),
        objects_xyxy=torch.tensor([[0.0, 0, 10, 10]]),
        object_class_ids=torch.tensor([0]),
    )
    equal = replace(found, scores=torch.tensor([0.7, 0.7, 0.9]))
    figures = fit_figures(joined([distinct_boxes(found), distinct_boxes(equal)]))
    assert figures["score/regret"] == pytest.approx((0.6 + 0.3) / 2), "of equal boxes either may be chosen"
    assert figures["iou/regret"] == 0
    assert (figures["score/kendall"], figures["iou/kendall"]) == (-1, 1)
    assert figures["score/regret_fitting"] == 0, "only the good box is left"


def test_nms_over_classes_compares_all_boxes():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9]])
    column = torch.tensor([0.9, 0.8])
    within = Candidates(boxes, torch.tensor([0, 1]), column, column, boxes[:1], torch.tensor([0]))
    for name in ("score", "dir", "dir_voting", "clusters", "iou_nms"):
        assert len(SUPPRESSIONS[name](within, 0.5).indices) == 2
        assert SUPPRESSIONS[name](replace(within, over_classes=True), 0.5).indices.tolist() == [0]
