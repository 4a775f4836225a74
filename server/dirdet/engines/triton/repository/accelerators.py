"""Accelerators of the trunk in Triton's ONNX Runtime backend: ONNX Runtime's CUDA kernels, or TensorRT."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from dirdet.bundle.bundle import CanvasSize
from dirdet.engines.triton.model_tensors import Tensor
from dirdet.engines.triton.repository.pbtxt import Message


def tensorrt(
    inputs: Sequence[Tensor],
    canvases: Sequence[CanvasSize],
    *,
    max_batch: int,
    engine_cache: PurePosixPath | None,
    network: str,
) -> Message:
    """The field `optimization` of a model for TensorRT; CUDA runs the operators that TensorRT does not support.

    One profile covers all canvases. One profile per canvas would be tuned better, but ONNX Runtime builds several and
    then uses only the first (microsoft/onnxruntime, pull request 31624, would change that). The precision is that of
    the file's types: TensorRT 11 has no switch for it.

    Args:
        inputs: all inputs of the model: TensorRT needs the shapes of every variable one.
        canvases: sizes of the input.
        max_batch: canvases of one inference.
        engine_cache: an existing folder in Triton's file system, or None to build the engines at every start.
        network: digest of the network and name of its folder in the cache, because ONNX Runtime distinguishes engines
            by the graph and not by the weights.
    """
    heights, widths = [size.height for size in canvases], [size.width for size in canvases]
    largest = max(canvases, key=lambda size: size.height * size.width)
    parameters = {
        "trt_profile_min_shapes": _shapes(inputs, 1, min(heights), min(widths)),
        # A busy server runs full batches.
        "trt_profile_opt_shapes": _shapes(inputs, max_batch, largest.height, largest.width),
        "trt_profile_max_shapes": _shapes(inputs, max_batch, max(heights), max(widths)),
        # Instances that build at the same time on one GPU have crashed Triton (known issues of release 24.03).
        "trt_force_sequential_engine_build": "1",
    }
    if engine_cache is not None:
        parameters |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(engine_cache / network)}
    accelerator: Message = {
        "name": "tensorrt",
        "parameters": [{"key": key, "value": value} for key, value in parameters.items()],
    }
    return {"optimization": {"execution_accelerators": {"gpu_execution_accelerator": [accelerator]}}}


def _shapes(inputs: Sequence[Tensor], batch: int, height: int, width: int) -> str:
    """Shapes in ONNX Runtime's format: `canvas:1x256x320x3,picture_hw:1x2`."""
    sides = {"canvas": (height, width, 3)}
    return ",".join(
        f"{each.name}:{'x'.join(str(side) for side in (batch, *sides.get(each.name, each.dims)))}" for each in inputs
    )
