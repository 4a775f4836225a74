"""Implements mmcv's deformable convolutions, plain (v1) and modulated (v2), by torchvision's operator."""

import torch
from torch import Tensor

_forward = torch.ops.torchvision.deform_conv2d
_backward = torch.ops.torchvision._deform_conv2d_backward


def _v1_geometry(sizes: dict[str, int]) -> tuple[int, ...]:
    """Returns stride, padding, dilation (height before width), groups and offset groups in torchvision's order."""
    names = ("dH", "dW", "padH", "padW", "dilationH", "dilationW", "group", "deformable_group")
    return tuple(sizes[name] for name in names)


def _v2_geometry(sizes: dict[str, int]) -> tuple[int, ...]:
    names = ("stride_h", "stride_w", "pad_h", "pad_w", "dilation_h", "dilation_w", "group", "deformable_group")
    return tuple(sizes[name] for name in names)


def _no_bias(weight: Tensor) -> Tensor:
    """Makes the placeholder that torchvision expects instead of a bias, [channels]."""
    return weight.new_zeros(len(weight))


def _no_mask(features: Tensor) -> Tensor:
    """Makes the placeholder that torchvision expects instead of a mask, [B, 1]."""
    return features.new_zeros(len(features), 1)


def deform_conv_forward(
    features: Tensor, weight: Tensor, offset: Tensor, output: Tensor, *_buffers: Tensor, **sizes: int
) -> None:
    """Fills output [B, C', H', W'] from features [B, C, H, W] and offsets [B, 2 * groups * kh * kw, H', W']."""
    filled = _no_mask(features), _no_bias(weight)
    output.copy_(_forward(features, weight, offset, *filled, *_v1_geometry(sizes), False))


def _v1_gradients(
    features: Tensor, weight: Tensor, offset: Tensor, grad_output: Tensor, sizes: dict[str, int]
) -> tuple[Tensor, ...]:
    filled = _no_mask(features), _no_bias(weight)
    return _backward(grad_output, features, weight, offset, *filled, *_v1_geometry(sizes), False)


def deform_conv_backward_input(
    features: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_features: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    *_buffers: Tensor,
    **sizes: int,
) -> None:
    """Fills the gradients of features and offsets, in place."""
    of_features, _, of_offset, *_ = _v1_gradients(features, weight, offset, grad_output, sizes)
    grad_features.copy_(of_features)
    grad_offset.copy_(of_offset)


def deform_conv_backward_parameters(
    features: Tensor, offset: Tensor, grad_output: Tensor, grad_weight: Tensor, *_buffers: Tensor, **sizes: int
) -> None:
    """Fills the gradient of the weights, in place; it does not depend on their values."""
    _, of_weight, *_ = _v1_gradients(features, torch.zeros_like(grad_weight), offset, grad_output, sizes)
    grad_weight.copy_(of_weight)


def modulated_deform_conv_forward(
    features: Tensor,
    weight: Tensor,
    bias: Tensor,
    _ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    _columns: Tensor,
    *,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Fills output [B, C', H', W']; the mask [B, groups * kh * kw, H', W'] weighs each sample."""
    bias = bias if with_bias else _no_bias(weight)
    output.copy_(_forward(features, weight, offset, mask, bias, *_v2_geometry(sizes), True))


def modulated_deform_conv_backward(
    features: Tensor,
    weight: Tensor,
    bias: Tensor,
    _ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    _columns: Tensor,
    grad_features: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    *,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Fills all gradients, in place."""
    bias = bias if with_bias else _no_bias(weight)
    found = _backward(grad_output, features, weight, offset, mask, bias, *_v2_geometry(sizes), True)
    for gradient, value in zip((grad_features, grad_weight, grad_offset, grad_mask), found[:4], strict=True):
        gradient.copy_(value)
    if with_bias:
        grad_bias.copy_(found[4])
