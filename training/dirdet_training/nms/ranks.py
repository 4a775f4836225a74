"""Candidates, and the ranks that may order them in NMS: one class with its settings for each rank."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from dirdet.errors import DirdetError
from dirdet_training import geometry
from dirdet_training.nms import confidence


class MissingHeadError(DirdetError):
    """The rank needs a prediction for which this detector has no head."""


@dataclass(frozen=True)
class Candidates:
    """One picture's candidates before NMS, and its objects in the ground truth.

    A column is None if the detector has no head for it. The optional columns are InstanceData fields of the same names.

    Attributes:
        boxes_xyxy: [N, 4], pixels.
        class_ids: [N].
        scores: [N], the classifier's probabilities.
        ious: [N], predicted localization confidences, by DIR or by the head in its place.
        objects_xyxy: [G, 4], pixels; without crowds.
        object_class_ids: [G].
        learnt: predictions of rivals' heads, [N] in [0, 1] each, by their `column` (`dirdet_training.rivals`).
        proposals_xyxy: [N, 4], pixels, the boxes that the candidates were regressed from.
        judgements: predictions of further judges, [N] each, as `NAME/SIGHT/FIELD` (DIRMixin's all_judges).
        over_classes: whether a box suppresses boxes of other classes too (`class_agnostic` of MMDetection's NMS).
    """

    boxes_xyxy: Tensor
    class_ids: Tensor
    scores: Tensor
    ious: Tensor | None
    objects_xyxy: Tensor
    object_class_ids: Tensor
    learnt: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    proposals_xyxy: Tensor | None = None
    judgements: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    over_classes: bool = False

    @property
    def nms_groups(self) -> Tensor:
        """[N], the groups within which NMS compares boxes: classes, or one for all."""
        return torch.zeros_like(self.class_ids) if self.over_classes else self.class_ids

    def true_ious(self, *, same_class: bool) -> Tensor:
        """Computes the highest IoU of each candidate with an object, [N]; 0 where there is no object."""
        if len(self.objects_xyxy) == 0:
            return torch.zeros(len(self.boxes_xyxy), device=self.boxes_xyxy.device)
        pairs = geometry.iou(self.boxes_xyxy[:, None], self.objects_xyxy[None])  # [N, G]
        if same_class:
            pairs = pairs * (self.class_ids[:, None] == self.object_class_ids[None])
        return pairs.max(dim=1).values

    def best_objects(self) -> tuple[Tensor, Tensor]:
        """Finds the object of any class that each candidate overlaps best: IoU [N], and index [N], -1 where none is."""
        count = len(self.boxes_xyxy)
        if len(self.objects_xyxy) == 0:
            return self.scores.new_zeros(count), self.class_ids.new_full((count,), -1)
        best = geometry.iou(self.boxes_xyxy[:, None], self.objects_xyxy[None]).max(dim=1)
        return best.values, best.indices.where(best.values > 0, -1)

    def require_learnt(self, column: str, *, rank: str, needed: str) -> Tensor:
        """Returns the prediction of a rival's head, [N].

        Raises:
            MissingHeadError: the detector has no such head.
        """
        return require(self.learnt.get(column), rank, needed)


def require(column: Tensor | None, rank: str, needed: str) -> Tensor:
    """Returns the column of candidates that a rank needs.

    Raises:
        MissingHeadError: the detector did not predict it.
    """
    if column is None:
        raise MissingHeadError(f"rank '{rank}' needs {needed}; this detector has none")
    return column


class Rank(Protocol):
    """Computes the candidates' rank in NMS, which is also the reported confidence of a survivor."""

    def __call__(self, candidates: Candidates, /) -> Tensor:
        """[N] in [0, 1].

        Raises:
            MissingHeadError: the detector does not predict a value that the rank needs.
        """
        ...


@dataclass(frozen=True)
class ByScore:
    """The classifier's probability, as in the plain detector."""

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
class ByOracle:
    """The confidence with the true IoU with an object of the same class, as an upper bound."""

    iou_weight: float = 0.5

    def __call__(self, candidates: Candidates) -> Tensor:
        """[N]."""
        return confidence(candidates.scores, candidates.true_ious(same_class=True), self.iou_weight)
