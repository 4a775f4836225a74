"""The bundle's side of the comparison: the engine that serves it, and the same network cut in two."""

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dirdet.bundle import ROI_STAGE, TRUNK, Bundle
from dirdet.engines.base import Engine
from dirdet.engines.factory import make_engine
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.tensors import Candidates, CanvasBatch
from dirdet_export.anatomy import CANVAS_MULTIPLE, Limits
from dirdet_export.quiet import expected_warnings
from dirdet_export.torchscript_file import SIGNATURE

Array = NDArray[Any]
# Canvas and picture_hw to the trunk's outputs.
Trunk = Callable[..., list[Array]]


def serving_engine(folder: Path) -> Engine:
    """The embedded engine on the CPU, where it computes in float32 as the checkpoint does.

    Raises:
        DirdetError: it cannot load the bundle.
    """
    return make_engine(Bundle.open(folder), provider="cpu")


class TwoPartEngine:
    """The trunk and roi_stage.pt, as Triton runs them; see `dirdet.engines.base.Engine`."""

    def __init__(self, folder: Path, *, predicts_iou: bool, trunk: str = TRUNK) -> None:
        """Loads both parts.

        Args:
            folder: of the bundle.
            predicts_iou: it has a DIR head.
            trunk: its file: trunk.onnx, which ONNX Runtime runs, or trunk.pt, which torch does.
        """
        self._predicts_iou = predicts_iou
        self._name = trunk
        self._trunk = (_onnx_trunk if trunk == TRUNK else _scripted_trunk)(folder / trunk)
        self._stage, self._outputs = _load_script(folder / ROI_STAGE)

    @property
    def description(self) -> str:
        """What computes."""
        return f"{self._name} and {ROI_STAGE}"

    def detect(self, batch: CanvasBatch) -> Candidates:
        """See `Engine.detect`."""
        maps = self._trunk(batch.canvas, batch.picture_hw)
        request = [batch.picture_hw, batch.score_threshold]
        if self._predicts_iou:
            request.append(batch.iou_weight)
        request.append(np.array(batch.nms_iou_threshold, np.float32))
        arrays = _run_script(self._stage, [*maps, *request])
        return Candidates.from_outputs(dict(zip(self._outputs, arrays, strict=True)))

    def ready(self) -> bool:
        """True: both parts are loaded."""
        return True

    def close(self) -> None:
        """Nothing to do."""


def _onnx_trunk(path: Path) -> Trunk:
    session = import_onnxruntime("parity").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return lambda *arrays: session.run(None, dict(zip(names, arrays, strict=True)))


def _scripted_trunk(path: Path) -> Trunk:
    module, _ = _load_script(path)
    return lambda *arrays: _run_script(module, arrays)


def _load_script(path: Path) -> tuple[Any, list[str]]:
    """A TorchScript file and the names of its outputs."""
    extra = {SIGNATURE: ""}
    with expected_warnings():
        module = torch.jit.load(str(path), map_location="cpu", _extra_files=extra)
    return module, json.loads(extra[SIGNATURE])["outputs"]


def _run_script(module: Any, arrays: Sequence[Array]) -> list[Array]:  # noqa: ANN401
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return [values.numpy() for values in module(*(torch.from_numpy(values) for values in arrays))]


def as_canvases(pictures: list[NDArray[np.uint8]], limits: Limits) -> CanvasBatch:
    """Pictures [h, w, 3] on the smallest common canvas, as MMDetection pads them, with the default thresholds."""
    sizes = np.array([pixels.shape[:2] for pixels in pictures], np.int64)  # [B, 2]
    height, width = -(-sizes.max(0) // CANVAS_MULTIPLE) * CANVAS_MULTIPLE
    canvas = np.zeros((len(pictures), height, width, 3), np.uint8)
    for number, pixels in enumerate(pictures):
        canvas[number, : pixels.shape[0], : pixels.shape[1]] = pixels
    return CanvasBatch(
        canvas=canvas,
        picture_hw=sizes,
        score_threshold=np.full(len(pictures), limits.score_threshold, np.float32),
        iou_weight=np.full(len(pictures), limits.iou_weight, np.float32),
        nms_iou_threshold=limits.nms_iou_threshold,
    )
