"""A bundle's trunk: its file and its outputs' names, types and shapes, from ONNX Runtime."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dirdet.bundle.bundle import TRUNK, TRUNK_FLOAT16, Bundle, CanvasSize
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.engines.onnx_operators import explain_missing_operator
from dirdet.engines.triton.model_tensors import Tensor, tensor_of
from dirdet.errors import BundleError

NUMPY_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
}


@dataclass(frozen=True, slots=True)
class TrunkOutputs:
    """The trunk's outputs.

    Attributes:
        tensors: as the file declares them; Triton requires exactly these dimensions.
        dims_on: dimensions of every output, in the same order, on each of the bundle's canvases.
    """

    tensors: list[Tensor]
    dims_on: dict[CanvasSize, list[tuple[int, ...]]]


def trunk_file(bundle: Bundle, *, fp16: bool) -> Path:
    """The file of the trunk that computes in float16, or of the other.

    Raises:
        BundleError: the bundle does not have it.
    """
    if fp16 and TRUNK_FLOAT16 not in bundle.manifest.files:
        raise BundleError(
            f"{bundle.folder}: --fp16 serves {TRUNK_FLOAT16}, which this bundle does not have; "
            "export the detector with --fp16-trunk"
        )
    return bundle.file(TRUNK_FLOAT16 if fp16 else TRUNK)


def trunk_outputs(bundle: Bundle, *, fp16: bool = False) -> TrunkOutputs:
    """Loads the trunk and runs it once on an empty canvas of each size.

    Args:
        bundle: has the trunk.
        fp16: take the trunk that computes in float16.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        BundleError: the file is missing or cannot be run.
    """
    path = trunk_file(bundle, fp16=fp16)
    ort = import_onnxruntime(f"a model repository, to look at {path.name},")
    try:
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        declared = session.get_outputs()
        dims_on = {
            size: [array.shape[1:] for array in session.run(None, _empty(size))] for size in bundle.manifest.canvases
        }
    except Exception as exc:  # exception types of onnxruntime are not public
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
