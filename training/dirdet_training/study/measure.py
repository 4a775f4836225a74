"""What a collected split is measured by: AP under one NMS, and correlations of all that was predicted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dirdet.quality import pearson
from dirdet.quality.average_precision import average_precisions, resampled_precisions
from dirdet_training.mm.metric import PEARSON_MIN_IOU, PEARSON_MIN_SCORE
from dirdet_training.ranking import Candidates
from dirdet_training.study.collected import Collected
from dirdet_training.study.ledger import Measured
from dirdet_training.suppression import Kept
from dirdet_training.tuning import Trial

# Enough for a standard deviation to within a twentieth of it.
SAMPLES = 200


def kept_by(candidates: Candidates, trial: Trial, max_detections: int) -> Kept:
    """What a trial's NMS leaves of one picture, the best `max_detections` of it."""
    kept = trial.suppression(candidates, trial.iou_threshold)
    return Kept(kept.indices[:max_detections], kept.confidences[:max_detections])


@dataclass(frozen=True)
class Ranked:
    """A checkpoint's candidates under one NMS.

    Attributes:
        collected: one checkpoint's candidates.
        trial: the NMS and its threshold.
        max_detections: kept a picture.
    """

    collected: Collected
    trial: Trial
    max_detections: int

    def detections(self) -> list[dict[str, Any]]:
        """What is kept, as COCO results.

        Raises:
            MissingHeadError: the detector does not predict what the NMS ranks by.
        """
        found: list[dict[str, Any]] = []
        for picture_id, candidates in zip(self.collected.picture_ids, self.collected.candidates, strict=True):
            kept = kept_by(candidates, self.trial, self.max_detections)
            boxes_xywh = candidates.boxes_xyxy[kept.indices].double()  # [K, 4]
            boxes_xywh[:, 2:] -= boxes_xywh[:, :2]
            columns = (boxes_xywh.tolist(), kept.confidences.tolist(), candidates.class_ids[kept.indices].tolist())
            categories = self.collected.category_ids
            found += [
                {"image_id": picture_id, "category_id": categories[class_id], "bbox": box, "score": score}
                for box, score, class_id in zip(*columns, strict=True)
            ]
        return found


def precisions(ranked: Ranked, objects: Any) -> Measured:  # noqa: ANN401
    """AP and its parts in percent, as `average_precisions` names them.

    Args:
        ranked: what is measured.
        objects: the split's ground truth, a `faster_coco_eval.COCO`.

    Raises:
        MissingHeadError: the detector does not predict what the NMS ranks by.
    """
    return average_precisions(objects, ranked.detections(), list(ranked.collected.picture_ids))


def spread_of_gain(ranked: Ranked, over: Ranked, objects: Any) -> Measured:  # noqa: ANN401
    """Standard deviation over pictures of a gain in AP, AP75 and AP_agnostic: a paired bootstrap of `SAMPLES`.

    It says what other pictures of the kind would give these checkpoints, and nothing of other trainings.

    Args:
        ranked: what gains.
        over: what it is compared with, on the same pictures.
        objects: the split's ground truth, a `faster_coco_eval.COCO`.
    """
    pictures = sorted(ranked.collected.picture_ids)
    drawn = np.random.default_rng(0).integers(0, len(pictures), (SAMPLES, len(pictures)))
    found, other = (resampled_precisions(objects, one.detections(), pictures, drawn) for one in (ranked, over))
    return {name: float(np.std(found[name] - other[name], ddof=1)) for name in found}


def predictions(candidates: Candidates) -> dict[str, torch.Tensor]:
    """Everything that was predicted of the candidates' fit, [N] each: score, ious and every judgement."""
    said = {"score": candidates.scores, **candidates.judgements}
    return said if candidates.ious is None else said | {"ious": candidates.ious}


def correlated_pairs(collected: Collected, name: str) -> tuple[np.ndarray, np.ndarray]:
    """What a prediction says and the true IoU, [P] each, of the boxes that Figure 4 is about.

    They are the refined boxes before NMS with score above 0.05 whose best IoU with an object is at least 0.5.
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
    """Pearson of every prediction and the true IoU, by its name, and the number of boxes behind them as `boxes`."""
    names = predictions(collected.candidates[0]) if collected.candidates else ()
    found: Measured = {}
    for name in names:
        said, true = correlated_pairs(collected, name)
        found[name] = pearson(said, true)
        found["boxes"] = float(len(true))
    return found
