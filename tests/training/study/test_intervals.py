import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet_training.study.intervals import interval, paired, verdict


def test_an_interval_is_students():
    found = interval([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    # t(0.975, 2) = 4.3027, standard error 1 / sqrt(3).
    assert found.half_width == pytest.approx(4.3027 / math.sqrt(3), abs=1e-4)
    assert found.shown() == "2.0 ± 2.5"


def test_without_a_seed_and_with_one_there_is_none():
    assert math.isnan(interval([]).mean)
    assert interval([]).shown() == ""
    one = interval([2.0, math.nan])
    assert (one.mean, one.half_width, one.values) == (2.0, None, (2.0,))
    assert one.shown(sign=True) == "+2.0"


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        ([], "not measured"),
        ([2.0], "one seed"),
        ([2.0, 2.1, 1.9], "holds"),
        ([-2.0, -2.1, -1.9], "does not hold"),
        ([0.1, -0.1, 0.05], "within the interval"),
        ([0.0, 0.0], "within the interval"),
    ],
)
def test_what_a_difference_says(ours, expected):
    assert verdict(paired(ours, [0.0] * len(ours))) == expected


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=6))
def test_a_constant_gain_holds_however_the_seeds_differ(baselines):
    gain = paired([figure + 1 for figure in baselines], baselines)
    assert gain.mean == pytest.approx(1, abs=1e-9)
    assert verdict(gain) == "holds"


def test_seeds_must_match():
    with pytest.raises(ValueError, match="zip"):
        paired([1.0], [1.0, 2.0])
