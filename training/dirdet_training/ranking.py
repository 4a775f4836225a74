"""Ranks: what one picture's candidates may be ordered by in NMS, one function each."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dirdet_training import geometry
from dirdet_training.nms import confidence


@dataclass(frozen=True)
class Candidates:
    """One picture's candidates before NMS, and the objects that are really there.

    Attributes:
        boxes_xyxy: [N, 4], pixels.
        class_ids: [N].
        scores: [N], the classifier's probabilities.
        ious: [N], predicted localization confidences; None for a plain detector.
        objects_xyxy: [G, 4], pixels; without crowds.
        object_class_ids: [G].
    """

    boxes_xyxy: Tensor
    class_ids: Tensor
    scores: Tensor
    ious: Tensor | None
    objects_xyxy: Tensor
    object_class_ids: Tensor

    def true_ious(self, *, same_class: bool) -> Tensor:
        """Best IoU of each candidate with an object, [N]; 0 where there is none."""
        if len(self.objects_xyxy) == 0:
            return torch.zeros(len(self.boxes_xyxy))
        pairs = geometry.iou(self.boxes_xyxy[:, None], self.objects_xyxy[None])  # [N, G]
        if same_class:
            pairs = pairs * (self.class_ids[:, None] == self.object_class_ids[None])
        return pairs.max(dim=1).values


# What of a purity p and an integrity i stands for the localization confidence (Table 5), beside Eq. 5.
COMBINATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "purity": lambda purities, _: purities,
    "integrity": lambda _, integrities: integrities,
    "geometric": lambda purities, integrities: (purities * integrities).sqrt(),
    "arithmetic": lambda purities, integrities: (purities + integrities) / 2,
}


def localization_confidence(
    combination: str, ious: Tensor, purities: Tensor | None, integrities: Tensor | None
) -> Tensor:
    """What a box's fit is rated by, [N].

    Args:
        combination: "iou", the prediction itself (Eq. 5), or a name from COMBINATIONS.
        ious: [N].
        purities: [N], None where a single branch predicts the IoU.
        integrities: [N], likewise.

    Raises:
        ValueError: the combination is unknown, or needs a purity and an integrity that are not predicted.
    """
    if combination == "iou":
        return ious
    if combination not in COMBINATIONS:
        raise ValueError(f"combination must be one of iou, {', '.join(COMBINATIONS)}, not {combination!r}")
    if purities is None or integrities is None:
        raise ValueError(f"combination {combination!r} needs purity and integrity; a single branch predicts neither")
    return COMBINATIONS[combination](purities, integrities)


def by_score(candidates: Candidates) -> Tensor:
    """The classifier's probability: the plain detector."""
    return candidates.scores


def by_dir(candidates: Candidates) -> Tensor:
    """The confidence sqrt(score * iou) with the predicted IoU (section 3.4)."""
    if candidates.ious is None:
        raise ValueError("rank 'dir' needs a detector with a DIR head; this one predicts no IoU")
    return confidence(candidates.scores, candidates.ious)


def by_oracle(candidates: Candidates) -> Tensor:
    """The confidence with the true IoU with an object of the same class: the ceiling."""
    return confidence(candidates.scores, candidates.true_ious(same_class=True))


RANKS: dict[str, Callable[[Candidates], Tensor]] = {"score": by_score, "dir": by_dir, "oracle": by_oracle}
