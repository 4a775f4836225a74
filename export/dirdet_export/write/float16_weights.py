"""Weights in float16: rounded once before the parity check, so that both sides compute with the stored values."""

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from dirdet_export.errors import ExportError

# Smaller tensors (biases, normalisation, constants of the graph) stay in float32.
MIN_ELEMENTS = 256
STORED_HALF = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def round_weights(model: nn.Module) -> None:
    """Rounds every weight matrix and kernel to float16, in place; biases and normalisation are unchanged.

    Raises:
        ExportError: a weight is outside float16's range.
    """
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim < 2:
                continue
            rounded = weight.half()
            if not torch.isfinite(rounded).all():
                largest = weight.abs().max().item()
                raise ExportError(f"--weights float16: {name} reaches {largest:g}, float16 ends at 65504; use float32")
            weight.copy_(rounded.float())


def is_half(weight: Tensor) -> bool:
    """Whether float16 holds every value exactly."""
    return torch.equal(weight.half().float(), weight)


def store_onnx_half(model: onnx.ModelProto) -> None:
    """Stores float32 initialisers that float16 represents exactly as float16 with a Cast, in place.

    Runtimes fold the Cast when they load the model.
    """
    graph = model.graph
    casts: list[onnx.NodeProto] = []
    for initializer in graph.initializer:
        if initializer.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(initializer)
        with np.errstate(over="ignore"):
            rounded = values.astype(np.float16)
        if values.size < MIN_ELEMENTS or not np.array_equal(rounded.astype(np.float32), values):
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(rounded, f"{name}.float16"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.float16"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
