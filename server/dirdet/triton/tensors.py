"""Tensors as Triton's configurations name them: data types, and dimensions without the batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dirdet.bundle import Manifest, TensorSpec
from dirdet.errors import BundleError
from dirdet.triton.pbtxt import Message, Word

DTYPES = {"uint8": "TYPE_UINT8", "int64": "TYPE_INT64", "float32": "TYPE_FP32"}
# Of a dimension that differs from call to call.
ANY = -1


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a Triton model.

    Attributes:
        name: of the tensor.
        dtype: Triton's name of its type.
        dims: of a model that batches, without the batch. Triton knows no empty ones: a tensor [B] of the network has
            dims [1] there, and so does a single number everywhere.
    """

    name: str
    dtype: str
    dims: tuple[int, ...]

    def to_message(self) -> Message:
        """Its entry in a model's configuration."""
        return {"name": self.name, "data_type": Word(self.dtype), "dims": list(self.dims)}


def tensor_of(
    name: str, dtype: str, shape: Sequence[int | str | None], sizes: Mapping[str, int], *, batching: bool = True
) -> Tensor:
    """A tensor of a network as Triton sees it.

    Args:
        name: of the tensor.
        dtype: numpy's name of its type.
        shape: with the batch first, if it has any dimension; a letter is what varies, or what `sizes` names.
        sizes: of the letters that do not vary.
        batching: Triton puts the batch first itself.

    Raises:
        BundleError: a type that no detector has.
    """
    if dtype not in DTYPES:
        raise BundleError(f"tensor {name!r} is of type {dtype!r}; expected one of {', '.join(DTYPES)}")
    dims = tuple(side if isinstance(side, int) else sizes.get(str(side), ANY) for side in shape[batching:])
    return Tensor(name, DTYPES[dtype], dims or (1,))


def detector_tensors(manifest: Manifest, *, batching: bool = True) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and outputs of the whole detector.

    Raises:
        BundleError: the manifest names no tensors, or one of an unknown type.
    """
    sizes = {"M": manifest.max_candidates, "D": manifest.max_detections}

    def tensors(specs: list[TensorSpec]) -> list[Tensor]:
        return [tensor_of(spec.name, spec.dtype, spec.shape, sizes, batching=batching) for spec in specs]

    if not manifest.inputs or not manifest.outputs:
        raise BundleError(f"bundle {manifest.name!r} does not say what its network takes and gives")
    return tensors(manifest.inputs), tensors(manifest.outputs)
