"""Tensors in Triton's model configurations: data types, and dimensions without the batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dirdet.bundle.bundle import Manifest, TensorSpec
from dirdet.engines.triton.repository.pbtxt import Message, Word
from dirdet.errors import BundleError

DTYPES = {"uint8": "TYPE_UINT8", "int64": "TYPE_INT64", "float16": "TYPE_FP16", "float32": "TYPE_FP32"}
BYTES = {"TYPE_UINT8": 1, "TYPE_INT64": 8, "TYPE_FP16": 2, "TYPE_FP32": 4}
# Size of a variable dimension.
ANY = -1


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a Triton model.

    Attributes:
        name: of the tensor.
        dtype: Triton's name of the data type.
        dims: without the batch if the model batches. Triton does not accept empty dims: a tensor [B] of the network has
            dims [1], and so has a scalar.
    """

    name: str
    dtype: str
    dims: tuple[int, ...]

    def to_message(self) -> Message:
        """The tensor's entry in a model's configuration."""
        return {"name": self.name, "data_type": Word(self.dtype), "dims": list(self.dims)}


def tensor_of(
    name: str, dtype: str, shape: Sequence[int | str | None], sizes: Mapping[str, int], *, batching: bool = True
) -> Tensor:
    """Describes a tensor of a network for Triton.

    Args:
        name: of the tensor.
        dtype: numpy's name of its type.
        shape: the batch is the first dimension, if there is any; a letter is a variable dimension or a key of `sizes`.
        sizes: sizes of the letters that are fixed.
        batching: Triton adds the batch dimension itself.

    Raises:
        BundleError: an unknown data type.
    """
    if dtype not in DTYPES:
        raise BundleError(f"tensor {name!r} is of type {dtype!r}; expected one of {', '.join(DTYPES)}")
    dims = tuple(side if isinstance(side, int) else sizes.get(str(side), ANY) for side in shape[batching:])
    return Tensor(name, DTYPES[dtype], dims or (1,))


def detector_tensors(manifest: Manifest, *, batching: bool = True) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and outputs of the whole detector.

    Raises:
        BundleError: the manifest has no tensors, or one with an unknown data type.
    """
    sizes = {"M": manifest.max_candidates, "D": manifest.max_detections}

    def tensors(specs: list[TensorSpec]) -> list[Tensor]:
        return [tensor_of(spec.name, spec.dtype, spec.shape, sizes, batching=batching) for spec in specs]

    if not manifest.inputs or not manifest.outputs:
        raise BundleError(f"bundle {manifest.name!r} does not say what its network takes and gives")
    return tensors(manifest.inputs), tensors(manifest.outputs)
