"""Pearson, Spearman and Kendall on cases worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.quality.correlation import kendall_within_objects, pearson, spearman

# Apart by more than rounding, so that squaring keeps their order.
DISTINCT = st.lists(st.integers(1, 1000), min_size=2, max_size=20, unique=True)


def test_a_straight_line_correlates_fully() -> None:
    true = np.linspace(0.5, 1, 20, dtype=np.float64)
    assert pearson(0.3 * true - 2, true) == pytest.approx(1)
    assert pearson(-true, true) == pytest.approx(-1)


@pytest.mark.parametrize("values", [[], [0.7], [0.7, 0.7, 0.7]])
def test_without_variation_there_is_no_correlation(values: list[float]) -> None:
    same, rising = np.array(values), np.linspace(0, 1, len(values), dtype=np.float64)
    assert math.isnan(pearson(same, rising))
    assert math.isnan(spearman(same, rising))
    assert math.isnan(kendall_within_objects(same, rising, np.zeros(len(values), np.int64)))


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        pearson(np.zeros(2), np.zeros(3))


def test_spearman_by_hand() -> None:
    # Ranks 1 2 3 4 against 1 3 2 4: 1 - 6 * 2 / (4 * 15).
    assert spearman(np.array([0.1, 0.2, 0.3, 0.9]), np.array([0.0, 0.6, 0.5, 0.7])) == pytest.approx(0.8)


@given(values=DISTINCT)
def test_spearman_sees_the_order_only(values: list[int]) -> None:
    true = np.array(values, np.float64)
    assert spearman(true**2, true) == pytest.approx(1)
    assert spearman(-(true**3), true) == pytest.approx(-1)


def test_kendall_is_the_mean_over_objects() -> None:
    # Object 7: one of three pairs is the wrong way round, 1/3. Object 8: the one pair is right, 1. Object 9: one box.
    predicted = np.array([0.1, 0.2, 0.3, 0.5, 0.4, 0.9])
    true = np.array([0.6, 0.5, 0.7, 0.9, 0.8, 0.5])
    objects = np.array([7, 7, 7, 8, 8, 9])
    assert kendall_within_objects(predicted, true, objects) == pytest.approx((1 / 3 + 1) / 2)


def test_what_differs_between_objects_does_not_count() -> None:
    # The second object's boxes are all better and all less sure: across objects the order is wrong, within it is right.
    predicted, true = np.array([0.8, 0.9, 0.1, 0.2]), np.array([0.5, 0.6, 0.8, 0.9])
    assert kendall_within_objects(predicted, true, np.array([0, 0, 1, 1])) == pytest.approx(1)
    assert spearman(predicted, true) < 0
