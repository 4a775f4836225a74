"""The file of candidates marks what the detector's own ranked NMS keeps, and what it reports."""

import json

import pytest
import torch

from dirdet_training.mm.candidates_file import CandidatesFile

BOXES = [[0.0, 0, 20, 20], [0, 0, 20, 18], [60, 60, 90, 90]]
SCORES, IOUS = [0.9, 0.5, 0.4], [0.4, 0.95, 0.6]


@pytest.mark.parametrize(
    ("selection", "kept", "confidences"),
    [
        ({}, [False, True, True], [0.6, 0.689202, 0.489898]),
        ({"cluster_by": "score", "report_by": "score"}, [True, False, True], [0.9, 0.689202, 0.4]),
        (
            {"cluster_by": "score", "representative": {}, "voting": {}},
            [False, True, True],
            [0.6, 0.689202, 0.489898],
        ),
        ({"iou_weight": 0.0}, [True, False, True], [0.9, 0.5, 0.4]),
    ],
    ids=["the paper's", "by score", "representative, voting", "no iou"],
)
def test_kept_and_confidence_are_those_of_the_selection(selection, kept, confidences, data_set, tmp_path):
    out = tmp_path / "candidates.json"
    metric = CandidatesFile(
        ann_file=str(data_set / "objects.json"),
        out=str(out),
        selection=selection,
        nms_iou_threshold=0.5,
        max_detections=100,
        nms_over_classes=False,
    )
    metric.dataset_meta = {"classes": ("red", "blue")}
    column = torch.tensor(IOUS)
    found = {
        "bboxes": torch.tensor(BOXES),
        "labels": torch.zeros(3, dtype=torch.long),
        "scores": torch.tensor(SCORES),
        "ious": column,
        "purity": column,
        "integrity": column,
    }
    metric.process({}, [{"img_id": 1, "pred_instances": found}])
    metric.evaluate(1)
    entries = json.loads(out.read_text(encoding="utf-8"))
    assert [each["kept"] for each in entries] == kept
    assert [each["confidence"] for each in entries] == pytest.approx(confidences, abs=1e-6)
    assert [each["bbox"] for each in entries] == [[0, 0, 20, 20], [0, 0, 20, 18], [60, 60, 30, 30]]
