"""DIR and its rivals learn on a GPU as on the CPU; the suite runs the same on the CPU, `make test-gpu` on CUDA."""

import copy

import pytest
import torch

from dirdet_training import geometry
from dirdet_training.head import DIRHead, IoUHead
from dirdet_training.losses import dir_losses, iou_loss
from dirdet_training.rivals.fitness import FitnessHead, expected_fitness, fitness_loss
from dirdet_training.rivals.iou_net import IoUNetHead, iou_net_loss, predicted_ious
from dirdet_training.rivals.jitter import jittered_boxes
from dirdet_training.rivals.rank_nms import RankHead, rank_loss

pytestmark = pytest.mark.gpu

COUNT, SIZES = 64, {"in_channels": 8, "roi_size": 3, "fc_channels": 16}
HEADS = {
    "dir": DIRHead(**SIZES),
    "single": IoUHead(**SIZES),
    "iou_net": IoUNetHead(num_classes=6, **SIZES),
    "rank": RankHead(**SIZES),
    "fitness": FitnessHead(**SIZES),
}
LOSSES = {
    "dir": lambda found, boxes, objects, _: torch.stack(dir_losses(found[0], found[1], boxes, objects)).sum(),
    "single": lambda found, boxes, objects, _: iou_loss(found, boxes, objects),
    "iou_net": lambda found, boxes, objects, ids: iou_net_loss(found, ids, boxes, objects),
    "rank": lambda found, boxes, objects, ids: rank_loss(found, geometry.iou(boxes, objects), ids),
    "fitness": lambda found, boxes, objects, _: fitness_loss(found, geometry.iou(boxes, objects)),
}


def learn(name, device):
    """The loss and every gradient of one step, on the CPU."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(COUNT, 8, 3, 3, generator=generator)
    corners = torch.rand(COUNT, 2, generator=generator) * 50
    objects = torch.cat([corners, corners + 20 + torch.rand(COUNT, 2, generator=generator) * 30], dim=1)
    boxes = objects + torch.randn(COUNT, 4, generator=generator) * 2
    ids = torch.randint(0, 6, (COUNT,), generator=generator)
    head = copy.deepcopy(HEADS[name]).to(device)
    loss = LOSSES[name](head(features.to(device)), boxes.to(device), objects.to(device), ids.to(device))
    loss.backward()
    return [loss.detach().cpu(), *(weight.grad.cpu() for weight in head.parameters() if weight.grad is not None)]


@pytest.mark.parametrize("name", HEADS)
def test_a_step_gives_the_same_loss_and_gradients(name, device):
    expected = learn(name, torch.device("cpu"))
    assert len(expected) > 6
    for found, wanted in zip(learn(name, device), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-5)


def test_predictions_are_read_where_they_are(device):
    logits, ids = torch.randn(9, 5), torch.arange(9) % 5
    for read, arguments in ((expected_fitness, (logits,)), (predicted_ious, (logits, ids))):
        found = read(*(values.to(device) for values in arguments))
        assert found.device.type == device.type
        torch.testing.assert_close(found.cpu(), read(*arguments))


def test_jittered_boxes_stay_above_the_lowest_iou(device):
    objects = torch.tensor([[0.0, 0, 10, 8], [5, 5, 200, 90]], device=device)
    boxes = jittered_boxes(objects, 500, torch.Generator(device).manual_seed(0))
    assert boxes.device.type == device.type
    ious = geometry.iou(boxes, objects[:, None])
    assert ious.min() >= 0.5
    assert ious.mean().item() == pytest.approx(0.75, abs=0.03)
