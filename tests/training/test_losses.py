import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from dirdet_training import geometry
from dirdet_training.losses import dir_losses


def pairs(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(count, 2, generator=generator) * 50
    boxes = torch.cat([corners, corners + 10 + torch.rand(count, 2, generator=generator) * 40], dim=1)
    return boxes, boxes + torch.randn(count, 4, generator=generator) * 3


def test_the_losses_are_equation_9_on_probabilities():
    boxes, objects = pairs(20)
    x, y = torch.randn(20), torch.randn(20)
    losses = dir_losses(x, y, boxes, objects)
    combined = geometry.combine(x.sigmoid(), y.sigmoid())
    expected = (
        binary_cross_entropy(x.sigmoid(), geometry.purity(boxes, objects)),
        binary_cross_entropy(y.sigmoid(), geometry.integrity(boxes, objects)),
        binary_cross_entropy(combined, geometry.iou(boxes, objects)),
    )
    for loss, value in zip(losses, expected, strict=True):
        assert loss.item() == pytest.approx(value.item(), rel=1e-5)


def test_no_gradient_reaches_the_boxes():
    boxes, objects = pairs(5)
    boxes.requires_grad_()
    x, y = torch.zeros(5, requires_grad=True), torch.zeros(5, requires_grad=True)
    torch.stack(dir_losses(x, y, boxes, objects)).sum().backward()
    assert boxes.grad is None
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_no_positive_box_gives_a_zero_that_can_be_differentiated():
    x, y = torch.zeros(0, requires_grad=True), torch.zeros(0, requires_grad=True)
    losses = dir_losses(x, y, torch.zeros(0, 4), torch.zeros(0, 4))
    torch.stack(losses).sum().backward()
    assert [loss.item() for loss in losses] == [0, 0, 0]


@pytest.mark.parametrize("logit", [-1e4, -100.0, 100.0, 1e4])
def test_sure_predictions_keep_finite_losses_and_gradients(logit):
    boxes, objects = pairs(3)
    x, y = torch.full((3,), logit, requires_grad=True), torch.full((3,), -logit, requires_grad=True)
    losses = dir_losses(x, y, boxes, objects)
    torch.stack(losses).sum().backward()
    assert all(math.isfinite(loss.item()) for loss in losses)
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


def test_losses_stay_in_float32_for_half_precision_logits():
    boxes, objects = pairs(3)
    x = torch.zeros(3, dtype=torch.bfloat16)
    assert all(loss.dtype == torch.float32 for loss in dir_losses(x, x, boxes, objects))


def test_a_box_on_no_object_teaches_zero_exactly():
    boxes, nothing = pairs(4)[0], torch.zeros(4, 4)
    x, y = (torch.tensor([-30.0, -1, 0, 3], requires_grad=True) for _ in range(2))
    losses = dir_losses(x, y, boxes, nothing)
    torch.stack(losses).sum().backward()
    # Targets of 0: the loss is softplus of the logit, its gradient the probability.
    probabilities = x.detach().sigmoid()
    assert losses.purity.item() == pytest.approx(torch.nn.functional.softplus(x.detach()).mean().item())
    combined = geometry.combine(probabilities, probabilities)
    assert losses.iou.item() == pytest.approx(-torch.log1p(-combined).mean().item(), rel=1e-5)
    assert x.grad is not None
    # By Eq. 5 with p = i: d logit(iou) / dx = 1/2.
    torch.testing.assert_close(x.grad, (probabilities + combined / 2) / 4)


@pytest.mark.parametrize("disjoint", [[500.0, 500, 510, 510], [0, 0, 0, 0], [7, 7, 7, 9]])
def test_boxes_without_overlap_keep_losses_and_gradients_finite(disjoint):
    boxes = torch.tensor([[1.0, 1, 9, 9], [3, 3, 3, 3]])
    for logit in (-1e4, -50.0, 0.0, 50.0):
        x, y = torch.full((2,), logit, requires_grad=True), torch.full((2,), -logit, requires_grad=True)
        torch.stack(dir_losses(x, y, boxes, torch.tensor([disjoint] * 2))).sum().backward()
        assert x.grad is not None
        assert y.grad is not None
        assert bool(torch.isfinite(torch.cat([x.grad, y.grad])).all())
        assert bool((torch.cat([x.grad, y.grad]) >= 0).all()), "what fits nothing only ever falls"
