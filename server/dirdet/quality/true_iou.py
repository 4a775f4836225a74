"""Compares each box with the true objects."""

from dataclasses import dataclass

import numpy as np

from dirdet.quality.arrays import Bools, Floats, Ints
from dirdet.quality.detections_file import Results
from dirdet.quality.ground_truth import GroundTruth, rows_by
from dirdet.quality.matching import match
from dirdet.quality.overlap import overlaps

# A box with at least this IoU belongs to an object: Figure 4, as this project defines it, and COCO's lowest threshold.
MIN_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Judged:
    """The truth about each of N boxes.

    Attributes:
        object_row: [N], the object of any class that the box overlaps most, crowds left out; -1 without one.
        iou: [N], with that object; 0 without one.
        purity: [N], with the same object.
        integrity: [N], with the same object.
        correct_iou: [N], for kept boxes: IoU with the matched object of the same class (COCO's matching at `MIN_IOU`,
            by confidence), 0 for a false positive.
        ignored: [N], kept boxes on a crowd: neither right nor wrong.
        class_iou: [N], the best IoU with an object of the same class, crowds left out; 0 without one. Unlike
            `correct_iou`, several boxes on one object all have it.
        on_crowd: [N], boxes of which a crowd is at least the half, and no object.
    """

    object_row: Ints
    iou: Floats
    purity: Floats
    integrity: Floats
    correct_iou: Floats
    ignored: Bools
    class_iou: Floats
    on_crowd: Bools


def judge(results: Results, truth: GroundTruth) -> Judged:
    """Compares every box with the objects of its picture."""
    size = len(results.picture_id)
    judged = Judged(
        np.full(size, -1, np.int64),
        *(np.zeros(size) for _ in range(4)),
        ignored=np.zeros(size, np.bool_),
        class_iou=np.zeros(size),
        on_crowd=np.zeros(size, np.bool_),
    )
    for picture_id, rows in rows_by(results.picture_id).items():
        objects = truth.rows_on(picture_id)
        _nearest(judged, rows, objects[~truth.crowd[objects]], results, truth)
        if len(crowds := objects[truth.crowd[objects]]):
            covered = overlaps(results.boxes_xyxy[rows], truth.boxes_xyxy[crowds]).purity.max(axis=1)  # [R]
            judged.on_crowd[rows] = (covered >= MIN_IOU) & (judged.iou[rows] < MIN_IOU)
        kept = rows[results.kept[rows]]
        for class_rows in rows_by(results.category_id[kept]).values():
            _matched(judged, kept[class_rows], objects, results, truth)
    return judged


def _nearest(judged: Judged, rows: Ints, objects: Ints, results: Results, truth: GroundTruth) -> None:
    if not len(objects):
        return
    pairs = overlaps(results.boxes_xyxy[rows], truth.boxes_xyxy[objects])  # [R, O]
    best = np.argmax(pairs.iou, axis=1)  # [R]
    place = (np.arange(len(rows)), best)
    judged.iou[rows], judged.purity[rows] = pairs.iou[place], pairs.purity[place]
    judged.integrity[rows] = pairs.integrity[place]
    judged.object_row[rows] = np.where(judged.iou[rows] > 0, objects[best], -1)
    of_class = results.category_id[rows][:, None] == truth.category_id[objects][None]  # [R, O]
    judged.class_iou[rows] = (pairs.iou * of_class).max(axis=1)


def _matched(judged: Judged, rows: Ints, objects: Ints, results: Results, truth: GroundTruth) -> None:
    """Matches the kept boxes of one class on one picture, given as rows."""
    own = objects[truth.category_id[objects] == results.category_id[rows[0]]]
    found = match(
        results.boxes_xyxy[rows],
        results.predictions["confidence"][rows],
        truth.boxes_xyxy[own],
        truth.crowd[own],
        min_iou=MIN_IOU,
    )
    judged.correct_iou[rows], judged.ignored[rows] = found.iou, found.ignored
