import math

import numpy as np
import pytest

from dirdet.quality import pearson


def test_a_straight_line_correlates_fully() -> None:
    true = np.linspace(0.5, 1, 20, dtype=np.float64)
    assert pearson(0.3 * true - 2, true) == pytest.approx(1)
    assert pearson(-true, true) == pytest.approx(-1)


@pytest.mark.parametrize("values", [[], [0.7], [0.7, 0.7, 0.7]])
def test_without_variation_there_is_no_correlation(values: list[float]) -> None:
    assert math.isnan(pearson(np.array(values), np.linspace(0, 1, len(values), dtype=np.float64)))


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        pearson(np.zeros(2), np.zeros(3))
