"""The settings that each NMS is tuned over, equally many for each, and the choice of the best."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

from dirdet_training.nms.ranks import Rank
from dirdet_training.nms.suppression import HardNMS, Suppression

WEIGHTS, POWERS, TWO_THRESHOLDS = (0.3, 0.5, 0.7), (0.5, 1.0, 2.0), (0.5, 0.6)
# An NMS without other settings uses all its trials for the threshold.
SIX_THRESHOLDS = (0.3, 0.4, 0.45, 0.5, 0.6, 0.7)
# Six values around the paper's 0.5.
SIGMAS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Trial:
    """An NMS and the IoU threshold it is tried with."""

    suppression: Suppression
    iou_threshold: float


def hard_trials(ranks: Iterable[Rank], thresholds: Iterable[float] = TWO_THRESHOLDS) -> tuple[Trial, ...]:
    """All combinations of ranks and thresholds."""
    return tuple(Trial(HardNMS(rank), threshold) for rank, threshold in product(ranks, thresholds))


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
