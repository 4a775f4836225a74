import math

import pytest
import torch

from dirdet_training.mm.metric import RankingMetric
from dirdet_training.ranking import MissingHeadError
from dirdet_training.suppression import SUPPRESSIONS

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
    return metric.compute_metrics(metric.results)


def test_every_nms_is_measured_under_its_name(data_set):
    confident = (1.0, 0.1)
    figures = measure(
        data_set, SUPPRESSIONS, ious=confident, single_ious=confident, rank_scores=confident, fitness=confident
    )
    for name in SUPPRESSIONS:
        assert 0 <= figures[f"{name}/AP"] <= figures[f"{name}/AP50"] <= 100
    for name in ("dir", "oracle", "single", "rank_nms", "fitness_nms", "iou_nms"):
        assert figures[f"{name}/AP"] > figures["score/AP"] + 10, "who knows the better box keeps it"
    for column in ("iou", "single_ious", "rank_scores", "fitness"):
        assert figures[f"pearson/{column}"] > 0.9
    assert figures["pearson/score"] < -0.9


def test_a_plain_detector_has_no_figures_of_heads_it_lacks(data_set):
    figures = measure(data_set, ["score", "soft_nms_linear"])
    assert math.isnan(figures["pearson/iou"])
    assert "pearson/fitness" not in figures
    with pytest.raises(MissingHeadError, match="fitness_nms"):
        measure(data_set, ["fitness_nms"])
