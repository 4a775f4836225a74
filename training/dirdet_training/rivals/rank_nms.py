"""Rank-NMS: a ranking score learnt from pairs of boxes of one object ("Learning to Rank Proposals", ICCV 2019)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from dirdet_training.head import branch
from dirdet_training.nms import confidence
from dirdet_training.nms.ranks import Candidates
from dirdet_training.nms.suppression import HardNMS
from dirdet_training.rivals.iou_levels import iou_levels
from dirdet_training.rivals.rival import Judge, Rival
from dirdet_training.rivals.tuning import WEIGHTS, hard_trials

# The paper divides boxes into levels of IoU and learns from hard pairs by a hinge. The constants are ours: levels of
# 0.1 from 0.5 on, and the margin of a ranking SVM on logits, which have no bounds.
LEVELS = 5
MARGIN = 1.0
COLUMN = "rank_scores"


class RankHead(nn.Module):
    """Predicts a ranking score of boxes from RoI features, whatever their class."""

    def __init__(self, in_channels: int, roi_size: int = 7, fc_channels: int = 1024) -> None:
        """One branch of three fully-connected layers, as DIR's.

        Args:
            in_channels: channels of the RoI features.
            roi_size: side of the pooled square.
            fc_channels: width of the two hidden layers.
        """
        super().__init__()
        self.rank = branch(in_channels * roi_size * roi_size, fc_channels)

    def forward(self, roi_features: Tensor) -> Tensor:
        """Logits of the ranking score, [N], for RoI features [N, C, roi_size, roi_size].

        NMS ranks by their sigmoid, joined with the classifier's score.
        """
        return self.rank(torch.flatten(roi_features, 1)).squeeze(1)


def rank_loss(
    logits: Tensor, ious: Tensor, object_ids: Tensor, *, levels: int = LEVELS, margin: float = MARGIN
) -> Tensor:
    """Mean hinge over the hard pairs: boxes of one object whose logits do not yet order their levels by the margin.

    Args:
        logits: [N].
        ious: [N], IoUs of the refined boxes with their objects.
        object_ids: [N], integers: which object each box was assigned to, different for objects of different pictures.
        levels: how many of IoU.
        margin: by how much a better box is to lead.

    Returns:
        A scalar; zero, but joined to the graph, without a pair, and where every pair is in order.
    """
    logits, level = logits.float(), iou_levels(ious, levels)
    pairs = (object_ids[:, None] == object_ids[None]) & (level[:, None] > level[None])  # [N, N], row above column
    hinge = relu(margin - (logits[:, None] - logits[None])) * pairs  # [N, N]
    return hinge.sum() / (hinge > 0).sum().clamp(min=1)


@dataclass(frozen=True)
class ByRankScore:
    """The learnt ranking score, joined with the classifier's as DIR's IoU is.

    The paper fuses the two; that the fusion is this mean, with a weight to tune, is ours.
    """

    rank_weight: float = 0.5

    def __call__(self, candidates: Candidates) -> Tensor:
        """[N]."""
        learnt = candidates.require_learnt(COLUMN, rank="rank_nms", needed="a ranking head")
        return confidence(candidates.scores, learnt, self.rank_weight)


RANK_NMS = Rival(
    "rank_nms",
    HardNMS(ByRankScore()),
    hard_trials(map(ByRankScore, WEIGHTS)),
    judge=Judge(
        RankHead,
        lambda logits, examples: {"rank": rank_loss(logits, examples.ious, torch.cat(examples.object_ids))},
        lambda logits, _class_ids: {COLUMN: logits.float().sigmoid()},
    ),
    column=COLUMN,
    judgement=f"rank/refined/{COLUMN}",
    title="Rank-NMS",
    paper={"AP": 41.0, "AP50": 60.8, "AP75": 44.5, "AP_small": 23.2, "AP_medium": 44.5, "AP_large": 52.5},
)
