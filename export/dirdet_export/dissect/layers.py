"""Converts the layers of MMDetection's heads to those of `graph.heads`, with shared weights."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mmcv.cnn import ConvModule, ConvWS2d
from mmcv.ops import CARAFEPack
from mmdet.models.backbones.resnet import Bottleneck
from mmdet.models.layers.normed_predictor import NormedConv2d, NormedLinear
from mmdet.models.layers.res_layer import SimplifiedBasicBlock
from mmdet.models.roi_heads.bbox_heads.double_bbox_head import BasicResBlock
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage] - what mmcv itself asks

from dirdet_export.dissect.supported import require
from dirdet_export.errors import UnsupportedError
from dirdet_export.graph.heads import Residual, UnitLength
from dirdet_export.graph.reassembly import Reassembly

PLAIN = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.GroupNorm, nn.AvgPool2d, nn.Flatten)


def plain_layers(parts: Iterable[Any], *, name: str) -> nn.Sequential:
    """Converts layers and blocks of a head, in order.

    Args:
        parts: layers of torch and blocks of mmcv and MMDetection.
        name: name of the head, for the error.

    Raises:
        UnsupportedError: a layer or one of its settings is not supported.
    """
    return nn.Sequential(*(layer for part in parts for layer in _layers(part, name)))


def _layers(part: Any, name: str) -> list[nn.Module]:  # noqa: ANN401
    converter = next((convert for kind, convert in _CONVERTERS.items() if type(part) is kind), None)
    if converter is not None:
        return converter(part, name)
    if isinstance(part, nn.Sequential):
        return list(plain_layers(part, name=name))
    if isinstance(part, nn.ReLU):
        return [nn.ReLU(inplace=True)]
    if isinstance(part, _BatchNorm):
        require(bool(part.affine and part.track_running_stats), True, name=f"affine, tracked statistics of {name}")
        return [_batch_norm(part)]
    # mmcv's wrappers of convolutions differ from torch's layers only for empty inputs.
    if type(part).__name__ in {layer.__name__ for layer in PLAIN} and isinstance(part, PLAIN):
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d):
            require(part.padding_mode, "zeros", name=f"padding_mode in {name}")
        return [part]
    known = ", ".join(layer.__name__ for layer in PLAIN)
    raise UnsupportedError(
        f"export supports {name} of {known}, BatchNorm and ReLU; this detector's has {type(part).__name__}"
    )


def _conv_module(part: Any, name: str) -> list[nn.Module]:  # noqa: ANN401
    require(part.order, ("conv", "norm", "act"), name=f"the order of {name}'s layers")
    require(
        bool(part.with_explicit_padding or part.with_spectral_norm), False, name=f"padding, spectral norm of {name}"
    )
    parts = [part.conv, part.norm if part.with_norm else None, part.activate if part.with_activation else None]
    return list(plain_layers((each for each in parts if each is not None), name=name))


def _residual(body: list[Any], skip: list[Any], name: str, *, relu: bool = True) -> list[nn.Module]:
    return [Residual(body=plain_layers(body, name=name), skip=plain_layers(skip, name=name), relu=relu)]


def _res_block(part: Any, name: str) -> list[nn.Module]:  # noqa: ANN401
    return _residual([part.conv1, part.conv2], [part.conv_identity], name)


def _bottleneck(part: Any, name: str) -> list[nn.Module]:  # noqa: ANN401
    require(bool(part.with_plugins), False, name=f"plugins of {name}")
    body = [part.conv1, part.norm1, part.relu, part.conv2, part.norm2, part.relu, part.conv3, part.norm3]
    return _residual(body, [] if part.downsample is None else [part.downsample], name)


def _basic_block(part: Any, name: str) -> list[nn.Module]:  # noqa: ANN401
    body = [part.conv1, *([part.norm1] if part.with_norm else []), part.relu]
    body += [part.conv2, *([part.norm2] if part.with_norm else [])]
    return _residual(body, [] if part.downsample is None else [part.downsample], name, relu=False)


def _with_weight(part: Any, weight: Tensor) -> nn.Module:  # noqa: ANN401
    """A plain layer with the geometry and bias of a Linear or Conv2d, and another weight."""
    with_bias = part.bias is not None
    if isinstance(part, nn.Linear):
        layer: Any = nn.Linear(part.in_features, part.out_features, bias=with_bias)
    else:
        geometry = {key: getattr(part, key) for key in ("kernel_size", "stride", "padding", "dilation", "groups")}
        layer = nn.Conv2d(part.in_channels, part.out_channels, bias=with_bias, **geometry)
    layer.weight, layer.bias = nn.Parameter(weight), part.bias
    return layer


def _standardised(part: Any, name: str) -> list[nn.Module]:  # noqa: ANN401, ARG001
    """A convolution with the weight that mmcv's ConvWS2d computes with: each kernel without mean, of deviation 1."""
    flat = part.weight.detach().flatten(1)
    flat = (flat - flat.mean(1, keepdim=True)) / (flat.std(1, keepdim=True) + part.eps)
    return [_with_weight(part, flat.view_as(part.weight))]


def _normed(part: Any, name: str) -> list[nn.Module]:  # noqa: ANN401, ARG001
    """The layers of MMDetection's NormedLinear and NormedConv2d, whose weight's rows have length 1."""
    weight = part.weight.detach()
    if getattr(part, "norm_over_kernel", False):
        length = weight.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    else:
        length = weight.norm(dim=1, keepdim=True)
    before = UnitLength(temperature=float(part.temperature), power=float(part.power), eps=float(part.eps))
    return [before, _with_weight(part, weight / (length.pow(part.power) + part.eps))]


def reassembly(part: Any) -> Reassembly:  # noqa: ANN401
    """The upsampling of a CARAFEPack."""
    return Reassembly(
        compressor=part.channel_compressor,
        encoder=part.content_encoder,
        side=int(part.up_kernel),
        groups=int(part.up_group),
        factor=int(part.scale_factor),
    )


def _batch_norm(part: Any) -> nn.BatchNorm2d:  # noqa: ANN401
    """A layer that computes in evaluation mode the same as any of torch's batch norms, with the same tensors."""
    layer = nn.BatchNorm2d(part.num_features, eps=part.eps)
    layer.weight, layer.bias = part.weight, part.bias
    layer.running_mean, layer.running_var = part.running_mean, part.running_var
    layer.num_batches_tracked = part.num_batches_tracked
    return layer.eval()


_CONVERTERS: Mapping[type, Callable[[Any, str], list[nn.Module]]] = {
    ConvModule: _conv_module,
    BasicResBlock: _res_block,
    SimplifiedBasicBlock: _basic_block,
    Bottleneck: _bottleneck,
    ConvWS2d: _standardised,
    NormedLinear: _normed,
    NormedConv2d: _normed,
    CARAFEPack: lambda part, _: [reassembly(part)],
}
