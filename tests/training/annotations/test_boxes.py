import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dirdet_training.annotations import boxes

SIZE = np.array([[100.0, 80.0]])
coordinates = st.floats(-300, 300, allow_nan=False)
some_boxes = st.integers(0, 8).flatmap(lambda number: arrays(np.float64, (number, 4), elements=coordinates))


def judge(*box):
    row = np.array([box], np.float64)
    found = {
        "not_finite": boxes.not_finite(row),
        "without_area": boxes.without_area(row),
        "thin": boxes.thin(row),
        "outside": boxes.outside(row, SIZE),
        "reaching_out": boxes.reaching_out(row, SIZE),
    }
    return {name for name, mask in found.items() if mask[0]}


def test_no_boxes():
    none, sizes = np.empty((0, 4)), np.empty((0, 2))
    for mask in (boxes.not_finite(none), boxes.without_area(none), boxes.thin(none)):
        assert mask.shape == (0,)
    assert boxes.outside(none, sizes).shape == boxes.reaching_out(none, sizes).shape == (0,)


def test_one_box_of_each_kind():
    assert judge(0, 0, 100, 80) == set()
    assert judge(0, 0, 100.005, 80) == set(), "rounding"
    assert judge(1, 1, float("nan"), 2) == {"not_finite"}
    assert "not_finite" in judge(1, 1, float("inf"), 2)
    assert "without_area" in judge(1, 1, 0, 2)
    assert "without_area" in judge(1, 1, 4, -2)
    assert judge(1, 1, 0.5, 2) == {"thin"}
    assert judge(100, 1, 5, 5) == {"outside"}, "touching the edge shares nothing"
    assert judge(-5, 1, 5, 5) == {"outside"}
    assert judge(95, 75, 10, 10) == {"reaching_out"}
    assert judge(-1, 0, 10, 10) == {"reaching_out"}


@given(some_boxes)
def test_the_masks_are_what_clipping_finds(xywh):
    sizes = np.repeat(SIZE, len(xywh), axis=0)
    for row, (x, y, width, height) in enumerate(xywh.tolist()):
        left, right = max(x, 0), min(x + width, 100)
        top, bottom = max(y, 0), min(y + height, 80)
        empty = right - left <= 0 or bottom - top <= 0
        assert boxes.outside(xywh, sizes)[row] == empty
        moved = max(left - x, x + width - right, top - y, y + height - bottom)
        if not empty and abs(moved - boxes.ROUNDING_PX) > 1e-9:
            assert boxes.reaching_out(xywh, sizes)[row] == (moved > boxes.ROUNDING_PX)
        assert boxes.without_area(xywh)[row] == (width <= 0 or height <= 0)


@given(some_boxes)
def test_no_box_is_both_outside_and_reaching_out(xywh):
    sizes = np.repeat(SIZE, len(xywh), axis=0)
    assert not (boxes.outside(xywh, sizes) & boxes.reaching_out(xywh, sizes)).any()
    assert not (boxes.thin(xywh) & boxes.without_area(xywh)).any()
