import importlib
import subprocess
import sys

import pytest
import torch
import torchvision

from dirdet_training.mm import ops
from dirdet_training.nms import soft_nms as our_soft_nms

ops.install()

from mmcv.ops import DeformConv2d, MaskedConv2d, ModulatedDeformConv2d, RoIAlign, carafe, nms, soft_nms  # noqa: E402

ops.convolve_everywhere()


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


def crowded_boxes(count):
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(count, 2, generator=generator) * 50
    boxes = torch.cat([corners, corners + torch.rand(count, 2, generator=generator) * 30 + 1], dim=1)
    return boxes, torch.rand(count, generator=generator)


@pytest.mark.parametrize("method", ["linear", "gaussian"])
def test_mmcvs_soft_nms_is_that_of_the_comparison_with_other_methods(method):
    boxes, scores = crowded_boxes(200)
    settings = {"iou_threshold": 0.4, "sigma": 0.3, "min_score": 0.05}
    dets, kept = soft_nms(boxes, scores, method=method, **settings)
    indices, decayed = our_soft_nms(boxes, scores, torch.zeros(200).long(), decay=method, **settings)
    assert 0 < len(kept) < 200
    assert kept.tolist() == indices.tolist()
    torch.testing.assert_close(dets[:, 4], decayed)
    assert torch.equal(dets[:, :4], boxes[kept])
    assert dets[0, 4] == scores.max()


def test_mmcvs_naive_soft_nms_is_hard_nms_and_an_empty_one_keeps_none():
    boxes, scores = crowded_boxes(200)
    _, kept = soft_nms(boxes, scores, iou_threshold=0.4, min_score=1e-6, method="naive")
    assert kept.tolist() == torchvision.ops.nms(boxes, scores, 0.4).tolist()
    assert soft_nms(boxes[:0], scores[:0])[0].shape == (0, 5)


def test_mmcvs_example_of_soft_nms():
    """That of its documentation: five of six boxes are left."""
    boxes = torch.tensor([[4.0, 3, 5, 3], [4, 3, 5, 4], *[[3, 1, 3, 1]] * 4])
    scores = torch.tensor([0.9, 0.9, 0.5, 0.5, 0.4, 0.0])
    dets, kept = soft_nms(boxes, scores, 0.6, sigma=0.5)
    assert len(dets) == len(kept) == 5


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


@pytest.mark.parametrize("groups", [1, 2])
def test_mmcvs_deformable_convolution_is_torchvisions_forward_and_backward(groups):
    settings = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
    layer = DeformConv2d(4, 6, 3, groups=groups, deform_groups=2, **settings)
    features = torch.randn(2, 4, 9, 11, requires_grad=True)
    height, width = (9 + 2 - 3) // 2 + 1, 11 + 4 - 5 + 1
    offset = torch.randn(2, 2 * 2 * 9, height, width, requires_grad=True)
    expected = torchvision.ops.deform_conv2d(features, offset, layer.weight, **settings)
    check_gradients(layer(features, offset), expected, [features, offset, layer.weight])


@pytest.mark.parametrize("bias", [True, False])
def test_mmcvs_modulated_convolution_is_torchvisions_forward_and_backward(bias):
    layer = ModulatedDeformConv2d(4, 6, 3, padding=1, deform_groups=1, bias=bias)
    features = torch.randn(2, 4, 9, 11, requires_grad=True)
    offset = torch.randn(2, 2 * 9, 9, 11, requires_grad=True)
    mask = torch.rand(2, 9, 9, 11, requires_grad=True)
    expected = torchvision.ops.deform_conv2d(features, offset, layer.weight, layer.bias, padding=1, mask=mask)
    inputs = [features, offset, mask, layer.weight, *([layer.bias] if bias else [])]
    check_gradients(layer(features, offset, mask), expected, inputs)


def check_gradients(ours: torch.Tensor, theirs: torch.Tensor, inputs: list[torch.Tensor]) -> None:
    torch.testing.assert_close(ours, theirs)
    weight = torch.randn_like(ours)
    for mine, other in zip(
        torch.autograd.grad((ours * weight).sum(), inputs),
        torch.autograd.grad((theirs * weight).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(mine, other)


def test_carafe_is_a_weighted_sum_of_neighbours():
    features, kernels = torch.randn(2, 4, 3, 5), torch.rand(2, 2 * 9, 6, 10)
    ours = carafe(features, kernels, 3, 2, 2)
    for picture, channel, row, column in ((0, 0, 0, 0), (1, 3, 5, 9), (0, 1, 2, 4), (1, 2, 3, 7)):
        total = 0.0
        for number, (down, right) in enumerate((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)):
            y, x = row // 2 + down, column // 2 + right
            if 0 <= y < 3 and 0 <= x < 5:
                weight = kernels[picture, channel // 2 * 9 + number, row, column]
                total += float(features[picture, channel, y, x] * weight)
        assert float(ours[picture, channel, row, column]) == pytest.approx(total, abs=1e-5)


def test_a_masked_convolution_takes_several_pictures():
    layer, features = MaskedConv2d(4, 6, 1), torch.randn(2, 4, 5, 7)
    mask = torch.ones(1, 5, 7)
    torch.testing.assert_close(layer(features, mask), torch.nn.functional.conv2d(features, layer.weight, layer.bias))


def test_what_dirdet_lacks_says_so_when_called():
    extension = importlib.import_module("mmcv._ext")
    with pytest.raises(NotImplementedError, match="border_align_forward"):
        extension.border_align_forward()


def test_masks_have_their_operator_whatever_is_imported_first():
    """The order of imports must not decide whether a Mask R-CNN trains."""
    code = (
        "from mmdet.structures.mask import BitmapMasks\n"
        "import dirdet_training.mm, numpy, torch\n"
        "masks = BitmapMasks(numpy.ones((1, 8, 8), numpy.uint8), 8, 8)\n"
        "box, row = torch.tensor([[0.0, 0, 8, 8]]).numpy(), numpy.zeros(1, int)\n"
        "assert masks.crop_and_resize(box, (4, 4), row).masks.all()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
