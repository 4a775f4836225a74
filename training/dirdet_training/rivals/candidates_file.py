"""Applies every NMS to candidates from a file, of any detector."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dirdet.quality.detections_file import Results
from dirdet.quality.ground_truth import GroundTruth, rows_by
from dirdet_training.nms.ranks import Candidates, MissingHeadError
from dirdet_training.nms.suppression import Suppression
from dirdet_training.rivals import SUPPRESSIONS


def results_of_each(
    results: Results, truth: GroundTruth, *, nms_iou_threshold: float, max_detections: int
) -> Iterator[tuple[str, Results | None]]:
    """What each NMS keeps of the candidates.

    Args:
        results: all candidates; what is marked as kept does not matter.
        truth: the objects, for the oracle.
        nms_iou_threshold: of every NMS that has one.
        max_detections: most that are kept of a picture.

    Yields:
        Name of the NMS and the kept boxes with their confidences; None if it needs a prediction that the file lacks.
    """
    for name, suppression in SUPPRESSIONS.items():
        try:
            yield name, _kept(suppression, results, truth, nms_iou_threshold, max_detections)
        except MissingHeadError:
            yield name, None


def _kept(suppression: Suppression, results: Results, truth: GroundTruth, iou_threshold: float, most: int) -> Results:
    rows: list[NDArray[np.int64]] = []
    boxes: list[NDArray[np.float64]] = []
    confidences: list[NDArray[np.float64]] = []
    for picture_id, own in rows_by(results.picture_id).items():
        candidates = _candidates(results, truth, picture_id, own)
        kept = suppression(candidates, iou_threshold).first(most)
        rows.append(own[kept.indices.numpy()])
        boxes.append(kept.boxes_of(candidates).double().numpy())
        confidences.append(kept.confidences.double().numpy())
    if not rows:
        return results
    every = np.concatenate(rows)
    found = replace(
        results,
        picture_id=results.picture_id[every],
        category_id=results.category_id[every],
        boxes_xyxy=np.concatenate(boxes),
        kept=np.ones(len(every), np.bool_),
        predictions={name: values[every] for name, values in results.predictions.items()},
    )
    return replace(found, predictions=found.predictions | {"confidence": np.concatenate(confidences)})


def _candidates(results: Results, truth: GroundTruth, picture_id: int, rows: NDArray[np.int64]) -> Candidates:
    objects = truth.rows_on(picture_id)
    objects = objects[~truth.crowd[objects]]

    def column(name: str) -> Tensor | None:
        values = results.predictions.get(name)
        return None if values is None else torch.from_numpy(values[rows]).float()

    return Candidates(
        boxes_xyxy=torch.from_numpy(results.boxes_xyxy[rows]).float(),
        class_ids=torch.from_numpy(results.category_id[rows]),
        scores=torch.from_numpy(results.predictions["score"][rows]).float(),
        ious=column("iou"),
        objects_xyxy=torch.from_numpy(truth.boxes_xyxy[objects]).float(),
        object_class_ids=torch.from_numpy(truth.category_id[objects]),
    )
