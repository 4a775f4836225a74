"""The settings tried for each NMS, as many for every one, and the choice of the best."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from dirdet_training.ranking import ByDIR, ByFitness, ByOracle, ByRankScore, ByScore, BySingleIoU, Rank
from dirdet_training.suppression import HardNMS, IoUNMS, SoftNMS, Suppression


@dataclass(frozen=True)
class Trial:
    """An NMS and the IoU threshold it is tried with."""

    suppression: Suppression
    iou_threshold: float


def _hard(ranks: Iterable[Rank], thresholds: Iterable[float]) -> tuple[Trial, ...]:
    """Every rank with every threshold."""
    return tuple(Trial(HardNMS(rank), threshold) for rank, threshold in product(ranks, thresholds))


WEIGHTS, POWERS, TWO_THRESHOLDS = (0.3, 0.5, 0.7), (0.5, 1.0, 2.0), (0.5, 0.6)
# Who has nothing else to tune spends the whole budget on the threshold.
SIX_THRESHOLDS = (0.3, 0.4, 0.45, 0.5, 0.6, 0.7)
# Six figures around the paper's 0.5.
SIGMAS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)

# A tuned comparison is fair when nobody tries more than DIR does. The untuned setting of each is among its trials.
GRIDS: Mapping[str, tuple[Trial, ...]] = {
    "score": _hard([ByScore()], SIX_THRESHOLDS),
    "dir": _hard(map(ByDIR, WEIGHTS), TWO_THRESHOLDS),
    "oracle": _hard(map(ByOracle, WEIGHTS), TWO_THRESHOLDS),
    "single": _hard(map(BySingleIoU, WEIGHTS), TWO_THRESHOLDS),
    "rank_nms": _hard(map(ByRankScore, WEIGHTS), TWO_THRESHOLDS),
    "fitness_nms": _hard(map(ByFitness, POWERS), TWO_THRESHOLDS),
    "soft_nms_linear": tuple(Trial(SoftNMS("linear"), threshold) for threshold in SIX_THRESHOLDS),
    "soft_nms_gaussian": tuple(Trial(SoftNMS("gaussian", sigma=sigma), 0.5) for sigma in SIGMAS),
    "iou_nms": tuple(Trial(IoUNMS(), threshold) for threshold in SIX_THRESHOLDS),
    "dir_soft": tuple(Trial(SoftNMS("gaussian", rank=ByDIR(), sigma=sigma), 0.5) for sigma in SIGMAS),
}


def best_trial(trials: Iterable[Trial], measure: Callable[[Trial], float]) -> tuple[Trial, float]:
    """The trial with the highest figure, and the figure; the first of equals.

    Args:
        trials: at least one.
        measure: the figure of a trial, such as AP on a split made for tuning; NaN where it has none.

    Raises:
        ValueError: no trial has a figure.
    """
    measured = [(trial, measure(trial)) for trial in trials]
    figures = [(trial, figure) for trial, figure in measured if not math.isnan(figure)]
    if not figures:
        raise ValueError(f"of {len(measured)} trials none has a figure to choose by")
    return max(figures, key=lambda pair: pair[1])
