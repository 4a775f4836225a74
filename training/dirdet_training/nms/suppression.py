"""The interface of every NMS: it takes candidates and a threshold, and returns survivors and their confidences."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor

from dirdet_training.nms import Representative, Selection, ranked_nms, soft_nms
from dirdet_training.nms.ranks import ByScore, Candidates, Rank, require
from dirdet_training.nms.soft import Decay

BY_SCORE = ByScore()


class Kept(NamedTuple):
    """The candidates of N that an NMS keeps, highest confidence first.

    Attributes:
        indices: [K].
        confidences: [K], the reported confidences.
        boxes_xyxy: [K, 4], pixels, the voted boxes; None if each box is the candidate's own.
    """

    indices: Tensor
    confidences: Tensor
    boxes_xyxy: Tensor | None = None

    def boxes_of(self, candidates: Candidates) -> Tensor:
        """[K, 4], pixels."""
        return candidates.boxes_xyxy[self.indices] if self.boxes_xyxy is None else self.boxes_xyxy

    def first(self, count: int) -> "Kept":
        """Returns the first `count`, which have the highest confidences."""
        return Kept(*(None if part is None else part[:count] for part in self))  # pyright: ignore[reportArgumentType]


class Suppression(Protocol):
    """An NMS with its settings."""

    def __call__(self, candidates: Candidates, iou_threshold: float, /) -> Kept:
        """Keeps K <= N candidates.

        Raises:
            MissingHeadError: the detector has no head for a prediction that the NMS needs.
            ValueError: the threshold is not in [0, 1].
        """
        ...


@dataclass(frozen=True)
class HardNMS:
    """NMS by a rank, which is also the survivors' confidence."""

    rank: Rank

    def __call__(self, candidates: Candidates, iou_threshold: float) -> Kept:
        """Suppresses boxes that overlap a higher ranked box of their group above the threshold."""
        ranks = self.rank(candidates)
        indices = ranked_nms(candidates.boxes_xyxy, ranks, candidates.nms_groups, iou_threshold=iou_threshold)
        return Kept(indices, ranks[indices])


@dataclass(frozen=True)
class SoftNMS:
    """NMS that lowers the rank of overlapping boxes instead of suppressing them (Soft-NMS, ICCV 2017).

    Attributes:
        decay: "linear" from the IoU threshold on, or "gaussian", which has no threshold.
        rank: the rank that decays; in the paper the score.
        sigma: the sigma of the Gaussian decay; 0.5 in the paper.
        from_iou: the IoU at which the linear decay begins; None takes the caller's threshold.
        min_score: a box whose rank falls below it is removed.
    """

    decay: Decay
    rank: Rank = BY_SCORE
    sigma: float = 0.5
    min_score: float = 0.001
    from_iou: float | None = None

    def __call__(self, candidates: Candidates, iou_threshold: float) -> Kept:
        """Lowers ranks pick by pick; the Gaussian decay ignores the threshold."""
        return Kept(
            *soft_nms(
                candidates.boxes_xyxy,
                self.rank(candidates),
                candidates.nms_groups,
                decay=self.decay,
                iou_threshold=iou_threshold if self.from_iou is None else self.from_iou,
                sigma=self.sigma,
                min_score=self.min_score,
            )
        )


@dataclass(frozen=True)
class SelectedNMS:
    """The ranked NMS with its further steps: clusters by score, representatives, voting, reported confidence."""

    selection: Selection

    def __call__(self, candidates: Candidates, iou_threshold: float) -> Kept:
        """Selects by score and DIR's iou."""
        return Kept(
            *self.selection(
                candidates.boxes_xyxy,
                candidates.scores,
                require(candidates.ious, "ranked NMS", "a DIR head"),
                candidates.nms_groups,
                iou_threshold=iou_threshold,
            )
        )


# Clusters by score, which the box with the best fit represents.
CLUSTERS = Selection(cluster_by="score", representative=Representative())
