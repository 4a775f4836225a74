"""Risk-coverage and AUROC, by hand and as properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.quality.selection import auroc, risk_coverage

# Hundredths: many are equal.
IOUS = st.lists(st.integers(0, 100).map(lambda part: part / 100), min_size=1, max_size=30)


def test_by_hand() -> None:
    curve = risk_coverage(np.array([0.2, 0.9, 0.5]), np.array([0.1, 0.9, 0.5]))
    np.testing.assert_allclose(curve.coverage, [1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(curve.risk, [0.1, 0.3, 0.5])
    assert curve.area == pytest.approx(0.3)


def test_none() -> None:
    curve = risk_coverage(np.zeros(0), np.zeros(0))
    assert len(curve.risk) == 0
    assert math.isnan(curve.area)
    assert math.isnan(auroc(np.zeros(0), np.zeros(0)))


@given(ious=IOUS, seed=st.integers(0, 99))
def test_no_order_has_less_risk_than_the_true_one(ious: list[float], seed: int) -> None:
    true = np.array(ious)
    other = np.random.default_rng(seed).random(len(true))
    assert risk_coverage(true, true).area <= risk_coverage(other, true).area + 1e-12


@given(ious=IOUS, seed=st.integers(0, 99))
def test_how_boxes_are_listed_changes_nothing(ious: list[float], seed: int) -> None:
    true = np.array(ious)
    told = np.floor(10 * true) / 10
    order = np.random.default_rng(seed).permutation(len(true))
    np.testing.assert_allclose(risk_coverage(told, true).risk, risk_coverage(told[order], true[order]).risk)


def test_auroc_by_hand() -> None:
    # Of four pairs of a good and a bad box three are in order.
    assert auroc(np.array([0.9, 0.4, 0.6, 0.1]), np.array([0.8, 0.9, 0.75, 0.2])) == pytest.approx(0.75)
    assert math.isnan(auroc(np.array([0.9, 0.4]), np.array([0.8, 0.9])))


@given(ious=IOUS)
def test_the_true_iou_tells_good_from_bad(ious: list[float]) -> None:
    true = np.array(ious)
    found = auroc(true, true)
    assert math.isnan(found) or found == pytest.approx(1)
