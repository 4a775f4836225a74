"""mmcv's compiled operators on torchvision's, for an mmcv that pip installed without compiling them."""

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import NoReturn

import torch
import torchvision
from torch import Tensor

from dirdet_training.mm import deform_ops
from dirdet_training.roi_align import Pooling, roi_align

EXTENSION = "mmcv._ext"


def _nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that survive, best first."""
    if offset:
        raise NotImplementedError(f"nms: offset must be 0 on torchvision's operators, not {offset}")
    return torchvision.ops.nms(boxes, scores, iou_threshold)


def _require_average(pool_mode: int) -> None:
    if pool_mode != 1:
        raise NotImplementedError("roi_align: only average pooling exists on torchvision's operators")


def _roi_align_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    _argmax_y: Tensor,
    _argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pools rois [N, 5] (picture, x1, y1, x2, y2) from features [B, C, H, W] into output, in place."""
    _require_average(pool_mode)
    output.copy_(
        torchvision.ops.roi_align(
            features, rois, (aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned=aligned
        )
    )


def _roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    _argmax_y: Tensor,
    _argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Adds to grad_input [B, C, H, W] what grad_output [N, C, h, w] sends back, in place."""
    _require_average(pool_mode)
    grad_input.add_(
        torch.ops.torchvision._roi_align_backward(
            grad_output,
            rois,
            spatial_scale,
            aligned_height,
            aligned_width,
            *grad_input.shape,
            sampling_ratio,
            aligned,
        )
    )


def _missing(name: str) -> Callable[..., NoReturn]:
    def call(*_args: object, **_kwargs: object) -> NoReturn:
        raise NotImplementedError(
            f"mmcv's operator '{name}' is not available: this mmcv was installed without its compiled operators, "
            "and dirdet gives only nms, roi_align and deformable convolutions on torchvision's"
        )

    return call


class _TorchvisionExtension(ModuleType):
    """Stands at `mmcv._ext`; every operator that it lacks raises when it is called, not when it is imported."""

    nms = staticmethod(_nms)
    roi_align_forward = staticmethod(_roi_align_forward)
    roi_align_backward = staticmethod(_roi_align_backward)
    deform_conv_forward = staticmethod(deform_ops.deform_conv_forward)
    deform_conv_backward_input = staticmethod(deform_ops.deform_conv_backward_input)
    deform_conv_backward_parameters = staticmethod(deform_ops.deform_conv_backward_parameters)
    modulated_deform_conv_forward = staticmethod(deform_ops.modulated_deform_conv_forward)
    modulated_deform_conv_backward = staticmethod(deform_ops.modulated_deform_conv_backward)

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        # Import machinery and inspection ask for dunders that a module may lack.
        if name.startswith("__"):
            raise AttributeError(name)
        return _missing(name)


def install() -> None:
    """Puts torchvision's operators at `mmcv._ext`, unless a compiled mmcv is installed; before mmcv.ops is imported."""
    if EXTENSION in sys.modules or find_spec(EXTENSION) is not None:
        return
    extension = _TorchvisionExtension(EXTENSION)
    # mmcv looks for the spec to learn whether it has operators.
    extension.__spec__ = ModuleSpec(EXTENSION, loader=None)
    sys.modules[EXTENSION] = extension
    # mmdet's masks do without an operator that was missing when they were imported.
    masks = sys.modules.get("mmdet.structures.mask.structures")
    if masks is not None:
        vars(masks)["roi_align"] = importlib.import_module("mmcv.ops.roi_align").roi_align


def pool_over_threads() -> None:
    """Has mmcv's RoIAlign pool on the CPU by dirdet's loops; once mmcv.ops can be imported.

    Maximum pooling, other devices and types stay mmcv's own.
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


def lacks(name: str) -> bool:
    """Whether nothing stands for one of mmcv's operators; after `install`."""
    extension = sys.modules.get(EXTENSION)
    return isinstance(extension, _TorchvisionExtension) and name not in dir(extension)


def provide(name: str, operator: Callable[..., object]) -> None:
    """Puts an operator where there is none; after `install`."""
    if lacks(name):
        vars(sys.modules[EXTENSION])[name] = operator
