"""Fitness NMS: the IoU of a box with its object, predicted as a tier (CVPR 2018)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dirdet_training.head import branch
from dirdet_training.nms.ranks import Candidates
from dirdet_training.nms.suppression import HardNMS
from dirdet_training.rivals.iou_levels import iou_levels
from dirdet_training.rivals.rival import Judge, Rival
from dirdet_training.rivals.tuning import POWERS, hard_trials

# Our choice: tiers of 0.1 from an IoU of 0.5. A box is in exactly one tier, so they share a softmax.
TIERS = 5
COLUMN = "fitness"


class FitnessHead(nn.Module):
    """Predicts the tier of boxes from RoI features, independently of their class ("independent fitness")."""

    def __init__(self, in_channels: int, roi_size: int = 7, fc_channels: int = 1024, tiers: int = TIERS) -> None:
        """One branch of three fully-connected layers, as DIR's.

        Args:
            in_channels: channels of the RoI features.
            roi_size: side of the pooled square.
            fc_channels: width of the two hidden layers.
            tiers: of one width, between an IoU of 0.5 and 1.
        """
        super().__init__()
        self.tier = branch(in_channels * roi_size * roi_size, fc_channels, tiers)

    def forward(self, roi_features: Tensor) -> Tensor:
        """Logits of the tiers, [N, tiers], for RoI features [N, C, roi_size, roi_size]."""
        return self.tier(torch.flatten(roi_features, 1))


def expected_fitness(logits: Tensor) -> Tensor:
    """The mean fitness under the predicted distribution, where tier k of K, from 0, has a fitness of (k + 1) / K.

    Args:
        logits: [N, tiers].

    Returns:
        [N] in [1 / tiers, 1].
    """
    tiers = logits.shape[1]
    values = torch.arange(1, tiers + 1, device=logits.device, dtype=torch.float32) / tiers
    return logits.float().softmax(dim=1) @ values


def fitness_loss(logits: Tensor, ious: Tensor) -> Tensor:
    """Mean cross-entropy of the tiers that positives' boxes are in; a box below 0.5 counts to the lowest.

    Args:
        logits: [N, tiers].
        ious: [N], IoUs of the refined boxes with their objects.

    Returns:
        A scalar; zero, but joined to the graph, for N = 0.
    """
    total = cross_entropy(logits.float(), iou_levels(ious, logits.shape[1]), reduction="sum")
    return total / max(len(logits), 1)


@dataclass(frozen=True)
class ByFitness:
    """Score times expected fitness; the power is our addition, and 1 is the paper's product."""

    power: float = 1.0

    def __call__(self, candidates: Candidates) -> Tensor:
        """[N]."""
        fitness = candidates.require_learnt(COLUMN, rank="fitness_nms", needed="a fitness head")
        return candidates.scores * fitness**self.power


FITNESS_NMS = Rival(
    "fitness_nms",
    HardNMS(ByFitness()),
    hard_trials(map(ByFitness, POWERS)),
    judge=Judge(
        FitnessHead,
        lambda logits, examples: {"fitness": fitness_loss(logits, examples.ious)},
        lambda logits, _class_ids: {COLUMN: expected_fitness(logits)},
    ),
    column=COLUMN,
    judgement=f"fitness/refined/{COLUMN}",
    title="Fitness NMS",
    paper={"AP": 41.8, "AP50": 60.9, "AP75": 44.9, "AP_small": 21.5, "AP_medium": 45.0, "AP_large": 57.5},
)
