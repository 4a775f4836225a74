"""Compares NMS per class with NMS over all classes: python docs/results/nms_over_classes.py ANN THRESHOLD FILE ...

Each FILE is what `dirdet detect --json --score-threshold 0.05 --nms ...` wrote about the pictures of ANN, a COCO JSON.
AP counts all detections. The other columns count those above THRESHOLD, the detector's default: the part that is right,
the part of the objects that is found, and F1. The last is the part that shares its place, by an IoU above 0.5, with a
more confident box of another class.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from dirdet.detection.ranking import iou_with
from dirdet.quality.arrays import Bools
from dirdet.quality.average_precision import average_precisions, coco_objects
from dirdet.quality.detections_file import Results, read_results
from dirdet.quality.ground_truth import GroundTruth, read_ground_truth
from dirdet.quality.true_iou import judge

COLUMNS = ("AP", "AP50", "AP75", "AP_agnostic")
PLACE_IOU = 0.5


def at_threshold(results: Results, truth: GroundTruth, threshold: float) -> list[float]:
    """Right, found, F1, and shared places a hundred boxes, all in percent."""
    judged = judge(results, truth)
    rows = results.kept & ~judged.ignored & (results.predictions["score"] > threshold)
    right = int((judged.correct_iou[rows] > 0).sum())
    objects = int((~truth.crowd).sum())
    shares = right / max(1, int(rows.sum())), right / objects, 2 * right / (int(rows.sum()) + objects)
    return [100 * each for each in (*shares, shared_places(results, rows) / max(1, int(rows.sum())))]


def shared_places(results: Results, rows: Bools) -> int:
    """How many boxes overlap a more confident one of another class."""
    by_picture: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(rows):
        by_picture[int(results.picture_id[row])].append(int(row))
    shared = 0
    for members in by_picture.values():
        ordered = sorted(members, key=lambda row: -results.predictions["confidence"][row])
        for place, row in enumerate(ordered):
            better = [each for each in ordered[:place] if results.category_id[each] != results.category_id[row]]
            ious = iou_with(results.boxes_xyxy[row], results.boxes_xyxy[better])
            shared += bool(len(better) and ious.max() > PLACE_IOU)
    return shared


def main(ann: Path, threshold: float, files: list[Path]) -> None:
    """Prints a row for each file."""
    truth = read_ground_truth(ann)
    objects = coco_objects(ann)
    print("| detections | " + " | ".join(COLUMNS) + " | right | found | F1 | share a place |")
    print("|---" * (len(COLUMNS) + 5) + "|")
    for file in files:
        results = read_results(file, truth)
        figures = average_precisions(objects, results.to_coco(), results.looked_at)
        cells = [f"{figures[column]:.2f}" for column in COLUMNS]
        shares = [f"{each:.1f}%" for each in at_threshold(results, truth, threshold)]
        print(f"| {file.stem} | " + " | ".join([*cells, *shares]) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
