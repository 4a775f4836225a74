"""Deformable convolution, v1 and modulated: the one part of a detector that needs a newer ONNX than the rest."""

from typing import Any, NamedTuple, cast

import torch
import torchvision  # noqa: F401  # pyright: ignore[reportUnusedImport]  (registers deform_conv2d)
from torch import Tensor, nn


class Geometry(NamedTuple):
    """How a kernel moves over the features; pairs are height, then width."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    offset_groups: int


class DeformableConv(nn.Module):
    """A convolution whose samples move by offsets that it sees itself (ICCV 2017; modulated: CVPR 2019)."""

    weight: Tensor
    bias: Tensor

    def __init__(
        self, *, weight: Tensor, bias: Tensor | None, offsets: nn.Module, geometry: Geometry, modulated: bool
    ) -> None:
        """Keeps a detector's own weights.

        Args:
            weight: [C', C / groups, kh, kw].
            bias: [C'].
            offsets: features to offsets [B, 2 * offset_groups * kh * kw, H', W'] (y, x of each sample) and, modulated,
                after them logits of the samples' weights [B, offset_groups * kh * kw, H', W'].
            geometry: of the convolution.
            modulated: every sample has a weight.
        """
        super().__init__()
        self.weight = weight
        if bias is None:
            self.register_buffer("bias", weight.new_zeros(len(weight)), persistent=False)
        else:
            self.bias = bias
        self.offsets = offsets
        self.geometry = geometry
        self.modulated = modulated

    def forward(self, features: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C', H', W']."""
        moves, logits = self.offsets(features), None
        if self.modulated:
            count = 2 * self.geometry.offset_groups * self.weight.shape[2] * self.weight.shape[3]
            moves, logits = moves[:, :count], moves[:, count:]
        modulation = None if logits is None else logits.sigmoid()
        if torch.onnx.is_in_onnx_export():
            tensors = (features, self.weight, moves, self.bias, *([] if modulation is None else [modulation]))
            return cast(Tensor, _OnnxDeformConv.apply(self.geometry, *tensors))
        return _deform(self.geometry, features, self.weight, moves, self.bias, modulation)


def _deform(
    geometry: Geometry,
    features: Tensor,
    weight: Tensor,
    moves: Tensor,
    bias: Tensor,
    modulation: Tensor | None,
) -> Tensor:
    # The operator itself: torchvision.ops.deform_conv2d checks shapes in Python, which a trace cannot record.
    return torch.ops.torchvision.deform_conv2d(
        features,
        weight,
        moves,
        # Without modulation it wants a row for each picture all the same, and reads nothing of it.
        features[:, :1, 0, 0] if modulation is None else modulation,
        bias,
        *geometry.stride,
        *geometry.padding,
        *geometry.dilation,
        geometry.groups,
        geometry.offset_groups,
        modulation is not None,
    )


class _OnnxDeformConv(torch.autograd.Function):
    """Stands for ONNX's DeformConv while a graph is exported."""

    @staticmethod
    def forward(
        _ctx: object,
        geometry: Geometry,
        features: Tensor,
        weight: Tensor,
        moves: Tensor,
        bias: Tensor,
        *modulation: Tensor,
    ) -> Tensor:
        """What the trace goes on with."""
        return _deform(geometry, features, weight, moves, bias, modulation[0] if modulation else None)

    @staticmethod
    def symbolic(g: Any, geometry: Geometry, *tensors: Any) -> Any:  # noqa: ANN401
        """The operator; ONNX has the tensors in this order, and offsets as torchvision has them."""
        return g.op(
            "DeformConv",
            *tensors,
            strides_i=geometry.stride,
            pads_i=geometry.padding * 2,
            dilations_i=geometry.dilation,
            group_i=geometry.groups,
            offset_group_i=geometry.offset_groups,
        )
