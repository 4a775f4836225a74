import pytest
import torch

from dirdet_training.head import DIRHead, IoUHead
from dirdet_training.rivals.fitness import FitnessHead
from dirdet_training.rivals.iou_net import IoUNetHead
from dirdet_training.rivals.rank_nms import RankHead

SIZES = {"in_channels": 4, "roi_size": 3, "fc_channels": 8}
HEADS = {
    "single": (IoUHead(**SIZES), ()),
    "iou_net": (IoUNetHead(num_classes=6, **SIZES), (6,)),
    "rank": (RankHead(**SIZES), ()),
    "fitness": (FitnessHead(**SIZES), (5,)),
}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_prediction_for_each_box(name, count):
    head, shape = HEADS[name]
    assert head(torch.randn(count, 4, 3, 3)).shape == (count, *shape)


@pytest.mark.parametrize("name", HEADS)
def test_every_layer_learns(name):
    head, _ = HEADS[name]
    head.zero_grad()
    head(torch.randn(5, 4, 3, 3)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in head.parameters())


def test_a_single_branch_is_half_of_dirs_head():
    def weights(head: torch.nn.Module) -> int:
        return sum(weight.numel() for weight in head.parameters())

    assert 2 * weights(IoUHead(**SIZES)) == weights(DIRHead(**SIZES))
