"""Ways to rank a detector's candidates, by the names that the tables' rows call them."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from dirdet_training.nms import confidence
from dirdet_training.ranking import Candidates, require
from dirdet_training.suppression import SUPPRESSIONS, HardNMS, Suppression
from dirdet_training.tuning import GRIDS, TWO_THRESHOLDS, WEIGHTS, Trial


@dataclass(frozen=True)
class ByJudgement:
    """The confidence score^(1-w) * judgement^w with what any judge says.

    Attributes:
        judgement: `NAME/SIGHT/FIELD`, a key of `Candidates.judgements`.
        iou_weight: w; 0.5 is the paper's.
    """

    judgement: str
    iou_weight: float = 0.5

    def __call__(self, candidates: Candidates) -> Tensor:
        """[N]."""
        said = require(candidates.judgements.get(self.judgement), self.judgement, f"a judge '{self.judgement}'")
        return confidence(candidates.scores, said, self.iou_weight)


@dataclass(frozen=True)
class Way:
    """A way to rank, untuned and tuned.

    Attributes:
        suppression: the NMS with the settings of its paper; its threshold is the detector's.
        trials: what tuning may choose from; empty for what the paper did not tune against a rival.
        said: the judgement whose correlation with the true IoU belongs to it.
        needs: a judgement without which the way is another one, though it could rank.
    """

    suppression: Suppression
    trials: tuple[Trial, ...] = ()
    said: str | None = None
    needs: str | None = None


def _judged(name: str) -> Way:
    return Way(HardNMS(ByJudgement(name)), said=name)


def tried(rank_of_judgement: str) -> tuple[Trial, ...]:
    """As many trials for a judge as DIR has."""
    return tuple(
        Trial(HardNMS(ByJudgement(rank_of_judgement, weight)), threshold)
        for weight, threshold in product(WEIGHTS, TWO_THRESHOLDS)
    )


# The judgement that belongs to each NMS that has a grid of its own.
_SAID = {
    "score": "score",
    "dir": "ious",
    "rank_nms": "rank/refined/rank_scores",
    "fitness_nms": "fitness/refined/fitness",
}

WAYS: Mapping[str, Way] = {
    # Every rival is tuned, and DIR as they are.
    **{name: Way(SUPPRESSIONS[name], trials, _SAID.get(name)) for name, trials in GRIDS.items() if name != "single"},
    # IoU-NMS led by the head that it was published with.
    "iou_net": Way(SUPPRESSIONS["iou_nms"], GRIDS["iou_nms"], "iou_net/refined/ious", needs="iou_net/refined/ious"),
    # Table 3 and 4.
    "foresight_iou": _judged("foresight_iou/proposal/ious"),
    "foresight": _judged("foresight/proposal/ious"),
    "iou": _judged("iou/refined/ious"),
    "iou_3x": _judged("iou_3x/refined/ious"),
    "foresight_on_boxes": _judged("foresight/refined/ious"),
    "dir_on_proposals": _judged("dir/proposal/ious"),
    # Table 5.
    **{name: _judged(f"dir/refined/{name}") for name in ("purity", "integrity", "geometric", "arithmetic")},
}
