"""Weights in float16: rounded once, so that both sides of the parity check compute with the same, and stored so."""

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dirdet_export.errors import ExportError
from dirdet_export.graph.deformable import DeformableConv

# Smaller tensors (biases, normalisation, constants of the graph) are not worth a cast.
MIN_ELEMENTS = 256
STORED_HALF = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, DeformableConv)


def round_weights(model: nn.Module) -> None:
    """Rounds every weight matrix and kernel to float16, in place; biases and normalisation stay as they are.

    Raises:
        ExportError: a weight does not fit into float16's range.
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


class _FromHalf(nn.Module):
    """A weight that is stored as float16 and read as float32."""

    def forward(self, stored: Tensor) -> Tensor:
        """The weight as computed with."""
        return stored.float()


def store_module_half(module: nn.Module) -> None:
    """Makes the matrices and kernels of a module that `round_weights` rounded be stored as float16, in place."""
    for part in list(module.modules()):
        if (
            isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | DeformableConv)
            and part.weight.numel() >= MIN_ELEMENTS
        ):
            parametrize.register_parametrization(part, "weight", _FromHalf(), unsafe=True)
            # Afterwards, because a parametrization may not itself change the stored type.
            stored = part.get_parameter("parametrizations.weight.original")
            stored.data = stored.data.half()


def store_onnx_half(model: onnx.ModelProto) -> None:
    """Stores float32 initialisers that float16 can hold without loss as float16 and a Cast, in place.

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
