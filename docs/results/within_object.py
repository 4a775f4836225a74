"""Shows what a perfect iou could gain: python docs/results/within_object.py CANDIDATES.json ANNOTATIONS.json.

CANDIDATES is what `dirdet evaluate --candidates` wrote. In the first table the true IoU, with an object of any class,
takes over a step: the choice of a cluster's box, the order of the answer, NMS. The second says what the wrong
detections are. The third has the part of them below the threshold that a hundredth of the right ones is below.
It has it by score, iou, confidence and the true IoU, and by boosted trees that know score, iou, purity, integrity,
class and size (five-fold by picture).
"""

# scipy, scikit-learn and JSON are weakly typed.
# pyright: basic

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from report_by import COLUMNS, MAX_DETECTIONS, Picture, read
from sklearn.ensemble import HistGradientBoostingClassifier

from dirdet.quality.arrays import Bools, Floats
from dirdet.quality.average_precision import average_precisions, coco_objects
from dirdet.quality.detections_file import Results, read_results
from dirdet.quality.ground_truth import read_ground_truth
from dirdet.quality.true_iou import MIN_IOU, judge
from dirdet_training.nms import Representative, Selection, Voting

ON_NONE, LOST, FOLDS = 0.1, 0.01, 5
SCORE = Selection(cluster_by="score", report_by="score")
CLUSTERS = Selection(cluster_by="score", representative=Representative(), voting=Voting())
BEST_BOX = replace(SCORE, representative=Representative(iou_weight=1.0, member_iou=MIN_IOU))
# Title, steps, and the iou that they read.
ROWS = (
    ("score", SCORE, "ious"),
    ("clusters, representative, voting", CLUSTERS, "ious"),
    ("the same, report by score", replace(CLUSTERS, report_by="score"), "ious"),
    ("clusters by score; the true IoU chooses the box", BEST_BOX, "true"),
    ("the true IoU orders the answer", replace(SCORE, report_by="confidence"), "true"),
    ("it chooses the box and orders", replace(BEST_BOX, report_by="confidence"), "true"),
    ("it ranks NMS and orders", Selection(), "true"),
)


def main(candidates: Path, annotations: Path) -> None:
    """Prints both tables."""
    objects = coco_objects(annotations)
    pictures = read(candidates, objects)
    print("| ranked by | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for title, selection, iou in ROWS:
        found = [each for number, one in pictures.items() for each in _kept(number, one, selection, one[iou])]
        figures = average_precisions(objects, found, sorted(pictures))
        print(f"| {title} | " + " | ".join(f"{figures[column]:.1f}" for column in COLUMNS) + " |")
    _print_wrong(candidates, annotations)


def _kept(number: int, one: Picture, selection: Selection, ious: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    kept = selection(one["boxes"], one["scores"], ious, one["classes"], iou_threshold=0.5)
    boxes = kept.boxes_xyxy.double().numpy().copy()
    boxes[:, 2:] -= boxes[:, :2]
    rows = zip(boxes.tolist(), kept.confidences.tolist(), one["classes"][kept.indices].tolist(), strict=True)
    return [
        {"image_id": number, "category_id": category, "bbox": box, "score": score}
        for box, score, category in list(rows)[:MAX_DETECTIONS]
    ]


def _print_wrong(candidates: Path, annotations: Path) -> None:
    truth = read_ground_truth(annotations)
    results = read_results(candidates, truth)
    judged = judge(results, truth)
    detected = results.kept & ~judged.ignored
    right, fits = judged.correct_iou > 0, judged.iou >= MIN_IOU
    kinds = {
        "on no object (IoU < 0.1)": judged.iou < ON_NONE,
        "fits badly (0.1 to 0.5)": (judged.iou >= ON_NONE) & ~fits,
        "fits an object that has another box": judged.class_iou >= MIN_IOU,
        "fits an object of another class": fits & (judged.class_iou < MIN_IOU),
    }
    print("\n| wrong detections | part |\n|---|---|")
    for title, kind in kinds.items():
        print(f"| {title} | {np.mean(kind[detected & ~right]):.0%} |")
    predictions = {name: results.predictions[name][detected] for name in ("score", "iou", "confidence")}
    predictions["the true IoU"] = judged.iou[detected]
    predictions["boosted trees"] = _trees(results, detected, right[detected])
    print("\n| at 1% of the right lost, by | drops of the wrong |\n|---|---|")
    for name, values in predictions.items():
        least = np.quantile(values[right[detected]], LOST)
        print(f"| {name} | {np.mean(values[~right[detected]] < least):.0%} |")


def _trees(results: Results, detected: Bools, right: Bools) -> Floats:
    """Probabilities that the detections are right, of trees that have not seen their pictures."""
    boxes = results.boxes_xyxy[detected]
    columns = [results.predictions[name][detected] for name in ("score", "iou", "purity", "integrity")]
    features = np.column_stack([*columns, results.category_id[detected], boxes[:, 2:] - boxes[:, :2]])
    folds = np.unique(results.picture_id[detected], return_inverse=True)[1] % FOLDS
    told = np.zeros(len(right))
    for fold in range(FOLDS):
        trees = HistGradientBoostingClassifier(max_depth=3, max_iter=60, random_state=0)
        trees.fit(features[folds != fold], right[folds != fold])
        told[folds == fold] = trees.predict_proba(features[folds == fold])[:, 1]
    return told


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
