import importlib

import pytest
import torch
import torchvision

from dirdet_training.mm import ops

ops.install()

from mmcv.ops import RoIAlign, nms  # noqa: E402


def test_mmcvs_nms_is_torchvisions():
    corners = torch.rand(50, 2) * 50
    boxes = torch.cat([corners, corners + torch.rand(50, 2) * 30 + 1], dim=1)
    scores = torch.rand(50)
    _, kept = nms(boxes, scores, 0.5)
    assert kept.tolist() == torchvision.ops.nms(boxes, scores, 0.5).tolist()


def test_nms_of_no_boxes_keeps_none():
    dets, kept = nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    assert dets.shape == (0, 5)
    assert len(kept) == 0


@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_mmcvs_roi_align_is_torchvisions_forward_and_backward(sampling_ratio):
    features = torch.randn(2, 3, 16, 20)
    rois = torch.tensor([[0, 1.0, 2, 30, 40], [1, 5, 5, 70, 60], [1, 0, 0, 3, 3]])
    ours, theirs = (features.clone().requires_grad_() for _ in range(2))
    pooled = RoIAlign(7, spatial_scale=0.25, sampling_ratio=sampling_ratio)(ours, rois)
    expected = torchvision.ops.roi_align(theirs, rois, 7, 0.25, sampling_ratio, aligned=True)
    torch.testing.assert_close(pooled, expected)
    weight = torch.randn_like(pooled)
    (pooled * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_what_torchvision_lacks_says_so_when_called():
    extension = importlib.import_module("mmcv._ext")
    with pytest.raises(NotImplementedError, match="carafe_forward"):
        extension.carafe_forward()
