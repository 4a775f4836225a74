"""Canvases and candidates as inputs and outputs of a Triton model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.engines.triton.model_tensors import DTYPES

# Names of data types in requests. A table, because numpy takes microseconds for a dtype's name and every tensor of
# every request needs it.
WIRE_TYPES = {np.dtype(name): triton.removeprefix("TYPE_") for name, triton in DTYPES.items()}


def request_arrays(batch: CanvasBatch, names: Sequence[str], *, batching: bool) -> dict[str, NDArray[Any]]:
    """Arrays by the names of a model's inputs.

    Args:
        batch: [B] canvases.
        names: inputs of the model; a plain detector's has no iou_weight.
        batching: Triton may join requests; each tensor then has a batch dimension and at least one more.
    """
    size = len(batch.canvas)
    threshold = np.full(size if batching else 1, batch.nms_iou_threshold, np.float32)
    arrays: dict[str, NDArray[Any]] = {
        "canvas": batch.canvas,
        "picture_hw": batch.picture_hw,
        "score_threshold": batch.score_threshold,
        "iou_weight": batch.iou_weight,
        "nms_iou_threshold": threshold,
    }
    chosen = {name: arrays[name] for name in names}
    if batching:
        return {name: values[:, None] if values.ndim == 1 else values for name, values in chosen.items()}
    return chosen


def candidates_of(result: Any, names: Sequence[str]) -> Candidates:  # noqa: ANN401 - tritonclient has no types
    """Candidates from an InferResult.

    Args:
        result: of one request.
        names: of the model's outputs.
    """
    arrays: dict[str, NDArray[Any]] = {name: result.as_numpy(name) for name in names}
    for name in ("num_candidates", "num_detections"):
        arrays[name] = arrays[name].reshape(-1)  # [B], which is [B, 1] with Triton's batching
    return Candidates.from_outputs(arrays)
