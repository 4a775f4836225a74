"""The measures of a collected split: AP under one NMS, and correlations of all predictions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dirdet.quality import pearson
from dirdet.quality.average_precision import average_precisions, resampled_precisions
from dirdet_training.mm.metric import PEARSON_MIN_IOU, PEARSON_MIN_SCORE
from dirdet_training.nms.ranks import Candidates
from dirdet_training.nms.suppression import Kept
from dirdet_training.rivals.tuning import Trial
from dirdet_training.study.collected import Collected
from dirdet_training.study.ledger import Measured

# Enough samples for a standard deviation with an error of about a twentieth.
SAMPLES = 200


def kept_by(candidates: Candidates, trial: Trial, max_detections: int) -> Kept:
    """Applies a trial's NMS to one picture and returns the best `max_detections`."""
    return trial.suppression(candidates, trial.iou_threshold).first(max_detections)


@dataclass(frozen=True)
class Ranked:
    """A checkpoint's candidates under one NMS.

    Attributes:
        collected: the candidates of one checkpoint.
        trial: the NMS and its threshold.
        max_detections: the most detections kept in a picture.
    """

    collected: Collected
    trial: Trial
    max_detections: int

    def detections(self) -> list[dict[str, Any]]:
        """Returns the kept detections as COCO results.

        Raises:
            MissingHeadError: the detector does not predict a value that the NMS ranks by.
        """
        found: list[dict[str, Any]] = []
        for picture_id, candidates in zip(self.collected.picture_ids, self.collected.candidates, strict=True):
            kept = kept_by(candidates, self.trial, self.max_detections)
            boxes_xywh = kept.boxes_of(candidates).double().clone()  # [K, 4]
            boxes_xywh[:, 2:] -= boxes_xywh[:, :2]
            columns = (boxes_xywh.tolist(), kept.confidences.tolist(), candidates.class_ids[kept.indices].tolist())
            categories = self.collected.category_ids
            found += [
                {"image_id": picture_id, "category_id": categories[class_id], "bbox": box, "score": score}
                for box, score, class_id in zip(*columns, strict=True)
            ]
        return found


def precisions(ranked: Ranked, objects: Any) -> Measured:  # noqa: ANN401
    """Computes AP and its parts in percent, under the names of `average_precisions`.

    Args:
        ranked: the ranked candidates to measure.
        objects: the split's ground truth, a `faster_coco_eval.COCO`.

    Raises:
        MissingHeadError: the detector does not predict a value that the NMS ranks by.
    """
    return average_precisions(objects, ranked.detections(), list(ranked.collected.picture_ids))


def spread_of_gain(ranked: Ranked, over: Ranked, objects: Any) -> Measured:  # noqa: ANN401
    """Computes the standard deviation over pictures of gains in AP, AP75, AP_agnostic: a paired bootstrap of `SAMPLES`.

    It covers the variation over other pictures of the same kind for these checkpoints, not that over other trainings.

    Args:
        ranked: the ranking whose gain is measured.
        over: the ranking that it is compared with, on the same pictures.
        objects: the split's ground truth, a `faster_coco_eval.COCO`.
    """
    pictures = sorted(ranked.collected.picture_ids)
    drawn = np.random.default_rng(0).integers(0, len(pictures), (SAMPLES, len(pictures)))
    found, other = (resampled_precisions(objects, one.detections(), pictures, drawn) for one in (ranked, over))
    return {name: float(np.std(found[name] - other[name], ddof=1)) for name in found}


def predictions(candidates: Candidates) -> dict[str, torch.Tensor]:
    """Returns all predictions of the candidates' fit, [N] each: score, ious and every judgement."""
    said = {"score": candidates.scores, **candidates.judgements}
    return said if candidates.ious is None else said | {"ious": candidates.ious}


def correlated_pairs(collected: Collected, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns a prediction and the true IoU, [P] each, of the boxes of Figure 4.

    These are the refined boxes before NMS with score above 0.05 whose best IoU with an object is at least 0.5.
    """
    said: list[torch.Tensor] = []
    true: list[torch.Tensor] = []
    for candidates in collected.candidates:
        ious = candidates.true_ious(same_class=False)
        chosen = (ious >= PEARSON_MIN_IOU) & (candidates.scores > PEARSON_MIN_SCORE)
        said.append(predictions(candidates)[name][chosen])
        true.append(ious[chosen])
    if not said:
        return np.zeros(0), np.zeros(0)
    return torch.cat(said).double().numpy(), torch.cat(true).double().numpy()


def correlations(collected: Collected) -> Measured:
    """Computes Pearson of every prediction and the true IoU by name, and the number of boxes behind them as `boxes`."""
    names = predictions(collected.candidates[0]) if collected.candidates else ()
    found: Measured = {}
    for name in names:
        said, true = correlated_pairs(collected, name)
        found[name] = pearson(said, true)
        found["boxes"] = float(len(true))
    return found
