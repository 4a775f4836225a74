import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dirdet_training import geometry

coordinates = st.floats(-1000, 1000, width=32)
sides = st.floats(0.5, 1000, width=32)
ratios = st.floats(0, 1, width=32)
logits = st.floats(-80, 80, width=32)


def box(x: float, y: float, width: float, height: float) -> Tensor:
    return torch.tensor([x, y, x + width, y + height], dtype=torch.float64)


boxes = st.builds(box, coordinates, coordinates, sides, sides)
measures = pytest.mark.parametrize("measure", [geometry.purity, geometry.integrity, geometry.iou])


@measures
@given(first=boxes, second=boxes)
def test_every_measure_lies_between_0_and_1(measure, first, second):
    assert 0 <= measure(first, second) <= 1


@measures
@given(first=boxes)
def test_identical_boxes_give_1(measure, first):
    assert measure(first, first).item() == pytest.approx(1)


@measures
@given(first=boxes, gap=st.floats(0, 100))
def test_disjoint_boxes_give_0(measure, first, gap):
    width = (first[2] - first[0]).item()
    beside = first + torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64) * (width + gap)
    assert measure(first, beside).item() == pytest.approx(0, abs=1e-9)


@measures
@given(first=boxes, second=boxes, scale=st.floats(0.1, 10), shift=st.floats(-100, 100))
def test_scale_and_shift_change_nothing(measure, first, second, scale, shift):
    moved = measure(first * scale + shift, second * scale + shift)
    assert moved.item() == pytest.approx(measure(first, second).item(), abs=1e-6)


@given(first=boxes, second=boxes)
def test_equation_5_gives_the_iou(first, second):
    combined = geometry.combine(geometry.purity(first, second), geometry.integrity(first, second))
    assert combined.item() == pytest.approx(geometry.iou(first, second).item(), abs=1e-9)


def test_a_box_inside_an_object_is_pure_and_not_whole():
    inner, outer = box(2, 2, 4, 4), box(0, 0, 8, 8)
    assert geometry.purity(inner, outer) == 1
    assert geometry.integrity(inner, outer) == 0.25
    assert geometry.purity(outer, inner) == 0.25
    assert geometry.integrity(outer, inner) == 1


@measures
@pytest.mark.parametrize("empty", [(5.0, 5.0, 5.0, 9.0), (5.0, 5.0, 5.0, 5.0), (9.0, 9.0, 5.0, 5.0)])
def test_an_empty_or_inverted_box_overlaps_nothing(measure, empty):
    nothing, something = torch.tensor(empty), torch.tensor([0.0, 0.0, 10.0, 10.0])
    assert measure(nothing, something) == 0
    assert measure(something, nothing) == 0
    assert measure(nothing, nothing) == 0


@measures
def test_no_boxes_give_no_values(measure):
    assert measure(torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0,)
    assert measure(torch.zeros(0, 1, 4), torch.zeros(1, 3, 4)).shape == (0, 3)


@given(purity=ratios, integrity=ratios)
def test_combining_is_at_most_the_smaller_and_symmetric(purity, integrity):
    p, i = torch.tensor(purity, dtype=torch.float64), torch.tensor(integrity, dtype=torch.float64)
    combined = geometry.combine(p, i).item()
    assert 0 <= combined <= min(purity, integrity) + 1e-12
    assert combined == pytest.approx(geometry.combine(i, p).item())


@pytest.mark.parametrize("purity", [0.0, 1e-30, 1e-7, 0.5, 1 - 1e-7, 1.0])
@pytest.mark.parametrize("integrity", [0.0, 1e-30, 1e-7, 0.5, 1 - 1e-7, 1.0])
def test_the_gradient_of_equation_5_is_finite_to_the_very_ends(purity, integrity):
    p = torch.tensor(purity, dtype=torch.float64, requires_grad=True)
    i = torch.tensor(integrity, dtype=torch.float64, requires_grad=True)
    geometry.combine(p, i).backward()
    for own, other, value in ((p, i, purity), (i, p, integrity)):
        assert own.grad is not None
        assert math.isfinite(own.grad)
        union = purity + integrity - purity * integrity
        # d IoU / d p = (i / union)^2: Eq. 5 differentiated by hand.
        expected = (other.item() / union) ** 2 if union > 0 else 0.0
        assert own.grad.item() == pytest.approx(expected, rel=1e-5, abs=1e-12), value


@given(x=logits, y=logits)
def test_combining_logits_is_equation_5(x, y):
    lx, ly = torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)
    expected = 1 / (1 + math.exp(-x) + math.exp(-y))
    assert geometry.combine_logits(lx, ly).sigmoid().item() == pytest.approx(expected, rel=1e-9)
    assert geometry.combine(lx.sigmoid(), ly.sigmoid()).item() == pytest.approx(expected, rel=1e-6)


@given(x=st.floats(-1e4, 1e4, width=32), y=st.floats(-1e4, 1e4, width=32))
def test_the_gradient_of_combined_logits_is_shared_between_the_two(x, y):
    lx, ly = torch.tensor(x, requires_grad=True), torch.tensor(y, requires_grad=True)
    geometry.combine_logits(lx, ly).backward()
    assert lx.grad is not None
    assert ly.grad is not None
    assert 0 <= lx.grad <= 1
    assert (lx.grad + ly.grad).item() == pytest.approx(1, abs=1e-5)
