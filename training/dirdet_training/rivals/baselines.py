"""The baselines of the comparison: the plain detector, DIR, its soft variant, and the ceiling."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dirdet_training import geometry
from dirdet_training.head import DIRHead
from dirdet_training.losses import dir_losses
from dirdet_training.nms.ranks import ByDIR, ByOracle, ByScore
from dirdet_training.nms.suppression import HardNMS, SoftNMS
from dirdet_training.rivals.rival import Judge, Rival
from dirdet_training.rivals.tuning import SIGMAS, SIX_THRESHOLDS, WEIGHTS, Trial, hard_trials

if TYPE_CHECKING:
    from dirdet_training.mm.examples import Examples


def _losses(logits: tuple[Tensor, Tensor], examples: "Examples") -> dict[str, Tensor]:
    purity, integrity = logits
    return dir_losses(purity, integrity, torch.cat(examples.refined_xyxy), torch.cat(examples.objects_xyxy))._asdict()


def _says(logits: tuple[Tensor, Tensor], _class_ids: Tensor) -> dict[str, Tensor]:
    purity, integrity = (part.float() for part in logits)
    return {
        "purity": purity.sigmoid(),
        "integrity": integrity.sigmoid(),
        "ious": geometry.combine_logits(purity, integrity).sigmoid(),
    }


SCORE = Rival("score", HardNMS(ByScore()), hard_trials([ByScore()], SIX_THRESHOLDS), judgement="score")
DIR = Rival(
    "dir",
    HardNMS(ByDIR()),
    hard_trials(map(ByDIR, WEIGHTS)),
    judge=Judge(DIRHead, _losses, _says),
    judgement="ious",
)
ORACLE = Rival("oracle", HardNMS(ByOracle()), hard_trials(map(ByOracle, WEIGHTS)))
DIR_SOFT = Rival(
    "dir_soft",
    SoftNMS("gaussian", rank=ByDIR()),
    tuple(Trial(SoftNMS("gaussian", rank=ByDIR(), sigma=sigma), 0.5) for sigma in SIGMAS),
)
