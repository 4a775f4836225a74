import math

import pytest

from dirdet_training.nms.ranks import ByScore
from dirdet_training.nms.suppression import HardNMS
from dirdet_training.rivals import GRIDS, SUPPRESSIONS
from dirdet_training.rivals.tuning import Trial, best_trial


def test_every_nms_has_the_same_budget_as_dir():
    assert GRIDS.keys() == SUPPRESSIONS.keys()
    for name, trials in GRIDS.items():
        assert len(trials) == len(set(trials)) == len(GRIDS["dir"]), name


@pytest.mark.parametrize("name", GRIDS)
def test_the_untuned_setting_is_among_those_tried(name):
    assert Trial(SUPPRESSIONS[name], 0.5) in GRIDS[name]


def test_the_best_trial_is_the_one_with_the_highest_figure():
    trials = [Trial(HardNMS(ByScore()), threshold) for threshold in (0.3, 0.5, 0.7)]
    assert best_trial(trials, lambda trial: -abs(trial.iou_threshold - 0.6)) == (trials[1], pytest.approx(-0.1))
    assert best_trial(trials, lambda _: 1.0) == (trials[0], 1.0)
    assert best_trial(trials, lambda trial: math.nan if trial is trials[0] else 2.0) == (trials[1], 2.0)


def test_without_a_figure_there_is_no_choice():
    with pytest.raises(ValueError, match="of 0 trials"):
        best_trial([], lambda _: 1.0)
    with pytest.raises(ValueError, match="of 6 trials"):
        best_trial(GRIDS["dir"], lambda _: math.nan)
