"""Implements mmcv's compiled operators, for an mmcv that was installed without compiling them."""

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import NoReturn, TypedDict, Unpack

import torch
import torchvision
from torch import Tensor

from dirdet.errors import DirdetError
from dirdet_training.mm import deform_ops
from dirdet_training.mm.reassembly_op import carafe_forward
from dirdet_training.mm.roi_align import Pooling, roi_align
from dirdet_training.mm.soft_nms_op import softnms

EXTENSION = "mmcv._ext"


class MissingOperatorError(DirdetError, NotImplementedError):
    """A detector needs one of mmcv's compiled operators that dirdet has no counterpart of."""


def _nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """Returns the indices of the boxes that survive, highest score first."""
    if offset:
        raise NotImplementedError(f"nms: offset must be 0 on torchvision's operators, not {offset}")
    return torchvision.ops.nms(boxes, scores, iou_threshold)


class _MmcvPooling(TypedDict):
    """The fields of `Pooling` under the names that mmcv's callers use."""

    aligned_height: int
    aligned_width: int
    spatial_scale: float
    sampling_ratio: int
    pool_mode: int
    aligned: bool


def _average(pooling: _MmcvPooling) -> Pooling:
    if pooling["pool_mode"] != 1:
        raise NotImplementedError("roi_align: only average pooling exists on torchvision's operators")
    size_hw = pooling["aligned_height"], pooling["aligned_width"]
    return Pooling(size_hw, pooling["spatial_scale"], pooling["sampling_ratio"], pooling["aligned"])


def _roi_align_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    _argmax_y: Tensor,
    _argmax_x: Tensor,
    **pooling: Unpack[_MmcvPooling],
) -> None:
    """Pools rois [N, 5] (picture, x1, y1, x2, y2) from features [B, C, H, W] into output, in place."""
    size_hw, scale, sampling_ratio, aligned = _average(pooling)
    output.copy_(torchvision.ops.roi_align(features, rois, size_hw, scale, sampling_ratio, aligned=aligned))


def _roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    _argmax_y: Tensor,
    _argmax_x: Tensor,
    grad_input: Tensor,
    **pooling: Unpack[_MmcvPooling],
) -> None:
    """Adds the gradient from grad_output [N, C, h, w] to grad_input [B, C, H, W], in place."""
    size_hw, scale, sampling_ratio, aligned = _average(pooling)
    grad_input.add_(
        torch.ops.torchvision._roi_align_backward(
            grad_output, rois, scale, *size_hw, *grad_input.shape, sampling_ratio, aligned
        )
    )


def _missing(name: str) -> Callable[..., NoReturn]:
    def call(*_args: object, **_kwargs: object) -> NoReturn:
        raise MissingOperatorError(
            f"mmcv's operator '{name}' is not available: this mmcv was installed without its compiled operators, "
            "and dirdet has only nms, soft_nms, roi_align, deformable and masked convolutions, and carafe without "
            "gradients"
        )

    return call


class _TorchvisionExtension(ModuleType):
    """Replaces `mmcv._ext`; a missing operator raises an error when it is called, not when it is imported."""

    nms = staticmethod(_nms)
    softnms = staticmethod(softnms)
    roi_align_forward = staticmethod(_roi_align_forward)
    roi_align_backward = staticmethod(_roi_align_backward)
    deform_conv_forward = staticmethod(deform_ops.deform_conv_forward)
    deform_conv_backward_input = staticmethod(deform_ops.deform_conv_backward_input)
    deform_conv_backward_parameters = staticmethod(deform_ops.deform_conv_backward_parameters)
    modulated_deform_conv_forward = staticmethod(deform_ops.modulated_deform_conv_forward)
    modulated_deform_conv_backward = staticmethod(deform_ops.modulated_deform_conv_backward)
    carafe_forward = staticmethod(carafe_forward)

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        # The import machinery and inspection look up dunder names that a module may lack.
        if name.startswith("__"):
            raise AttributeError(name)
        return _missing(name)


def install() -> None:
    """Installs torchvision's operators at `mmcv._ext`, unless mmcv is compiled; call it before mmcv.ops is imported."""
    if EXTENSION in sys.modules or find_spec(EXTENSION) is not None:
        return
    extension = _TorchvisionExtension(EXTENSION)
    # mmcv looks up the spec to find out whether it has operators.
    extension.__spec__ = ModuleSpec(EXTENSION, loader=None)
    sys.modules[EXTENSION] = extension
    # mmdet's masks do not use an operator that was missing when they were imported, so it is set here.
    masks = sys.modules.get("mmdet.structures.mask.structures")
    if masks is not None:
        vars(masks)["roi_align"] = importlib.import_module("mmcv.ops.roi_align").roi_align


def pool_over_threads() -> None:
    """Makes mmcv's RoIAlign pool on the CPU by dirdet's loops; call it after mmcv.ops can be imported.

    Maximum pooling, other devices and other types still use mmcv's own operator.
    """
    module = importlib.import_module("mmcv.ops.roi_align")
    mmcvs = module.RoIAlignFunction.apply

    def pooled(
        features: Tensor,
        rois: Tensor,
        output_size: int | tuple[int, int],
        spatial_scale: float = 1.0,
        sampling_ratio: int = 0,
        pool_mode: str = "avg",
        aligned: bool = True,
    ) -> Tensor:
        if features.device.type != "cpu" or features.dtype != torch.float32 or pool_mode != "avg":
            return mmcvs(features, rois, output_size, spatial_scale, sampling_ratio, pool_mode, aligned)
        size_hw = (output_size, output_size) if isinstance(output_size, int) else output_size
        return roi_align(features, rois, Pooling(size_hw, spatial_scale, sampling_ratio, aligned))

    vars(module)["roi_align"] = pooled


def convolve_everywhere() -> None:
    """Makes mmcv's MaskedConv2d an ordinary convolution; call it after mmcv.ops can be imported.

    mmcv's predicts one picture at a time, and leaves zeros where Guided Anchoring has no anchor and reads no value.
    """
    module = importlib.import_module("mmcv.ops.masked_conv")

    def convolved(layer: torch.nn.Conv2d, features: Tensor, mask: Tensor | None = None) -> Tensor:  # noqa: ARG001
        return torch.nn.Conv2d.forward(layer, features)

    module.MaskedConv2d.forward = convolved


def lacks(name: str) -> bool:
    """Checks whether one of mmcv's operators has no implementation; call it after `install`."""
    extension = sys.modules.get(EXTENSION)
    return isinstance(extension, _TorchvisionExtension) and name not in dir(extension)


def provide(name: str, operator: Callable[..., object]) -> None:
    """Sets a missing operator; call it after `install`."""
    if lacks(name):
        vars(sys.modules[EXTENSION])[name] = operator
