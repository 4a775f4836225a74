"""Reliability curves and the errors read off them, worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.quality.calibration_error import d_ece, expected_error, la_ece, mean_absolute_error, reliability

FRACTIONS = st.floats(0, 1)


def test_a_curve_by_hand() -> None:
    curve = reliability(np.array([0.1, 0.3, 0.9, 1.0]), np.array([0.0, 1.0, 1.0, 1.0]), bins=2)
    np.testing.assert_allclose(curve.predicted, [0.2, 0.95])
    np.testing.assert_allclose(curve.true, [0.5, 1])
    assert curve.weight.tolist() == [2, 2]
    assert expected_error(curve) == pytest.approx((0.3 + 0.05) / 2)


def test_none_and_one() -> None:
    assert math.isnan(d_ece(np.zeros(0), np.zeros(0)))
    assert math.isnan(la_ece(np.zeros(0), np.zeros(0), np.zeros(0, np.int64)))
    assert math.isnan(mean_absolute_error(np.zeros(0), np.zeros(0)))
    assert d_ece(np.array([0.7]), np.array([0.0])) == pytest.approx(0.7)
    assert mean_absolute_error(np.array([0.7]), np.array([0.5])) == pytest.approx(0.2)


def test_predictions_outside_0_to_1_are_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.\.1, found 0\.5 to 1\.5"):
        reliability(np.array([0.5, 1.5]), np.zeros(2))


def test_la_ece_by_hand() -> None:
    # Class 1: one bin, precision 1/2, mean IoU of the true positive 0.8, mean confidence 0.9: |0.9 - 0.4|.
    # Class 2: one true positive, |0.6 - 0.7|.
    error = la_ece(np.array([0.9, 0.9, 0.6]), np.array([0.8, 0.0, 0.7]), np.array([1, 1, 2]))
    assert error == pytest.approx((0.5 + 0.1) / 2)


def test_la_ece_is_precision_times_mean_iou() -> None:
    generator = np.random.default_rng(0)
    confidence, correct = generator.random(500), generator.random(500) < 0.6
    iou = np.where(correct, generator.uniform(0.5, 1, 500), 0)
    expected = 0.0
    for low in np.arange(25) / 25:
        members = (confidence >= low) & (confidence < low + 1 / 25)
        if members.any():
            precision = correct[members].mean()
            mean_iou = iou[members & correct].mean() if (members & correct).any() else 0
            expected += members.mean() * abs(confidence[members].mean() - precision * mean_iou)
    assert la_ece(confidence, iou, np.zeros(500, np.int64)) == pytest.approx(expected)


@given(values=st.lists(FRACTIONS, min_size=1, max_size=30), bins=st.integers(1, 40))
def test_what_is_always_right_has_no_error(values: list[float], bins: int) -> None:
    told = np.array(values)
    assert expected_error(reliability(told, told, bins=bins)) == pytest.approx(0, abs=1e-12)
    assert la_ece(told, told, np.arange(len(told)) % 3, bins=bins) == pytest.approx(0, abs=1e-12)


@given(pairs=st.lists(st.tuples(FRACTIONS, FRACTIONS), min_size=1, max_size=30), bins=st.integers(1, 40))
def test_an_error_lies_between_the_mean_difference_and_the_mean_distance(
    pairs: list[tuple[float, float]], bins: int
) -> None:
    told, true = (np.array(values, np.float64) for values in zip(*pairs, strict=True))
    error = expected_error(reliability(told, true, bins=bins))
    assert abs(float(told.mean() - true.mean())) - 1e-9 <= error <= mean_absolute_error(told, true) + 1e-9
