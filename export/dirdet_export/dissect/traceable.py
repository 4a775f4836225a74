"""Replaces parts of MMDetection's and mmcv's, whose traces hold for one size of pictures only, by traceable ones."""

# First: the plug-in provides the operators that mmcv imports.
import dirdet_training.mm  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from mmcv.ops import (
    CARAFEPack,
    DeformConv2d,
    DeformConv2dPack,
    ModulatedDeformConv2d,
    ModulatedDeformConv2dPack,
    SAConv2d,
)
from mmdet.models.backbones.swin import ShiftWindowMSA
from mmdet.models.necks import BFP
from torch import Tensor, nn

from dirdet_export.dissect.layers import reassembly
from dirdet_export.errors import UnsupportedError
from dirdet_export.graph.adaptive_pooling import BalancedPyramid
from dirdet_export.graph.deformable import DeformableConv, Geometry, SwitchableConv
from dirdet_export.graph.swin_attention import WindowAttention

Part = TypeVar("Part", bound=nn.Module)


def with_traceable_parts(detector: Part) -> Part:
    """The same module, or a copy with shared weights and without parts whose trace holds for one size only.

    Raises:
        UnsupportedError: a deformable convolution does not compute its own offsets, or a part has no replacement.
    """
    if not any(isinstance(part, tuple(_REPLACEMENTS)) for part in detector.modules()):
        return detector
    shared = [*detector.parameters(), *detector.buffers()]
    copied = copy.deepcopy(detector, {id(tensor): tensor for tensor in shared})
    for part in list(copied.modules()):
        for name, child in part.named_children():
            convert = next((convert for kind, convert in _REPLACEMENTS.items() if isinstance(child, kind)), None)
            if convert is not None:
                setattr(part, name, convert(child))
    return copied


def is_deformable(module: nn.Module) -> bool:
    """Whether the detector has a deformable convolution."""
    return any(isinstance(part, DeformableConv) for part in module.modules())


def _deformable(convolution: Any) -> nn.Module:  # noqa: ANN401
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


def _balanced(neck: Any) -> nn.Module:  # noqa: ANN401
    refine = neck.refine if neck.refine_type is not None else None
    return BalancedPyramid(refine=refine, refine_level=int(neck.refine_level))


def _windows(part: Any) -> nn.Module:  # noqa: ANN401
    return WindowAttention(attention=part.w_msa, side=int(part.window_size), shift=int(part.shift_size))


def _switchable(part: Any) -> nn.Module:  # noqa: ANN401
    with torch.no_grad():
        near = part._get_weight(part.weight)
        weights = (near, near + part.weight_diff)
    pairs = (("offset_s", weights[0], 1), ("offset_l", weights[1], 3))
    parts = [_one_of_two(part, getattr(part, name, None), weight, factor) for name, weight, factor in pairs]
    return SwitchableConv(
        near=parts[0], far=parts[1], switch=part.switch, before=part.pre_context, after=part.post_context
    )


def _one_of_two(part: Any, offsets: nn.Module | None, weight: Tensor, factor: int) -> nn.Module:  # noqa: ANN401
    """A convolution of a SAConv2d, whose padding and dilation are multiplied by a factor."""
    padding, dilation = ((side[0] * factor, side[1] * factor) for side in (part.padding, part.dilation))
    if offsets is not None:
        geometry = Geometry(part.stride, padding, dilation, part.groups, 1)
        return DeformableConv(weight=weight, bias=None, offsets=offsets, geometry=geometry, modulated=False)
    convolution = nn.Conv2d(
        part.in_channels, part.out_channels, part.kernel_size, part.stride, padding, dilation, part.groups, bias=False
    )
    convolution.weight = nn.Parameter(weight)
    return convolution


_REPLACEMENTS: Mapping[type[nn.Module], Callable[[Any], nn.Module]] = {
    DeformConv2d: _deformable,
    ModulatedDeformConv2d: _deformable,
    SAConv2d: _switchable,
    BFP: _balanced,
    ShiftWindowMSA: _windows,
    CARAFEPack: reassembly,
}
