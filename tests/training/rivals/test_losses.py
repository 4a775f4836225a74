import math

import pytest
import torch

from dirdet_training.losses import iou_loss
from dirdet_training.rivals.fitness import expected_fitness, fitness_loss
from dirdet_training.rivals.iou_levels import iou_levels
from dirdet_training.rivals.iou_net import iou_net_loss, predicted_ious
from dirdet_training.rivals.rank_nms import LEVELS, rank_loss

# IoUs of 1, 1/2 and 3/4 with the object.
BOXES = torch.tensor([[0.0, 0, 10, 8], [0, 0, 10, 4], [0, 0, 10, 6]])
OBJECTS = torch.tensor([[0.0, 0, 10, 8]]).repeat(3, 1)


def test_single_iou_is_cross_entropy_with_the_iou():
    logits = torch.zeros(3, requires_grad=True)
    loss = iou_loss(logits, BOXES, OBJECTS)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    # sigmoid - target, a third each
    assert logits.grad is not None
    assert logits.grad.tolist() == pytest.approx([-0.5 / 3, 0, -0.25 / 3])


def test_iou_net_learns_the_objects_class_alone():
    normalised = torch.zeros(3, 2, requires_grad=True)
    loss = iou_net_loss(normalised, torch.tensor([0, 1, 1]), BOXES, OBJECTS)
    loss.backward()
    # Targets 1, -1 and 0.
    assert loss.item() == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert normalised.grad is not None
    assert normalised.grad.flatten().tolist() == pytest.approx([-1 / 3, 0, 0, 1 / 3, 0, 0])


def test_normalised_ious_are_read_back():
    normalised = torch.tensor([[-1.0, 9], [0, 1], [-9, 0]])
    assert predicted_ious(normalised, torch.tensor([0, 1, 0])).tolist() == [0.5, 1, 0]
    assert predicted_ious(normalised, torch.tensor([1, 0, 1])).tolist() == [1, 0.75, 0.75]


def test_levels_of_iou():
    ious = torch.tensor([0.0, 0.49, 0.5, 0.59, 0.61, 0.95, 1.0])
    assert iou_levels(ious, LEVELS).tolist() == [0, 0, 0, 0, 1, 4, 4]
    assert iou_levels(ious, 2).tolist() == [0, 0, 0, 0, 0, 1, 1]


def test_rank_learns_from_hard_pairs_of_one_object():
    logits = torch.tensor([0.0, 0.5, 3.0, 0.0], requires_grad=True)
    ious, object_ids = torch.tensor([0.95, 0.75, 0.55, 0.55]), torch.tensor([0, 0, 0, 1])
    loss = rank_loss(logits, ious, object_ids)
    loss.backward()
    # Pairs of object 0 by level: (0, 1), (0, 2) and (1, 2); object 1 has a box only.
    assert loss.item() == pytest.approx((1.5 + 4 + 3.5) / 3)
    assert logits.grad is not None
    assert logits.grad.tolist() == pytest.approx([-2 / 3, 0, 2 / 3, 0])


def test_pairs_in_order_are_not_counted():
    logits = torch.tensor([5.0, 2.0, 1.5])
    ious, one_object = torch.tensor([0.95, 0.75, 0.55]), torch.zeros(3, dtype=torch.long)
    assert rank_loss(logits, ious, one_object).item() == pytest.approx(0.5)
    assert rank_loss(logits, ious, one_object, margin=0.5).item() == 0
    assert rank_loss(logits, ious, one_object, levels=1).item() == 0
    assert rank_loss(logits.flip(0), torch.full((3,), 0.8), one_object).item() == 0


def test_expected_fitness():
    certain = torch.full((2, 5), -50.0)
    certain[0, 0] = certain[1, 4] = 50
    assert expected_fitness(certain).tolist() == pytest.approx([0.2, 1])
    assert expected_fitness(torch.zeros(1, 5)).tolist() == pytest.approx([0.6])
    assert expected_fitness(torch.tensor([[0.0, math.log(3)]])).tolist() == pytest.approx([0.25 * 0.5 + 0.75])
    assert expected_fitness(torch.zeros(0, 5)).tolist() == []


def test_fitness_is_a_class_of_tiers():
    logits = torch.zeros(2, 5, requires_grad=True)
    loss = fitness_loss(logits, torch.tensor([0.3, 0.95]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(5))
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx([-0.4, 0.1, 0.1, 0.1, 0.1])
    assert logits.grad[1].tolist() == pytest.approx([0.1, 0.1, 0.1, 0.1, -0.4])


NONE, NO_IDS = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)
EMPTY = {
    "single": ((0,), lambda logits: iou_loss(logits, NONE, NONE)),
    "iou_net": ((0, 3), lambda logits: iou_net_loss(logits, NO_IDS, NONE, NONE)),
    "rank": ((0,), lambda logits: rank_loss(logits, torch.zeros(0), NO_IDS)),
    "fitness": ((0, 5), lambda logits: fitness_loss(logits, torch.zeros(0))),
}


@pytest.mark.parametrize("name", EMPTY)
def test_no_positive_box_gives_a_zero_that_can_be_differentiated(name):
    shape, loss_of = EMPTY[name]
    logits = torch.zeros(shape, requires_grad=True)
    loss = loss_of(logits)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None


def test_no_gradient_reaches_the_boxes_and_losses_stay_in_float32():
    boxes = BOXES.clone().requires_grad_()
    half = torch.zeros(3, 2, dtype=torch.bfloat16, requires_grad=True)
    losses = [
        iou_loss(half[:, 0], boxes, OBJECTS),
        iou_net_loss(half, torch.zeros(3, dtype=torch.long), boxes, OBJECTS),
        rank_loss(half[:, 0], torch.rand(3), torch.zeros(3, dtype=torch.long)),
        fitness_loss(half, torch.rand(3)),
    ]
    torch.stack(losses).sum().backward()
    assert boxes.grad is None
    assert all(loss.dtype == torch.float32 for loss in losses)
