"""Initial weights with which a modulated deformable convolution equals the plain convolution it replaces."""

from collections.abc import Iterator, Mapping

from mmcv.ops import ModulatedDeformConv2d
from torch import Tensor, nn


def untrained_modulations(model: nn.Module, there: Mapping[str, Tensor]) -> Iterator[str]:
    """Finds the names of the weights to double: an untrained modulation is the sigmoid of 0 and halves their output.

    Args:
        model: a model with deformable convolutions.
        there: the weights that the model starts from, those of plain convolutions where the model has modulated ones.
    """
    for name, module in model.named_modules():
        new = f"{name}.weight" in there and f"{name}.conv_offset.weight" not in there
        if new and isinstance(module, ModulatedDeformConv2d):
            yield f"{name}.weight"
