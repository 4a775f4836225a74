"""The bundle's side of the comparison: the engine that serves it, and the same network cut in two."""

import json
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from dirdet.bundle import ROI_STAGE, TRUNK, Bundle
from dirdet.engines.base import Engine
from dirdet.engines.factory import make_engine
from dirdet.tensors import Candidates, CanvasBatch
from dirdet_export.anatomy import CANVAS_MULTIPLE, Limits
from dirdet_export.quiet import expected_warnings
from dirdet_export.torchscript_file import SIGNATURE


def serving_engine(folder: Path) -> Engine:
    """The embedded engine on the CPU, where it computes in float32 as the checkpoint does.

    Raises:
        DirdetError: it cannot load the bundle.
    """
    return make_engine(Bundle.open(folder), provider="cpu")


class TwoPartEngine:
    """trunk.onnx by ONNX Runtime and roi_stage.pt by torch, as Triton runs them; see `dirdet.engines.base.Engine`."""

    def __init__(self, folder: Path, *, predicts_iou: bool) -> None:
        """Loads both parts.

        Args:
            folder: of the bundle.
            predicts_iou: it has a DIR head.
        """
        self._predicts_iou = predicts_iou
        self._trunk = onnxruntime.InferenceSession(str(folder / TRUNK), providers=["CPUExecutionProvider"])
        extra = {SIGNATURE: ""}
        with expected_warnings():
            self._stage = torch.jit.load(str(folder / ROI_STAGE), map_location="cpu", _extra_files=extra)
        self._outputs: list[str] = json.loads(extra[SIGNATURE])["outputs"]

    @property
    def description(self) -> str:
        """What computes."""
        return "trunk.onnx and roi_stage.pt"

    def detect(self, batch: CanvasBatch) -> Candidates:
        """See `Engine.detect`."""
        maps = self._trunk.run(None, {"canvas": batch.canvas, "picture_hw": batch.picture_hw})
        request = [batch.picture_hw, batch.score_threshold]
        if self._predicts_iou:
            request.append(batch.iou_weight)
        request.append(np.array(batch.nms_iou_threshold, np.float32))
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            arrays = [values.numpy() for values in self._stage(*(torch.from_numpy(x) for x in (*maps, *request)))]
        return Candidates.from_outputs(dict(zip(self._outputs, arrays, strict=True)))

    def ready(self) -> bool:
        """True: both parts are loaded."""
        return True

    def close(self) -> None:
        """Nothing to do."""


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
