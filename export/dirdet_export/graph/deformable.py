"""Deformable convolutions, which need a newer ONNX opset than the rest of the detector, and switchable ones."""

from typing import Any, NamedTuple, cast

import torch
import torchvision  # noqa: F401  # pyright: ignore[reportUnusedImport]  (registers deform_conv2d)
from torch import Tensor, nn
from torch.nn import functional


class Geometry(NamedTuple):
    """Geometry of a convolution; pairs are height, then width."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    offset_groups: int


class DeformableConv(nn.Module):
    """A convolution whose samples move by offsets computed from its input (ICCV 2017; modulated: CVPR 2019)."""

    weight: Tensor
    bias: Tensor

    def __init__(
        self, *, weight: Tensor, bias: Tensor | None, offsets: nn.Module, geometry: Geometry, modulated: bool
    ) -> None:
        """Takes the weights of a detector.

        Args:
            weight: [C', C / groups, kh, kw].
            bias: [C'].
            offsets: features to offsets [B, 2 * offset_groups * kh * kw, H', W'] (y, x of each sample) and, if
                modulated, then logits of the samples' weights [B, offset_groups * kh * kw, H', W'].
            geometry: of the convolution.
            modulated: whether every sample has a weight.
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
        return self.moved(features, features)

    def moved(self, features: Tensor, context: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C', H', W'], with offsets that are computed from a context [B, C, H, W]."""
        moves, logits = self.offsets(context), None
        if self.modulated:
            count = 2 * self.geometry.offset_groups * self.weight.shape[2] * self.weight.shape[3]
            moves, logits = moves[:, :count], moves[:, count:]
        modulation = None if logits is None else logits.sigmoid()
        if torch.onnx.is_in_onnx_export():
            tensors = (features, self.weight, moves, self.bias, *([] if modulation is None else [modulation]))
            return cast(Tensor, _OnnxDeformConv.apply(self.geometry, *tensors))
        return _deform(self.geometry, features, self.weight, moves, self.bias, modulation)


class SwitchableConv(nn.Module):
    """Computes the same as mmcv's SAConv2d: two convolutions of different dilation and a switch (CVPR 2021, Eq. 6)."""

    def __init__(
        self, *, near: nn.Module, far: nn.Module, switch: nn.Module, before: nn.Module, after: nn.Module
    ) -> None:
        """Takes the parts of a detector.

        Args:
            near: the convolution; a `DeformableConv` takes its offsets from the switch's context.
            far: the same with another weight and three times the dilation.
            switch: the context [B, C, H, W] to the share of `near` [B, 1, H', W'].
            before: the mean of the input [B, C, 1, 1] to what is added to it.
            after: the mean of the output [B, C', 1, 1] to what is added to it.
        """
        super().__init__()
        self.near = near
        self.far = far
        self.switch = switch
        self.before = before
        self.after = after

    def forward(self, features: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C', H', W']."""
        features = features + self.before(features.mean((2, 3), keepdim=True))
        context = functional.avg_pool2d(functional.pad(features, (2, 2, 2, 2), mode="reflect"), 5, 1)
        share = self.switch(context)
        near, far = (
            part.moved(features, context) if isinstance(part, DeformableConv) else part(features)
            for part in (self.near, self.far)
        )
        mixed = share * near + (1 - share) * far
        return mixed + self.after(mixed.mean((2, 3), keepdim=True))


def _deform(
    geometry: Geometry,
    features: Tensor,
    weight: Tensor,
    moves: Tensor,
    bias: Tensor,
    modulation: Tensor | None,
) -> Tensor:
    # The operator directly: torchvision.ops.deform_conv2d checks shapes in Python, which a trace cannot record.
    return torch.ops.torchvision.deform_conv2d(
        features,
        weight,
        moves,
        # Without modulation the operator still requires a row per picture, but does not read it.
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
    """Exports ONNX's DeformConv."""

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
        """The operator's result, which the trace continues with."""
        return _deform(geometry, features, weight, moves, bias, modulation[0] if modulation else None)

    @staticmethod
    def symbolic(g: Any, geometry: Geometry, *tensors: Any) -> Any:  # noqa: ANN401
        """The ONNX operator; its inputs have this order, and its offsets the layout of torchvision."""
        return g.op(
            "DeformConv",
            *tensors,
            strides_i=geometry.stride,
            pads_i=geometry.padding * 2,
            dilations_i=geometry.dilation,
            group_i=geometry.groups,
            offset_group_i=geometry.offset_groups,
        )
