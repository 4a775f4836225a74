"""What runs the trunk on a GPU inside Triton's ONNX Runtime backend: ONNX Runtime's own CUDA kernels, or TensorRT."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from dirdet.bundle import CanvasSize
from dirdet.triton.pbtxt import Message
from dirdet.triton.tensors import Tensor


def tensorrt(
    inputs: Sequence[Tensor],
    canvases: Sequence[CanvasSize],
    *,
    max_batch: int,
    fp16: bool,
    engine_cache: PurePosixPath | None,
    network: str,
) -> Message:
    """The field `optimization` of a model that TensorRT is to run, as far as it can; CUDA runs the rest.

    There is one profile, over all canvases. A profile for each would be tuned better, but ONNX Runtime builds several
    and then runs the first alone (microsoft/onnxruntime, pull request 31624, would change that).

    Args:
        inputs: the model's, all of them: TensorRT wants the shapes of every one that varies.
        canvases: those it will see.
        max_batch: canvases of one inference.
        fp16: lets TensorRT compute in half precision where it is faster.
        engine_cache: an existing folder in Triton's file system, or None to build the engines at every start.
        network: names the network; it has a folder of its own in the cache, because ONNX Runtime tells engines apart
            by the graph and not by its weights.
    """
    heights, widths = [size.height for size in canvases], [size.width for size in canvases]
    largest = max(canvases, key=lambda size: size.height * size.width)
    parameters = {
        "precision_mode": "FP16" if fp16 else "FP32",
        "trt_profile_min_shapes": _shapes(inputs, 1, min(heights), min(widths)),
        # Full batches are what a busy server runs.
        "trt_profile_opt_shapes": _shapes(inputs, max_batch, largest.height, largest.width),
        "trt_profile_max_shapes": _shapes(inputs, max_batch, max(heights), max(widths)),
        # Several instances that build at once on one GPU have ended Triton (its release 24.03, known issues).
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
    """As ONNX Runtime wants them: `canvas:1x256x320x3,picture_hw:1x2`."""
    sides = {"canvas": (height, width, 3)}
    return ",".join(
        f"{each.name}:{'x'.join(str(side) for side in (batch, *sides.get(each.name, each.dims)))}" for each in inputs
    )
