"""One contract for every NMS: candidates and a threshold in, survivors and their confidences out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor

from dirdet_training.nms import iou_nms, ranked_nms, soft_nms
from dirdet_training.nms.soft import Decay
from dirdet_training.ranking import RANKS, ByDIR, ByScore, Candidates, Rank, require

BY_SCORE = ByScore()


class Kept(NamedTuple):
    """What an NMS leaves of N candidates: indices [K] and confidences [K], highest confidence first."""

    indices: Tensor
    confidences: Tensor


class Suppression(Protocol):
    """An NMS with its settings."""

    def __call__(self, candidates: Candidates, iou_threshold: float, /) -> Kept:
        """Keeps K <= N candidates.

        Raises:
            MissingHeadError: the detector lacks the head whose prediction this needs.
            ValueError: the threshold is not in [0, 1].
        """
        ...


@dataclass(frozen=True)
class HardNMS:
    """NMS led by a rank, which is the survivors' confidence."""

    rank: Rank

    def __call__(self, candidates: Candidates, iou_threshold: float) -> Kept:
        """Suppresses what overlaps a better ranked box of its class above the threshold."""
        ranks = self.rank(candidates)
        indices = ranked_nms(candidates.boxes_xyxy, ranks, candidates.class_ids, iou_threshold=iou_threshold)
        return Kept(indices, ranks[indices])


@dataclass(frozen=True)
class SoftNMS:
    """NMS that lowers the rank of what overlaps instead of suppressing it (Soft-NMS, ICCV 2017).

    Attributes:
        decay: "linear" from the IoU threshold on, or "gaussian", which knows no threshold.
        rank: what decays; the paper's is the score.
        sigma: of the Gaussian decay; the paper's 0.5.
        min_score: a box whose rank falls below is gone.
    """

    decay: Decay
    rank: Rank = BY_SCORE
    sigma: float = 0.5
    min_score: float = 0.001

    def __call__(self, candidates: Candidates, iou_threshold: float) -> Kept:
        """Lowers ranks pick by pick; the Gaussian leaves the threshold aside."""
        return Kept(
            *soft_nms(
                candidates.boxes_xyxy,
                self.rank(candidates),
                candidates.class_ids,
                decay=self.decay,
                iou_threshold=iou_threshold,
                sigma=self.sigma,
                min_score=self.min_score,
            )
        )


@dataclass(frozen=True)
class IoUNMS:
    """NMS led by the predicted IoU, whose survivors take the best score of their cluster (IoU-Net, ECCV 2018)."""

    def __call__(self, candidates: Candidates, iou_threshold: float) -> Kept:
        """Suppresses by IoU: the one predicted as one number where there is one, else DIR's."""
        ious = candidates.ious if candidates.single_ious is None else candidates.single_ious
        return Kept(
            *iou_nms(
                candidates.boxes_xyxy,
                candidates.scores,
                require(ious, "iou_nms", "a head that predicts the IoU"),
                candidates.class_ids,
                iou_threshold=iou_threshold,
            )
        )


SUPPRESSIONS: Mapping[str, Suppression] = {
    **{name: HardNMS(rank) for name, rank in RANKS.items()},
    "soft_nms_linear": SoftNMS("linear"),
    "soft_nms_gaussian": SoftNMS("gaussian"),
    "iou_nms": IoUNMS(),
    "dir_soft": SoftNMS("gaussian", rank=ByDIR()),
}
