import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dirdet_training import geometry
from dirdet_training.rivals.jitter import jittered_boxes


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(
    corner=st.tuples(st.floats(0, 1300), st.floats(0, 800)),
    size=st.tuples(st.floats(1, 900), st.floats(1, 900)),
    min_iou=st.floats(0.05, 1),
    seed=st.integers(0, 10_000),
)
def test_every_box_has_at_least_the_lowest_iou(corner, size, min_iou, seed):
    objects = torch.tensor([[*corner, corner[0] + size[0], corner[1] + size[1]]])
    boxes = jittered_boxes(objects, 50, seeded(seed), min_iou=min_iou)
    assert boxes.shape == (1, 50, 4)
    assert bool((boxes[..., 2:] > boxes[..., :2]).all())
    # The bound is a float64, the IoU a float32.
    assert geometry.iou(boxes, objects[:, None]).min().item() >= min_iou - 1e-7


def test_ious_are_uniform():
    objects = torch.tensor([[10.0, 20, 40, 200], [500, 300, 501, 900], [0, 0, 1300, 800]])
    boxes = jittered_boxes(objects, 4000, seeded(0))
    for ious in geometry.iou(boxes, objects[:, None]):
        shares = torch.histc(ious, bins=10, min=0.5, max=1) / len(ious)
        # 4000 draws: a share of 0.1 deviates by 0.005.
        assert shares.tolist() == pytest.approx([0.1] * 10, abs=0.025)


def test_ious_are_uniform_below_a_half_too():
    objects = torch.tensor([[10.0, 20, 40, 200]])
    ious = geometry.iou(jittered_boxes(objects, 8000, seeded(0), min_iou=0.1)[0], objects)
    shares = torch.histc(ious, bins=9, min=0.1, max=1) / len(ious)
    assert shares.tolist() == pytest.approx([1 / 9] * 9, abs=0.02)


def test_boxes_go_every_way():
    objects = torch.tensor([[100.0, 100, 200, 200]])
    moved = (jittered_boxes(objects, 2000, seeded(0)) - objects[:, None])[0]
    for side in range(4):
        assert (moved[:, side] > 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_a_seed_gives_the_same_boxes_again():
    objects = torch.tensor([[100.0, 100, 200, 200]])
    assert torch.equal(jittered_boxes(objects, 5, seeded(1)), jittered_boxes(objects, 5, seeded(1)))
    assert not torch.equal(jittered_boxes(objects, 5, seeded(1)), jittered_boxes(objects, 5, seeded(2)))


def test_no_object_and_no_box():
    assert jittered_boxes(torch.zeros(0, 4), 5).shape == (0, 5, 4)
    assert jittered_boxes(torch.tensor([[0.0, 0, 9, 9]]), 0).shape == (1, 0, 4)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"\[3\.0, 3\.0, 3\.0, 9\.0\]"):
        jittered_boxes(torch.tensor([[0.0, 0, 9, 9], [3, 3, 3, 9]]), 1)
    with pytest.raises(ValueError, match="-1"):
        jittered_boxes(torch.tensor([[0.0, 0, 9, 9]]), -1)
    with pytest.raises(ValueError, match=r"\(0, 1\], not 0"):
        jittered_boxes(torch.tensor([[0.0, 0, 9, 9]]), 1, min_iou=0)
