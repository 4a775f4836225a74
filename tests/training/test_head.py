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


def test_dropout_is_for_training_alone_and_keeps_the_names_of_weights():
    plain, dropping = DIRHead(8, fc_channels=64), DIRHead(8, fc_channels=64, dropout=0.5)
    dropping.load_state_dict(plain.state_dict())
    for weight in dropping.parameters():
        torch.nn.init.normal_(weight)
    plain.load_state_dict(dropping.state_dict())
    features = torch.randn(5, 8, 7, 7)
    assert not torch.allclose(dropping(features)[0], dropping(features)[0])
    for mine, theirs in zip(dropping.eval()(features), plain(features), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("dropout", [-0.1, 1, float("nan")])
def test_a_part_that_cannot_be_left_out_is_refused(dropout):
    with pytest.raises(ValueError, match="dropout must be in"):
        DIRHead(8, fc_channels=64, dropout=dropout)
