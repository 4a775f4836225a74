"""RoIAlign over threads: torchvision's, forward and backward."""

import os

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from dirdet_training.mm.roi_align import Pooling, roi_align


def both(features, rois, pooling):
    """Pooled, and the gradient of the features: dirdet's and torchvision's."""
    found = []
    for pool in (
        roi_align,
        lambda x, rois, how: torchvision.ops.roi_align(
            x, rois, how.size_hw, how.scale, how.sampling_ratio, aligned=how.aligned
        ),
    ):
        maps = features.detach().clone(memory_format=torch.preserve_format).requires_grad_()
        pooled = pool(maps, rois, pooling)
        pooled.backward(torch.linspace(-1, 1, pooled.numel()).view_as(pooled))
        found.append((pooled.detach(), maps.grad))
    return found


def assert_equal(features, rois, pooling):
    (pooled, gradient), (expected, of_expected) = both(features, rois, pooling)
    torch.testing.assert_close(pooled, expected, rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(gradient, of_expected, rtol=1e-5, atol=2e-5)


corners = st.floats(-40, 120, width=32)


@settings(max_examples=150, deadline=None)
@given(
    boxes=st.lists(st.tuples(st.integers(0, 1), corners, corners, corners, corners), min_size=1, max_size=12),
    size=st.tuples(st.integers(1, 13), st.integers(1, 17)),
    channels=st.sampled_from([1, 3, 16, 40]),
    bins=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    ratio=st.integers(0, 3),
    aligned=st.booleans(),
    channels_last=st.booleans(),
)
def test_any_boxes_are_pooled_as_torchvision_does(boxes, size, channels, bins, ratio, aligned, channels_last):
    """Also those outside the map, of no size, and turned inside out."""
    features = torch.randn(2, channels, *size, generator=torch.Generator().manual_seed(0))
    if channels_last:
        features = features.contiguous(memory_format=torch.channels_last)
    rois = torch.tensor(boxes)
    if ratio == 0 and aligned:
        # torchvision fails on boxes that are turned inside out along one axis alone.
        pairs = rois[:, 1:].view(-1, 2, 2)
        rois[:, 1:] = torch.cat([pairs.amin(dim=1), pairs.amax(dim=1)], dim=1)
    assert_equal(features, rois, Pooling(bins, 0.25, ratio, aligned))


def test_no_boxes_give_nothing_and_send_nothing_back():
    features = torch.randn(2, 3, 5, 5, requires_grad=True)
    pooled = roi_align(features, torch.zeros(0, 5), Pooling((7, 7), 0.25, 2, aligned=True))
    assert pooled.shape == (0, 3, 7, 7)
    pooled.sum().backward()
    assert features.grad is not None
    assert not features.grad.any()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_gives_the_same(threads):
    features, corner = torch.randn(3, 40, 30, 30), torch.rand(60, 2) * 80
    rois = torch.cat([torch.arange(60).view(-1, 1) % 3, corner, corner + torch.rand(60, 2) * 60], dim=1)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        assert_equal(features, rois, Pooling((7, 7), 0.25, 0, aligned=True))
    finally:
        torch.set_num_threads(before)


def test_boxes_that_are_not_finite_see_nothing():
    rois = torch.tensor([[0, float("nan"), 0, 4, 4], [0, 0, 0, float("inf"), 4], [0, 0, 0, 8, 8]])
    for ratio in (0, 2):
        pooled = roi_align(torch.ones(1, 2, 9, 9), rois, Pooling((2, 2), 1.0, ratio, aligned=True))
        assert pooled[0].eq(0).all()
        assert pooled[1].isfinite().all()
        assert pooled[2].eq(1).all()


def test_a_box_turned_inside_out_along_one_axis_sees_nothing():
    pooling = Pooling((2, 2), 1.0, 0, aligned=True)
    assert not roi_align(torch.ones(1, 2, 9, 9), torch.tensor([[0, 6.0, 1, 2, 5]]), pooling).any()


@pytest.mark.parametrize("picture", [-1, 2, float("nan")])
def test_a_picture_that_is_not_there_is_refused(picture):
    with pytest.raises(ValueError, match="pictures 0 to 1"):
        roi_align(torch.ones(2, 2, 9, 9), torch.tensor([[picture, 0, 0, 4, 4]]), Pooling((2, 2), 1.0, 2, aligned=True))


def test_double_precision_stays_torchvisions():
    features, rois = torch.randn(1, 2, 6, 6, dtype=torch.float64), torch.tensor([[0, 1.0, 1, 5, 5]])
    assert_equal(features, rois.double(), Pooling((2, 2), 1.0, 2, aligned=True))


def test_a_process_that_forks_after_pooling_can_pool():
    """As a data loader's workers are."""
    features, rois = torch.ones(1, 32, 9, 9), torch.tensor([[0, 1.0, 1, 5, 5]]).repeat(50, 1)
    pooling = Pooling((2, 2), 1.0, 2, aligned=True)
    roi_align(features, rois, pooling)
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        os._exit(0 if roi_align(features, rois, pooling).eq(1).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
