"""Puts traceable deformable convolutions in the place of mmcv's, which bake the size of a traced picture."""

# First: the plug-in gives mmcv the operators that it imports.
import dirdet_training.mm  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import copy
from typing import Any

from mmcv.ops import DeformConv2d, DeformConv2dPack, ModulatedDeformConv2d, ModulatedDeformConv2dPack
from torch import nn

from dirdet_export.errors import UnsupportedError
from dirdet_export.graph.deformable import DeformableConv, Geometry
from dirdet_export.graph.detector import Detector

ANY = (DeformConv2d, ModulatedDeformConv2d)


def with_traceable_convolutions(detector: Detector) -> Detector:
    """The same detector, or a copy that shares its weights and has no convolution of mmcv's.

    Raises:
        UnsupportedError: a deformable convolution that takes its offsets from elsewhere.
    """
    if not any(isinstance(part, ANY) for part in detector.modules()):
        return detector
    shared = [*detector.parameters(), *detector.buffers()]
    copied = copy.deepcopy(detector, {id(tensor): tensor for tensor in shared})
    for part in list(copied.modules()):
        for name, child in part.named_children():
            if isinstance(child, ANY):
                setattr(part, name, _traceable(child))
    return copied


def is_deformable(module: nn.Module) -> bool:
    """Whether there is a deformable convolution in it."""
    return any(isinstance(part, DeformableConv) for part in module.modules())


def _traceable(convolution: Any) -> DeformableConv:  # noqa: ANN401
    if type(convolution) not in (DeformConv2dPack, ModulatedDeformConv2dPack):
        raise UnsupportedError(
            "export supports deformable convolutions that find their own offsets, DCN and DCNv2; this detector has "
            f"{type(convolution).__name__}"
        )
    modulated = isinstance(convolution, ModulatedDeformConv2dPack)
    return DeformableConv(
        weight=convolution.weight,
        bias=convolution.bias if modulated else None,
        offsets=convolution.conv_offset,
        geometry=Geometry(
            stride=convolution.stride,
            padding=convolution.padding,
            dilation=convolution.dilation,
            groups=convolution.groups,
            offset_groups=convolution.deform_groups,
        ),
        modulated=modulated,
    )
