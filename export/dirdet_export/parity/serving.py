"""The bundle's side of the comparison: the serving engine, and the network in two parts."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dirdet.bundle.bundle import ROI_STAGE, TRUNK, Bundle
from dirdet.engines.base import Engine
from dirdet.engines.factory import make_engine
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet_export.dissect.anatomy import CANVAS_MULTIPLE
from dirdet_export.dissect.mmdet_settings import Limits
from dirdet_export.graph.roi_stage_file import read_roi_stage

Array = NDArray[Any]


def serving_engine(folder: Path) -> Engine:
    """The embedded engine on the CPU, which computes in float32 like the checkpoint.

    Raises:
        DirdetError: the engine cannot load the bundle.
    """
    return make_engine(Bundle.open(folder), provider="cpu")


class TwoPartEngine:
    """An `Engine` that runs trunk.onnx with ONNX Runtime and roi_stage.safetensors with torch, like Triton."""

    def __init__(self, folder: Path) -> None:
        ort = import_onnxruntime("parity")
        self._trunk = ort.InferenceSession(str(folder / TRUNK), providers=["CPUExecutionProvider"])
        self._stage = read_roi_stage(folder / ROI_STAGE, torch.device("cpu"))

    @property
    def description(self) -> str:
        return f"{TRUNK} and {ROI_STAGE}"

    def detect(self, batch: CanvasBatch) -> Candidates:
        maps = self._trunk.run(None, {"canvas": batch.canvas, "picture_hw": batch.picture_hw})
        request: dict[str, Array] = {
            "picture_hw": batch.picture_hw,
            "score_threshold": batch.score_threshold,
            "iou_weight": batch.iou_weight,
            "nms_iou_threshold": np.array(batch.nms_iou_threshold, np.float32),
        }
        arrays = [*maps, *(request[name] for name in self._stage.inputs[len(maps) :])]
        with torch.inference_mode():
            found = self._stage.stage(*(torch.from_numpy(values) for values in arrays))
        return Candidates.from_outputs(
            {name: values.numpy() for name, values in zip(self._stage.outputs, found, strict=True)}
        )

    def ready(self) -> bool:
        """True: both parts are loaded."""
        return True

    def close(self) -> None: ...


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
