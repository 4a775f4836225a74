"""The methods that DIR is compared with, in plain torch: one file and one entry of `RIVALS` each."""

from collections.abc import Mapping

from dirdet_training.nms.ranks import Rank
from dirdet_training.nms.suppression import HardNMS, Suppression
from dirdet_training.rivals.baselines import DIR, DIR_SOFT, ORACLE, SCORE
from dirdet_training.rivals.fitness import FITNESS_NMS
from dirdet_training.rivals.iou_net import IOU_NET, IOU_NMS
from dirdet_training.rivals.rank_nms import RANK_NMS
from dirdet_training.rivals.ranked_steps import SELECTED
from dirdet_training.rivals.rival import Judge, Rival
from dirdet_training.rivals.single_branch import SINGLE
from dirdet_training.rivals.soft import SOFT_GAUSSIAN, SOFT_LINEAR
from dirdet_training.rivals.tuning import Trial

# In the order of Table 6. Options, metrics, grids and rows are derived from this.
RIVALS: tuple[Rival, ...] = (
    SCORE,
    DIR,
    ORACLE,
    SINGLE,
    FITNESS_NMS,
    IOU_NET,
    RANK_NMS,
    SOFT_LINEAR,
    SOFT_GAUSSIAN,
    IOU_NMS,
    DIR_SOFT,
    *SELECTED,
)
_NAMED = tuple(each for each in RIVALS if each.needs is None)
SUPPRESSIONS: Mapping[str, Suppression] = {each.name: each.suppression for each in _NAMED}
# What leads hard NMS.
RANKS: Mapping[str, Rank] = {name: found.rank for name, found in SUPPRESSIONS.items() if isinstance(found, HardNMS)}
# A tuned comparison is fair when no rival tries more than DIR does.
GRIDS: Mapping[str, tuple[Trial, ...]] = {each.name: each.trials for each in _NAMED}
JUDGES: tuple[Judge, ...] = tuple(each.judge for each in RIVALS if each.judge is not None)
# Of `Candidates.learnt`.
COLUMNS: tuple[str, ...] = tuple(dict.fromkeys(each.column for each in RIVALS if each.column is not None))
