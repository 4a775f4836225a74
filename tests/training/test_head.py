import pytest
import torch

from dirdet_training.head import DIRHead


@pytest.mark.parametrize("count", [0, 1, 5])
def test_each_box_gets_a_purity_and_an_integrity(count):
    purities, integrities = DIRHead(8, roi_size=7, fc_channels=16)(torch.randn(count, 8, 7, 7))
    assert purities.shape == integrities.shape == (count,)


def test_the_branches_share_no_weight():
    head = DIRHead(8, fc_channels=16)
    purities, _ = head(torch.randn(4, 8, 7, 7))
    purities.sum().backward()
    assert all(weight.grad is None for weight in head.integrity.parameters())
    assert all(weight.grad is not None for weight in head.purity.parameters())


def test_an_untrained_head_is_undecided():
    purities, integrities = DIRHead(8, fc_channels=64)(torch.randn(10, 8, 7, 7))
    assert purities.sigmoid().tolist() == pytest.approx([0.5] * 10, abs=0.1)
    assert integrities.sigmoid().tolist() == pytest.approx([0.5] * 10, abs=0.1)
