"""Asks what missing annotations cost Pearson: python docs/results/completed.py CANDIDATES OTHERS ANN, JSON files.

CANDIDATES and OTHERS are of two detectors that were trained from different seeds, as `dirdet evaluate --candidates`
wrote them. What the other one detects with a score above a threshold, away from all annotated objects (IoU below 0.3),
counts as an object too. Prints the Pearson correlation of iou and true IoU over distinct boxes, before and after.
"""

import sys
from pathlib import Path

import numpy as np

from dirdet.quality.arrays import Floats
from dirdet.quality.correlation import pearson
from dirdet.quality.detections_file import Results, read_results
from dirdet.quality.ground_truth import read_ground_truth
from dirdet.quality.overlap import overlaps

SCORES = (0.5, 0.7, 0.9)
APART = 0.3


def main(candidates: Path, others: Path, annotations: Path) -> None:
    """Prints a row for each threshold."""
    truth = read_ground_truth(annotations)
    own, other = read_results(candidates, truth), read_results(others, truth)
    print("| objects | added | mean IoU | Pearson |\n|---|---|---|---|")
    for score in (None, *SCORES):
        added, said, true = 0, [], []
        for picture_id in truth.pictures:
            objects = truth.boxes_xyxy[truth.rows_on(picture_id)]
            before = len(objects)
            if score is not None:
                objects = _completed(objects, other, picture_id, score)
            added += len(objects) - before
            rows = np.flatnonzero(own.picture_id == picture_id)
            boxes, first = np.unique(own.boxes_xyxy[rows], axis=0, return_index=True)
            said.append(own.predictions["iou"][rows[first]])
            true.append(_best(boxes, objects))
        iou, ious = np.concatenate(true), np.concatenate(said)
        title = "annotated" if score is None else f"and what another detector gives above {score}"
        print(f"| {title} | {added} | {iou.mean():.3f} | {pearson(ious, iou):.3f} |")


def _completed(objects: Floats, other: Results, picture_id: int, score: float) -> Floats:
    rows = np.flatnonzero((other.picture_id == picture_id) & other.kept & (other.predictions["score"] > score))
    for row in rows[np.argsort(-other.predictions["score"][rows], kind="stable")]:
        box = other.boxes_xyxy[row : row + 1]
        if _best(box, objects)[0] < APART:
            objects = np.concatenate([objects, box])
    return objects


def _best(boxes: Floats, objects: Floats) -> Floats:
    return overlaps(boxes, objects).iou.max(axis=1) if len(objects) else np.zeros(len(boxes))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
