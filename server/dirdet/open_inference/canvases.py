"""Checks a request's arrays and makes them a batch of canvases."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dirdet.bundle import CanvasSize, Manifest
from dirdet.errors import RequestError
from dirdet.open_inference.tensors import ProtocolTensor, datatype_of
from dirdet.tensors import CanvasBatch

CANVAS = "canvas"


def canvas_batch(
    arrays: Mapping[str, NDArray[Any]], inputs: Sequence[ProtocolTensor], manifest: Manifest, *, max_batch: int
) -> CanvasBatch:
    """The batch; what a request leaves out, canvas aside, is the bundle's default, and the whole canvas is picture.

    Args:
        arrays: of the request, by name.
        inputs: those the model has.
        manifest: of the detector.
        max_batch: canvases at most.

    Raises:
        RequestError: an input that is missing, unknown, or not as the model's metadata and the bundle have it.
    """
    known = {each.name: each for each in inputs}
    for name, values in arrays.items():
        if name not in known:
            raise RequestError(f"inputs: there is no {name!r}; there are {', '.join(known)}")
        if datatype_of(values) != known[name].datatype:
            raise RequestError(f"{name}: expected {known[name].datatype}, found {datatype_of(values)}")
    canvas = _canvas(arrays.get(CANVAS), manifest.canvases, max_batch)
    size, height, width, _ = canvas.shape
    defaults = manifest.defaults
    threshold = _fractions(arrays, "nms_iou_threshold", size, defaults.nms_iou_threshold, one=True)
    if (threshold != threshold[0]).any():
        raise RequestError("nms_iou_threshold: expected one number for all canvases of a request")
    return CanvasBatch(
        canvas=canvas,
        picture_hw=_picture_hw(arrays.get("picture_hw"), size, (height, width)),
        score_threshold=_fractions(arrays, "score_threshold", size, defaults.score_threshold),
        iou_weight=_fractions(arrays, "iou_weight", size, defaults.iou_weight),
        nms_iou_threshold=float(threshold[0]),
    )


def _canvas(canvas: NDArray[Any] | None, sizes: Sequence[CanvasSize], max_batch: int) -> NDArray[np.uint8]:
    """[B, H, W, 3] as the bundle has canvases: others would take memory without bound."""
    if canvas is None:
        raise RequestError(f"inputs: {CANVAS!r} is missing")
    known = [(each.height, each.width) for each in sizes]
    if canvas.ndim != 4 or canvas.shape[3] != 3 or tuple(canvas.shape[1:3]) not in known:
        expected = ", ".join(f"[B, {height}, {width}, 3]" for height, width in known)
        raise RequestError(f"{CANVAS}: expected shape {expected}; found {list(canvas.shape)}")
    if not 1 <= len(canvas) <= max_batch:
        raise RequestError(f"{CANVAS}: expected a batch of 1 to {max_batch}, found {len(canvas)}")
    return canvas


def _picture_hw(values: NDArray[Any] | None, size: int, canvas_hw: tuple[int, int]) -> NDArray[np.int64]:
    if values is None:
        return np.tile(np.array(canvas_hw, np.int64), (size, 1))
    if values.shape != (size, 2):
        raise RequestError(f"picture_hw: expected shape {[size, 2]}, found {list(values.shape)}")
    if not ((values >= 1) & (values <= canvas_hw)).all():
        raise RequestError(f"picture_hw: expected heights of 1 to {canvas_hw[0]} and widths of 1 to {canvas_hw[1]}")
    return values.astype(np.int64)


def _fractions(
    arrays: Mapping[str, NDArray[Any]], name: str, size: int, default: float, *, one: bool = False
) -> NDArray[np.float32]:
    """[B] in 0..1, from [B, 1] or [B]; with `one` also from a single number."""
    values = arrays.get(name)
    if values is None:
        return np.full(size, default, np.float32)
    if values.shape not in ((size, 1), (size,)) and not (one and values.size == 1):
        raise RequestError(f"{name}: expected shape {[size, 1]}, found {list(values.shape)}")
    if not ((values >= 0) & (values <= 1)).all():  # also refuses NaN
        raise RequestError(f"{name}: expected numbers in 0..1")
    return np.broadcast_to(values.astype(np.float32).reshape(-1), size).copy()
