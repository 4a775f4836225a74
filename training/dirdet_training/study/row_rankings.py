"""Ways to rank a detector's candidates, by the names that the tables' rows use."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from dirdet_training.nms import confidence
from dirdet_training.nms.ranks import Candidates, require
from dirdet_training.nms.suppression import HardNMS, Suppression
from dirdet_training.rivals import RIVALS
from dirdet_training.rivals.tuning import WEIGHTS, Trial, hard_trials


@dataclass(frozen=True)
class ByJudgement:
    """The confidence score^(1-w) * judgement^w with the prediction of any judge.

    Attributes:
        judgement: `NAME/SIGHT/FIELD`, a key of `Candidates.judgements`.
        iou_weight: w; 0.5 in the paper.
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
        trials: the settings that tuning may choose from; empty for ways that the paper did not tune against a rival.
        said: the judgement whose correlation with the true IoU is reported for the way.
        needs: a judgement that the way needs; without it the ranking works, but is another way.
    """

    suppression: Suppression
    trials: tuple[Trial, ...] = ()
    said: str | None = None
    needs: str | None = None


def _judged(name: str) -> Way:
    return Way(HardNMS(ByJudgement(name)), said=name)


def tried(rank_of_judgement: str) -> tuple[Trial, ...]:
    """Returns as many trials for a judge as DIR has."""
    return hard_trials(ByJudgement(rank_of_judgement, weight) for weight in WEIGHTS)


WAYS: Mapping[str, Way] = {
    **{each.name: Way(each.suppression, each.trials, each.judgement, each.needs) for each in RIVALS},
    # Tables 3 and 4.
    "foresight_iou": _judged("foresight_iou/proposal/ious"),
    "foresight": _judged("foresight/proposal/ious"),
    "iou": _judged("iou/refined/ious"),
    "iou_3x": _judged("iou_3x/refined/ious"),
    "foresight_on_boxes": _judged("foresight/refined/ious"),
    "dir_on_proposals": _judged("dir/proposal/ious"),
    # Table 5.
    **{name: _judged(f"dir/refined/{name}") for name in ("purity", "integrity", "geometric", "arithmetic")},
}
