"""Fitness NMS: how well a box fits, predicted as a tier of IoU (CVPR 2018)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dirdet_training.head import branch
from dirdet_training.rivals.rank import iou_levels

# Ours: tiers of 0.1 from an IoU of 0.5 on. A box is in exactly one, so they share a softmax.
TIERS = 5


class FitnessHead(nn.Module):
    """Predicts the tier of boxes from RoI features, apart from their class ("independent fitness")."""

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
