"""What trunk.onnx gives: names, types and shapes, asked of ONNX Runtime."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dirdet.bundle import TRUNK, Bundle, CanvasSize
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.engines.onnx_operators import explain_missing_operator
from dirdet.errors import BundleError
from dirdet.triton.tensors import Tensor, tensor_of

NUMPY_TYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(uint8)": "uint8"}


@dataclass(frozen=True, slots=True)
class TrunkOutputs:
    """The trunk's outputs.

    Attributes:
        tensors: as its file declares them; Triton wants exactly these dimensions.
        dims_on: of every output, in the same order, on each of the bundle's canvases.
    """

    tensors: list[Tensor]
    dims_on: dict[CanvasSize, list[tuple[int, ...]]]


def trunk_outputs(bundle: Bundle) -> TrunkOutputs:
    """Loads the trunk and runs it once on an empty canvas of each size.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        BundleError: there is no trunk.onnx, or it cannot be run.
    """
    ort = import_onnxruntime(f"a model repository, to look at {TRUNK},")
    path = bundle.file(TRUNK)
    try:
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        declared = session.get_outputs()
        dims_on = {
            size: [array.shape[1:] for array in session.run(None, _empty(size))] for size in bundle.manifest.canvases
        }
    except Exception as exc:  # onnxruntime's exception types are not public
        missing = explain_missing_operator(exc, path, version=ort.__version__)
        raise missing or BundleError(f"{path} cannot be run: {str(exc).strip().splitlines()[0]}") from exc
    types = [NUMPY_TYPES.get(str(each.type), str(each.type)) for each in declared]
    tensors = [tensor_of(each.name, dtype, each.shape, {}) for each, dtype in zip(declared, types, strict=True)]
    return TrunkOutputs(tensors, dims_on)


def _empty(size: CanvasSize) -> dict[str, Any]:
    return {
        "canvas": np.zeros((1, size.height, size.width, 3), np.uint8),
        "picture_hw": np.array([[size.height, size.width]], np.int64),
    }
