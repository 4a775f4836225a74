"""What a modulated deformable convolution needs to begin as the plain one whose weights it takes."""

from collections.abc import Iterator, Mapping

from mmcv.ops import ModulatedDeformConv2d
from torch import Tensor, nn


def untrained_modulations(model: nn.Module, there: Mapping[str, Tensor]) -> Iterator[str]:
    """Names of the weights to double: an untrained modulation is the sigmoid of 0, and halves what they give.

    Args:
        model: with deformable convolutions.
        there: weights that the model begins with, of plain convolutions where it has new ones.
    """
    for name, module in model.named_modules():
        new = f"{name}.weight" in there and f"{name}.conv_offset.weight" not in there
        if new and isinstance(module, ModulatedDeformConv2d):
            yield f"{name}.weight"
