"""Suggested thresholds against a search through all of them."""

import numpy as np
import pytest

from dirdet.quality.suggested_values import suggest


@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_is_better(seed: int) -> None:
    generator = np.random.default_rng(seed)
    score, iou = generator.random(300).round(3), generator.random(300).round(3)
    right = generator.random(300) < (score + iou) / (1.5 if seed % 2 else 3)  # of seeds 0, 2 and 4 few are right
    told = suggest(score, iou, np.where(right, np.float64(0.8), np.float64(0)), objects=250)
    hundredths = [each / 100 for each in range(101)]

    def f1(threshold: float) -> float:
        above = score > threshold
        return float(2 * (right & above).sum() / (above.sum() + 250))

    def precision(threshold: float) -> float:
        return float(right[score > threshold].mean())

    precise = [each for each in hundredths if (score > each).any() and precision(each) >= 2 / 3]
    assert f1(told.score_threshold) == pytest.approx(max(map(f1, precise or hundredths)))
    above = score > told.score_threshold
    assert told.precision == pytest.approx(right[above].mean())
    assert told.recall == pytest.approx((right & above).sum() / 250)
    assert told.min_iou == max(each for each in hundredths if (iou[right] < each).mean() <= 0.01)
    assert told.min_iou is not None
    assert told.wrong_removed == pytest.approx((iou[~right] < told.min_iou).mean())
    assert told.right_lost <= 0.01


def test_where_nothing_is_right_or_wrong() -> None:
    one = np.array([0.7])
    nothing = suggest(one, one, np.zeros(1), objects=3)
    assert (nothing.precision, nothing.recall, nothing.min_iou, nothing.right_lost) == (0, 0, 0, 0)
    everything = suggest(one, one, one, objects=1)
    assert (everything.precision, everything.recall, everything.wrong_removed) == (1, 1, 0)
    assert everything.score_threshold < 0.7


def test_a_plain_detector_has_no_min_iou() -> None:
    told = suggest(np.array([0.2, 0.9]), None, np.array([0, 0.8]), objects=1)
    assert told.min_iou is None
    assert (told.wrong_removed, told.right_lost) == (0, 0)
    assert 0.2 <= told.score_threshold < 0.9
