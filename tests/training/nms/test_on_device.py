"""Every NMS on a GPU as on the CPU; the suite runs the same on the CPU, `make test-gpu` on CUDA."""

import pytest
import torch
from torch import Tensor

from dirdet_training.nms import confidence, iou_nms, ranked_nms, represented_nms, soft_nms, voted_boxes

pytestmark = pytest.mark.gpu


@pytest.fixture(params=[0, 1, 30, 400])
def crowd(request):
    """Boxes, scores and IoUs without two alike, and class ids, on the CPU.

    Of more boxes torchvision lays classes apart in one way on a CPU and in another on a GPU, and rounds differently.
    """
    count = request.param
    generator = torch.Generator().manual_seed(count)
    corners = torch.rand(count, 2, generator=generator) * 300
    boxes = torch.cat([corners, corners + 5 + torch.rand(count, 2, generator=generator) * 60], dim=1)
    scores, ious = ((torch.randperm(count, generator=generator) + 1) / (count + 1) for _ in range(2))
    return boxes, scores, ious, torch.randint(0, 3, (count,), generator=generator)


def assert_there_and_equal(found: tuple[Tensor, ...], expected: tuple[Tensor, ...], device: torch.device) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.device.type == device.type
        torch.testing.assert_close(one.cpu(), other, rtol=0, atol=1e-6)


def test_ranked(crowd, device):
    boxes, scores, ious, class_ids = crowd
    moved = [values.to(device) for values in crowd]
    # Ranked by the same numbers: a root rounded otherwise on the device could change places.
    rank = confidence(scores, ious)
    expected = ranked_nms(boxes, rank, class_ids, iou_threshold=0.5)
    found = ranked_nms(moved[0], rank.to(device), moved[3], iou_threshold=0.5)
    assert_there_and_equal((found,), (expected,), device)
    torch.testing.assert_close(confidence(moved[1], moved[2]).cpu(), rank, rtol=0, atol=1e-6)


@pytest.mark.parametrize("decay", ["linear", "gaussian"])
def test_soft(crowd, device, decay):
    boxes, scores, _, class_ids = crowd
    found = soft_nms(boxes.to(device), scores.to(device), class_ids.to(device), decay=decay)
    assert_there_and_equal(found, soft_nms(boxes, scores, class_ids, decay=decay), device)


def test_iou_guided(crowd, device):
    found = iou_nms(*(values.to(device) for values in crowd), iou_threshold=0.5)
    assert_there_and_equal(found, iou_nms(*crowd, iou_threshold=0.5), device)


def test_represented(crowd, device):
    boxes, scores, ious, class_ids = crowd
    moved = [values.to(device) for values in crowd]
    expected = represented_nms(boxes, scores, ious, class_ids, iou_threshold=0.5)
    found = represented_nms(*moved, iou_threshold=0.5)
    assert_there_and_equal(found, expected, device)


def test_voted(crowd, device):
    boxes, scores, _, class_ids = crowd
    kept = ranked_nms(boxes, scores, class_ids, iou_threshold=0.5)
    moved = voted_boxes(boxes.to(device), scores.to(device), class_ids.to(device), kept.to(device))
    assert moved.device.type == device.type
    torch.testing.assert_close(moved.cpu(), voted_boxes(boxes, scores, class_ids, kept), rtol=1e-4, atol=1e-3)
