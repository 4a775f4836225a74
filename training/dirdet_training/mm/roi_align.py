"""RoIAlign on the CPU with all of torch's threads, forward and backward; other devices and types use torchvision's."""

# The annotations of torch.autograd.Function do not specify its context and results.
# pyright: reportIncompatibleMethodOverride=false

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
import torchvision
from torch import Tensor

from dirdet_training.mm import roi_align_kernel as kernel

# Threads write to adjacent channels of a pixel; two threads must not share a cache line of 64 bytes.
LINE = 16
# A thread with fewer boxes than this costs more to start than it saves.
BOXES_A_THREAD = 8


class Pooling(NamedTuple):
    """The settings by which boxes are pooled.

    Attributes:
        size_hw: the number of bins.
        scale: the factor from box coordinates to pixels of the map.
        sampling_ratio: samples per side of a bin; 0 takes as many as the bin has pixels.
        aligned: pixel centres lie at halves; if False, a box's side has at least one pixel.
    """

    size_hw: tuple[int, int]
    scale: float
    sampling_ratio: int
    aligned: bool

    def numbers(self) -> tuple[np.float32, np.float32, np.float32, int]:
        """Returns the arguments of the loops: scale, shift, least side, samples."""
        shift, least = (0.5, -np.inf) if self.aligned else (0.0, 1.0)
        return np.float32(self.scale), np.float32(shift), np.float32(least), max(self.sampling_ratio, 0)


def roi_align(features: Tensor, rois: Tensor, pooling: Pooling) -> Tensor:
    """Pools boxes from a feature map, with gradients in the features.

    Args:
        features: [B, C, H, W]; features with channels last are not copied.
        rois: [N, 5], picture, x1, y1, x2, y2; pixels of the canvas.
        pooling: the settings.

    Returns:
        [N, C, h, w], equal to torchvision's within rounding; zeros for a box that is not finite.

    Raises:
        ValueError: a shape is wrong, or a roi names a picture that does not exist.
    """
    tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    if features.device.type != "cpu" or features.dtype != torch.float32 or tracing:
        return torchvision.ops.roi_align(
            features,
            rois.to(features.dtype),
            pooling.size_hw,
            pooling.scale,
            pooling.sampling_ratio,
            aligned=pooling.aligned,
        )
    _check(features, rois)
    return _RoIAlign.apply(features, rois, pooling)  # pyright: ignore[reportReturnType]


def _check(features: Tensor, rois: Tensor) -> None:
    """Raises ValueError for wrong shapes and picture numbers, which the loops do not check."""
    if features.dim() != 4 or rois.dim() != 2 or rois.shape[1] != 5:
        raise ValueError(f"expected features [B, C, H, W] and rois [N, 5], not {[*features.shape]}, {[*rois.shape]}")
    if len(rois) and not (rois[:, 0].min() >= 0 and rois[:, 0].max() < len(features)):
        raise ValueError(
            f"rois: expected pictures 0 to {len(features) - 1}, not {rois[:, 0].min()} to {rois[:, 0].max()}"
        )


class _RoIAlign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, rois: Tensor, pooling: Pooling) -> Tensor:  # noqa: ANN401
        maps = features.detach().permute(0, 2, 3, 1).contiguous()  # [B, H, W, C]
        boxes = rois.detach().float().contiguous()
        out = features.new_empty(len(rois), features.shape[1], *pooling.size_hw)
        arrays = maps.numpy(), boxes.numpy(), out.numpy()
        _in_ranges(kernel.pool, arrays, pooling, len(rois), step=BOXES_A_THREAD)
        ctx.save_for_backward(boxes)
        ctx.pooling, ctx.shape = pooling, features.shape
        ctx.channels_last = features.is_contiguous(memory_format=torch.channels_last)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        (boxes,) = ctx.saved_tensors
        batch, channels, height, width = ctx.shape
        grad = grad_out.new_zeros(batch, height, width, channels)
        arrays = grad_out.contiguous().numpy(), boxes.numpy(), grad.numpy()
        _in_ranges(kernel.send_back, arrays, ctx.pooling, channels, step=LINE)
        grad = grad.permute(0, 3, 1, 2)  # [B, C, H, W]
        return grad if ctx.channels_last else grad.contiguous(), None, None


def _in_ranges(loop: Callable[..., None], arrays: tuple[Any, ...], pooling: Pooling, count: int, *, step: int) -> None:
    """Splits 0 to count into ranges of a multiple of a step, and runs a loop on each range in a thread of its own."""
    threads = max(1, min(torch.get_num_threads(), -(-count // step)))
    share = -(-count // (threads * step)) * step
    ranges = [(start, min(start + share, count)) for start in range(0, count, share)] if count else []
    numbers = pooling.numbers()
    if len(ranges) < 2:
        for start, end in ranges:
            loop(*arrays, *numbers, start, end)
        return
    # The loops release Python's lock. Each call starts and ends its threads, so that a fork loses none of them.
    with ThreadPoolExecutor(len(ranges) - 1) as pool:
        others = [pool.submit(loop, *arrays, *numbers, start, end) for start, end in ranges[1:]]
        loop(*arrays, *numbers, *ranges[0])
        for other in others:
            other.result()
