"""Implements mmcv's operator of CARAFE, which torchvision has no counterpart of, in plain torch."""

from torch import Tensor
from torch.nn import functional


def carafe_forward(
    features: Tensor,
    kernels: Tensor,
    _rfeatures: Tensor,
    _routput: Tensor,
    _rkernels: Tensor,
    output: Tensor,
    *,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Fills output [B, C, s * H, s * W] with sums of neighbours in features [B, C, H, W], in place.

    Args:
        features: [B, C, H, W].
        kernels: [B, groups * kernel_size^2, s * H, s * W], the weights of each output's neighbours.
        output: [B, C, s * H, s * W].
        kernel_size: k, odd.
        group_size: groups of channels, each with kernels of its own.
        scale_factor: s.
    """
    batch, channels, height, width = features.shape
    framed = functional.pad(features, (kernel_size // 2,) * 4)
    grouped = output.zero_().view(batch, group_size, channels // group_size, *output.shape[2:])
    weights = kernels.view(batch, group_size, 1, kernel_size**2, *kernels.shape[2:])
    for number in range(kernel_size**2):
        row, column = divmod(number, kernel_size)
        moved = framed[:, :, row : row + height, column : column + width]
        near = functional.interpolate(moved, scale_factor=scale_factor, mode="nearest")
        grouped.addcmul_(near.view_as(grouped), weights[:, :, :, number])
