"""What a network tells over a box, as pixels of a picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dirdet.detection.masks import paste, spread

FULL = np.ones((28, 28), np.float32)
SIDES = st.floats(0, 50, width=32)
Bools = NDArray[np.bool_]


def pasted(probability: NDArray[np.float32], *box: float, hw: tuple[int, int] = (40, 50)) -> Bools:
    return paste(probability, box, hw, threshold=0.5).decode()


def test_a_full_mask_is_its_box() -> None:
    expected = np.zeros((40, 50), np.bool_)
    expected[10:30, 5:20] = True
    np.testing.assert_array_equal(pasted(FULL, 5, 10, 20, 30), expected)


def test_an_empty_mask_is_empty() -> None:
    assert not pasted(FULL * 0, 5, 10, 20, 30).any()


def test_rows_run_from_the_top_and_columns_from_the_left() -> None:
    probability = np.zeros((28, 28), np.float32)
    probability[:14, 14:] = 1
    expected = np.zeros((40, 50), np.bool_)
    expected[0:20, 20:40] = True
    np.testing.assert_array_equal(pasted(probability, 0, 0, 40, 40), expected)


@pytest.mark.parametrize("box", [(0, 0, 50, 40), (0, 0, 1, 1), (49, 39, 50, 40), (0, 39, 50, 40)])
def test_boxes_at_the_pictures_border(box: tuple[float, float, float, float]) -> None:
    x1, y1, x2, y2 = box
    assert pasted(FULL, *box).sum() == (x2 - x1) * (y2 - y1)


def test_the_threshold_itself_is_inside() -> None:
    half = np.full((1, 1), 0.5, np.float32)
    assert paste(half, (0, 0, 2, 2), (2, 2), threshold=0.5).decode().sum() < 4
    assert paste(half, (0, 0, 1, 1), (1, 1), threshold=0.5).decode().all()


@given(x=st.tuples(SIDES, SIDES), y=st.tuples(SIDES, SIDES))
def test_any_box_gives_pixels_next_to_it(x: tuple[float, float], y: tuple[float, float]) -> None:
    (x1, x2), (y1, y2) = sorted(x), sorted(y)
    mask = pasted(FULL, x1, y1, x2, y2, hw=(50, 50))
    rows, columns = np.nonzero(mask)
    if len(rows):
        assert x1 - 2 <= columns.min() + 0.5
        assert columns.max() + 0.5 <= x2 + 2
        assert y1 - 2 <= rows.min() + 0.5
        assert rows.max() + 0.5 <= y2 + 2


@given(st.integers(0, 2**32 - 1))
def test_probabilities_stay_probabilities(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner, sides = rng.uniform(0, 30, 2), rng.uniform(0, 20, 2)
    probability = rng.random((28, 28), np.float32)
    patch = spread(probability, [*corner, *(corner + sides)], (40, 50))
    assert patch.probability.min() >= 0
    assert patch.probability.max() <= 1 + 1e-6
