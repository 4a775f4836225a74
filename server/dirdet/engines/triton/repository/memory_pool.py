"""How much of a GPU's memory the pyramids between trunk and RoI stage take."""

from math import prod

from dirdet.engines.triton.model_tensors import BYTES
from dirdet.engines.triton.repository.trunk import TrunkOutputs

# The parameter of the ensemble that docker/triton/serve-detectors reads.
POOL = "dirdet_cuda_memory_pool_bytes"
# The pyramids of a batch that the trunk writes, and of the batch before, which the RoI stage reads.
ALIVE = 2


def pyramid_bytes(trunk: TrunkOutputs) -> int:
    """Bytes of the trunk's outputs for one canvas, of those canvases where they are most."""
    width = [BYTES[tensor.dtype] for tensor in trunk.tensors]
    return max(
        sum(prod(dims) * each for dims, each in zip(whole, width, strict=True)) for whole in trunk.dims_on.values()
    )


def pool_bytes(trunk: TrunkOutputs, *, max_batch: int, instances: int) -> int:
    """What Triton's CUDA memory pool needs for a detector's pyramids.

    Tensors between the models of an ensemble come from this pool. It does not grow: what does not fit goes through the
    host's memory, with one warning in the log.

    Args:
        trunk: its outputs.
        max_batch: canvases of one inference.
        instances: of each model on a GPU.
    """
    return ALIVE * instances * max_batch * pyramid_bytes(trunk)
