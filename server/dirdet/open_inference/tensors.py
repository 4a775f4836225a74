"""The detector's tensors as the protocol names them: data types, and shapes with the batch first.

They are those of the model that `dirdet triton` writes for the whole detector: who asks one can ask the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dirdet.bundle import Manifest
from dirdet.tensors import Candidates
from dirdet.triton.tensors import ANY, Tensor, detector_tensors

# Little-endian, as the protocol's binary tensors are.
DTYPES: dict[str, np.dtype[Any]] = {"UINT8": np.dtype("u1"), "INT64": np.dtype("<i8"), "FP32": np.dtype("<f4")}


@dataclass(frozen=True, slots=True)
class ProtocolTensor:
    """An input or output.

    Attributes:
        name: of the tensor.
        datatype: the protocol's name of its type.
        shape: with the batch; -1 is what differs from call to call.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Its entry in the model's metadata."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


def protocol_tensors(manifest: Manifest) -> tuple[list[ProtocolTensor], list[ProtocolTensor]]:
    """Inputs and outputs of a bundle's detector.

    Raises:
        BundleError: the manifest names no tensors, or one of an unknown type.
    """
    inputs, outputs = detector_tensors(manifest)
    return [_with_batch(each) for each in inputs], [_with_batch(each) for each in outputs]


def output_arrays(candidates: Candidates, size: int) -> dict[str, NDArray[Any]]:
    """The outputs of a batch of `size` canvases by their names; none that the detector does not have."""
    arrays: Mapping[str, NDArray[Any] | None] = {
        "boxes": candidates.boxes_xyxy,
        "class_id": candidates.class_id,
        "score": candidates.score,
        "purity": candidates.purity,
        "integrity": candidates.integrity,
        "num_candidates": candidates.num_candidates.reshape(size, 1),
        "kept": candidates.kept,
        "num_detections": candidates.num_detections.reshape(size, 1),
        "mask": candidates.mask,
    }
    return {name: values for name, values in arrays.items() if values is not None}


def datatype_of(values: NDArray[Any]) -> str:
    """The protocol's name of an output's type."""
    return next(name for name, dtype in DTYPES.items() if dtype == values.dtype.newbyteorder("<"))


def _with_batch(tensor: Tensor) -> ProtocolTensor:
    return ProtocolTensor(tensor.name, tensor.dtype.removeprefix("TYPE_"), (ANY, *tensor.dims))
