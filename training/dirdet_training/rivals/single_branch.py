"""The rival of two branches: an IoU predicted as one number (Table 2)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dirdet_training.head import IoUHead
from dirdet_training.losses import iou_loss
from dirdet_training.nms import confidence
from dirdet_training.nms.ranks import Candidates
from dirdet_training.nms.suppression import HardNMS
from dirdet_training.rivals.rival import Judge, Rival
from dirdet_training.rivals.tuning import WEIGHTS, hard_trials

COLUMN = "single_ious"


@dataclass(frozen=True)
class BySingleIoU:
    """The confidence with an IoU that was predicted as one number."""

    iou_weight: float = 0.5

    def __call__(self, candidates: Candidates) -> Tensor:
        """[N]."""
        ious = candidates.require_learnt(COLUMN, rank="single", needed="a head that predicts the IoU as one number")
        return confidence(candidates.scores, ious, self.iou_weight)


SINGLE = Rival(
    "single",
    HardNMS(BySingleIoU()),
    hard_trials(map(BySingleIoU, WEIGHTS)),
    judge=Judge(
        IoUHead,
        lambda logits, examples: {
            "iou": iou_loss(logits, torch.cat(examples.refined_xyxy), torch.cat(examples.objects_xyxy))
        },
        lambda logits, _class_ids: {"ious": logits.float().sigmoid()},
    ),
    column=COLUMN,
)
