"""Inferences before a model accepts requests, with values of which boxes are left over at every step."""

from collections.abc import Mapping, Sequence

import numpy as np

from dirdet.bundle.bundle import CanvasSize
from dirdet.engines.triton.model_tensors import ANY, Tensor
from dirdet.engines.triton.repository.pbtxt import Message, Word

# The folder beside a model's versions where Triton looks for the values.
FOLDER = "warmup"
# A request's usual settings; at the other threshold, 0, every class of every proposal is a candidate.
HALF = np.full(1, 0.5, np.float32).tobytes()


def warm_up(
    inputs: Sequence[Tensor],
    canvases: Sequence[CanvasSize],
    *,
    max_batch: int,
    dims_on: Mapping[CanvasSize, Sequence[tuple[int, ...]]] | None = None,
) -> list[Message]:
    """The field `model_warmup`: on every canvas one inference of one row, and one of the largest batch.

    The canvas is noise. Of zeros as a pyramid the RPN gives its anchors as they are, and the box head its biases.

    Args:
        inputs: of the model.
        canvases: that it serves.
        max_batch: rows of the largest batch; 0 for a model whose tensors have the batch among their dimensions.
        dims_on: of the inputs whose dimensions do not follow from the canvas, the first ones, on each canvas.
    """
    rows = [1, max_batch] if max_batch > 1 else [1]
    return [
        {
            "name": f"{size.height}x{size.width}" + (f"_{batch}" if batch > 1 else ""),
            "batch_size": batch,
            "inputs": [
                {"key": each.name, "value": _value(each, size, dims)}
                for each, dims in zip(inputs, _dims(inputs, size, (dims_on or {}).get(size, [])), strict=True)
            ],
        }
        for size in canvases
        for batch in rows
    ]


def warm_up_files(inputs: Sequence[Tensor], canvases: Sequence[CanvasSize]) -> dict[str, bytes]:
    """Contents by name of the files that `warm_up` refers to."""
    return {
        name: content
        for size in canvases
        for each in inputs
        for name, content in [_file(each.name, size)]
        if name is not None
    }


def _file(name: str, size: CanvasSize) -> tuple[str | None, bytes]:
    """Name and content of an input's values; None where Triton makes them itself."""
    if name == "picture_hw":
        return f"picture_hw_{size.height}x{size.width}", np.array([size.height, size.width], np.int64).tobytes()
    return ("half", HALF) if name in ("iou_weight", "nms_iou_threshold") else (None, b"")


def _value(tensor: Tensor, size: CanvasSize, dims: tuple[int, ...]) -> Message:
    file, _ = _file(tensor.name, size)
    value: Message = {"data_type": Word(tensor.dtype), "dims": list(dims)}
    if file is not None:
        return {**value, "input_data_file": file}
    return {**value, ("random_data" if tensor.name == "canvas" else "zero_data"): True}


def _dims(inputs: Sequence[Tensor], size: CanvasSize, known: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Dimensions of every input for one canvas size, a batch among them 1."""
    sides = {"canvas": (size.height, size.width, 3)}
    rest = inputs[len(known) :]
    whole = [(*each.dims[: -len(last)], *last) for each in rest for last in [sides.get(each.name, each.dims[-1:])]]
    return [*known, *(tuple(1 if side == ANY else side for side in dims) for dims in whole)]
