"""Ranks: what one picture's candidates may be ordered by in NMS, one class each with its settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from dirdet.errors import DirdetError
from dirdet_training import geometry
from dirdet_training.nms import confidence


class MissingHeadError(DirdetError):
    """A rank that needs what this detector has no head for."""


@dataclass(frozen=True)
class Candidates:
    """One picture's candidates before NMS, and the objects that are really there.

    What a detector has no head for is None. The optional columns are InstanceData fields of the same names.

    Attributes:
        boxes_xyxy: [N, 4], pixels.
        class_ids: [N].
        scores: [N], the classifier's probabilities.
        ious: [N], predicted localization confidences: DIR's, or whatever head stands in its place.
        objects_xyxy: [G, 4], pixels; without crowds.
        object_class_ids: [G].
        single_ious: [N], IoUs predicted as one number beside DIR's: by a single branch, or as in IoU-Net.
        rank_scores: [N] in [0, 1], learnt ranking scores (Rank-NMS).
        fitness: [N] in [0, 1], expected fitness over tiers of IoU (Fitness NMS).
        proposals_xyxy: [N, 4], pixels, what the boxes were regressed from.
        judgements: what further judges say of each candidate, [N] each, as `NAME/SIGHT/FIELD` (DIRMixin's all_judges).
    """

    boxes_xyxy: Tensor
    class_ids: Tensor
    scores: Tensor
    ious: Tensor | None
    objects_xyxy: Tensor
    object_class_ids: Tensor
    single_ious: Tensor | None = None
    rank_scores: Tensor | None = None
    fitness: Tensor | None = None
    proposals_xyxy: Tensor | None = None
    judgements: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])

    def true_ious(self, *, same_class: bool) -> Tensor:
        """Best IoU of each candidate with an object, [N]; 0 where there is none."""
        if len(self.objects_xyxy) == 0:
            return torch.zeros(len(self.boxes_xyxy), device=self.boxes_xyxy.device)
        pairs = geometry.iou(self.boxes_xyxy[:, None], self.objects_xyxy[None])  # [N, G]
        if same_class:
            pairs = pairs * (self.class_ids[:, None] == self.object_class_ids[None])
        return pairs.max(dim=1).values


def require(column: Tensor | None, rank: str, needed: str) -> Tensor:
    """The column of candidates that a rank needs.

    Raises:
        MissingHeadError: the detector did not predict it.
    """
    if column is None:
        raise MissingHeadError(f"rank '{rank}' needs {needed}; this detector has none")
    return column


class Rank(Protocol):
    """Gives candidates their rank in NMS, which is also the confidence a survivor reports."""

    def __call__(self, candidates: Candidates, /) -> Tensor:
        """[N] in [0, 1].

        Raises:
            MissingHeadError: the detector does not predict what the rank is made of.
        """
        ...


@dataclass(frozen=True)
class ByScore:
    """The classifier's probability: the plain detector."""

    def __call__(self, candidates: Candidates) -> Tensor:
        """[N]."""
        return candidates.scores


@dataclass(frozen=True)
class ByDIR:
    """The confidence score^(1-w) * iou^w with the predicted IoU (section 3.4); w = 0.5 is the paper's."""

    iou_weight: float = 0.5

    def __call__(self, candidates: Candidates) -> Tensor:
        """[N]."""
        return confidence(candidates.scores, require(candidates.ious, "dir", "a DIR head"), self.iou_weight)


@dataclass(frozen=True)
class BySingleIoU:
    """The confidence with an IoU that was predicted as one number (Table 2's rival of two branches)."""

    iou_weight: float = 0.5

    def __call__(self, candidates: Candidates) -> Tensor:
        """[N]."""
        ious = require(candidates.single_ious, "single", "a head that predicts the IoU as one number")
        return confidence(candidates.scores, ious, self.iou_weight)


@dataclass(frozen=True)
class ByOracle:
    """The confidence with the true IoU with an object of the same class: the ceiling."""

    iou_weight: float = 0.5

    def __call__(self, candidates: Candidates) -> Tensor:
        """[N]."""
        return confidence(candidates.scores, candidates.true_ious(same_class=True), self.iou_weight)


@dataclass(frozen=True)
class ByRankScore:
    """The learnt ranking score, joined with the classifier's as DIR's IoU is (Rank-NMS, ICCV 2019).

    The paper fuses the two; that the fusion is this mean, with a weight to tune, is ours.
    """

    rank_weight: float = 0.5

    def __call__(self, candidates: Candidates) -> Tensor:
        """[N]."""
        learnt = require(candidates.rank_scores, "rank_nms", "a ranking head")
        return confidence(candidates.scores, learnt, self.rank_weight)


@dataclass(frozen=True)
class ByFitness:
    """Score times expected fitness (Fitness NMS, CVPR 2018); the power is ours, 1 is the paper's product."""

    power: float = 1.0

    def __call__(self, candidates: Candidates) -> Tensor:
        """[N]."""
        fitness = require(candidates.fitness, "fitness_nms", "a fitness head")
        return candidates.scores * fitness**self.power


# Each one leads hard NMS under its name in `dirdet_training.suppression`.
RANKS: Mapping[str, Rank] = {
    "score": ByScore(),
    "dir": ByDIR(),
    "oracle": ByOracle(),
    "single": BySingleIoU(),
    "rank_nms": ByRankScore(),
    "fitness_nms": ByFitness(),
}
