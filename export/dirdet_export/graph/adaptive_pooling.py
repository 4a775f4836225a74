"""Adaptive maximum pooling to a size that is not known when a graph is traced, and Libra R-CNN's neck with it."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


def _windows(sizes: Tensor, target: Tensor, *, axis: int, ratio: int) -> Tensor:
    """Rows or columns [n, ratio + 1] that each of n results is the maximum of; a window's last one fills its place."""
    length, count = sizes[axis], target[axis]
    number = torch.ones_like(torch.zeros(cast(int, count)), dtype=torch.int64).cumsum(0) - 1  # [n]
    first = torch.div(number * length, count, rounding_mode="trunc")
    last = torch.div((number + 1) * length + count - 1, count, rounding_mode="trunc") - 1
    return torch.minimum(first.unsqueeze(1) + torch.arange(ratio + 1), last.unsqueeze(1))


def adaptive_max_pool(features: Tensor, like: Tensor, *, ratio: int) -> Tensor:
    """The same as torch's adaptive_max_pool2d.

    Args:
        features: [B, C, H, W].
        like: [B, C, H', W'], whose size the result has.
        ratio: upper bound of H / H' and W / W'.

    Returns:
        [B, C, H', W'].
    """
    sizes, target = (torch._shape_as_tensor(each) for each in (features, like))  # pyright: ignore
    for axis in (2, 3):
        windows = _windows(sizes, target, axis=axis, ratio=ratio)
        parts = [features.index_select(axis, windows[:, step]) for step in range(ratio + 1)]
        features = torch.stack(parts).amax(0)
    return features


class BalancedPyramid(nn.Module):
    """Computes the same as MMDetection's BFP: every level gets the mean of all levels, refined (CVPR 2019, Eq. 1)."""

    def __init__(self, *, refine: nn.Module | None, refine_level: int) -> None:
        """Takes the parts of a detector.

        Args:
            refine: of the mean; None for none.
            refine_level: the level whose size the mean has.
        """
        super().__init__()
        self.refine = refine
        self.refine_level = refine_level

    def forward(self, levels: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Levels [B, C, H_l, W_l], each about half as large as the one before, to levels of the same sizes."""
        middle = levels[self.refine_level]
        gathered = [self._resized(level, middle, number, self.refine_level) for number, level in enumerate(levels)]
        mean = torch.stack(gathered).sum(0) / len(levels)
        if self.refine is not None:
            mean = self.refine(mean)
        return tuple(
            level + self._resized(mean, level, self.refine_level, number) for number, level in enumerate(levels)
        )

    @staticmethod
    def _resized(level: Tensor, like: Tensor, number: int, target: int) -> Tensor:
        """A level in the size of another."""
        if number == target:
            return level
        if number < target:
            return adaptive_max_pool(level, like, ratio=2 ** (target - number))
        return functional.interpolate(level, size=like.shape[2:], mode="nearest")
