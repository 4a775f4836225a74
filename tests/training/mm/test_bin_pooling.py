import torch
from torchvision.ops import roi_align

from dirdet_training.mm.bin_pooling import pool_moved_bins

BOXES = torch.tensor([[20.0, 12, 60, 44], [30.0, 30, 41, 47]])


def features() -> torch.Tensor:
    return torch.randn(3, 16, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def aligned(x: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    return roi_align(x[None], [boxes], 7, spatial_scale=1 / 4, sampling_ratio=2, aligned=True)


def test_bins_that_do_not_move_are_roi_aligns():
    x, boxes = features(), BOXES.double()
    still = torch.zeros(2, 1, 1, 2, dtype=torch.float64)
    torch.testing.assert_close(pool_moved_bins(x, boxes, still, stride=4, output_size=7), aligned(x, boxes))


def test_a_shift_of_the_whole_box_is_roi_align_of_the_shifted_box():
    x, boxes = features(), BOXES.double()
    shift = torch.tensor([[3.0, -2.5], [1.0, 4.0]], dtype=torch.float64)
    pooled = pool_moved_bins(x, boxes, shift[:, None, None], stride=4, output_size=7)
    torch.testing.assert_close(pooled, aligned(x, boxes + shift.repeat(1, 2)))


def test_each_bin_moves_by_itself():
    x, boxes = features(), BOXES.double()
    moves = torch.zeros(2, 7, 7, 2, dtype=torch.float64)
    moves[0, 2, 5] = torch.tensor([4.0, 2.0])  # row 2, column 5: x by 4, y by 2
    pooled = pool_moved_bins(x, boxes, moves, stride=4, output_size=7)
    still = aligned(x, boxes)
    moved = aligned(x, boxes + torch.tensor([4.0, 2, 4, 2]))
    torch.testing.assert_close(pooled[0, :, 2, 5], moved[0, :, 2, 5])
    pooled[0, :, 2, 5] = still[0, :, 2, 5]
    torch.testing.assert_close(pooled, still)


def test_gradients_reach_features_boxes_and_moves():
    x, boxes = features()[:1].requires_grad_(), BOXES[:1].double().requires_grad_()
    moves = torch.full((1, 2, 2, 2), 0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda *inputs: pool_moved_bins(*inputs, stride=4, output_size=2), (x, boxes, moves)
    )


def test_no_box_gives_no_features():
    nothing = pool_moved_bins(features(), torch.zeros(0, 4).double(), torch.zeros(0, 1, 1, 2), stride=4, output_size=7)
    assert nothing.shape == (0, 3, 7, 7)
