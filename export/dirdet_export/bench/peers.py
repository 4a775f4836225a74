"""What one would detect with instead of a served bundle, each from the same weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from dirdet.bundle import DETECTOR, Bundle
from dirdet.engines.base import Engine
from dirdet.engines.factory import make_engine
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.engines.providers import CPU
from dirdet.tensors import Candidates, CanvasBatch
from dirdet_export import signature
from dirdet_export.anatomy import Limits
from dirdet_export.graph.detector import Detector
from dirdet_export.parity.found import Found, found_by_engine
from dirdet_export.parity.reference import as_mmdet_batch, found_in
from dirdet_export.parity.serving import as_canvases
from dirdet_export.quiet import expected_warnings

Pixels: TypeAlias = NDArray[np.uint8]
ENGINE, PLAIN = "dirdet", "dirdet without DIR"
STOCK = "stock ONNX Runtime"
MMDET, MMDET_PLAIN = "MMDetection", "MMDetection without DIR"
TORCH, COMPILED = "torch and torchvision", "torch.compile"
NAMES = (PLAIN, MMDET, MMDET_PLAIN, STOCK, TORCH, COMPILED)
# They rank by score, and are compared with a bundle that does.
WITHOUT_DIR = frozenset({PLAIN, MMDET_PLAIN})


@dataclass(frozen=True)
class Peer:
    """One way to detect.

    Attributes:
        prepare: a picture RGB [h, w, 3], resized, to what is in memory when time begins.
        detect: from that to what there is when time ends.
        found: that as detections; with False all candidates.
    """

    prepare: Callable[[Pixels], Any]
    detect: Callable[[Any], Any]
    found: Callable[[Any, bool], Found]


def by_engine(bundle: Bundle, limits: Limits) -> Peer:
    """The bundle as `dirdet serve` runs it on a CPU."""
    engine: Engine = make_engine(bundle, provider="cpu")
    return _of_candidates(engine.detect, limits)


def by_stock_onnxruntime(bundle: Bundle, limits: Limits) -> Peer:
    """The bundle's detector.onnx in a session as one makes it without options."""
    ort = import_onnxruntime("comparing")
    session = ort.InferenceSession(str(bundle.file(DETECTOR)), providers=[CPU])
    wanted = [each.name for each in session.get_inputs()]
    names = [each.name for each in session.get_outputs()]

    def detect(batch: CanvasBatch) -> Candidates:
        feeds = _feeds(batch)
        arrays = session.run(None, {name: feeds[name] for name in wanted})
        return Candidates.from_outputs(dict(zip(names, arrays, strict=True)))

    return _of_candidates(detect, limits)


def by_torch(detector: Detector, limits: Limits, *, compiled: bool) -> Peer:
    """The network that is exported, run by torch with torchvision's RoIAlign and NMS.

    Compiled is the trunk, by inductor: the RoI stage has shapes that depend on what was found.
    """
    names = [spec.name for spec in signature.outputs(predicts_iou=limits.predicts_iou)]
    wanted = [spec.name for spec in signature.inputs(predicts_iou=limits.predicts_iou)]
    trunk: Any = torch.compile(detector.trunk) if compiled else detector.trunk

    def detect(batch: CanvasBatch) -> Candidates:
        canvas, picture_hw, *request = (torch.from_numpy(_feeds(batch)[name]) for name in wanted)
        with torch.inference_mode(), expected_warnings():
            outputs = detector.roi_stage(*trunk(canvas, picture_hw), picture_hw, *request)
        return Candidates.from_outputs({name: each.numpy() for name, each in zip(names, outputs, strict=True)})

    return _of_candidates(detect, limits)


def by_mmdet(model: Any) -> Peer:  # noqa: ANN401 - MMDetection's detector
    """MMDetection's own `test_step`."""

    def detect(batch: dict[str, Any]) -> list[Any]:
        with torch.inference_mode():
            # Detections are written into the batch's samples.
            return model.test_step({**batch, "data_samples": [sample.clone() for sample in batch["data_samples"]]})

    return Peer(lambda pixels: as_mmdet_batch([pixels]), detect, lambda samples, _kept_only: found_in(samples[0]))


def _of_candidates(detect: Callable[[CanvasBatch], Candidates], limits: Limits) -> Peer:
    def found(answer: Candidates, kept_only: bool) -> Found:
        return found_by_engine(
            answer, 0, iou_weight=limits.iou_weight, kept_only=kept_only, picture_hw=(0, 0), mask_threshold=None
        )

    return Peer(lambda pixels: as_canvases([pixels], limits), detect, found)


def _feeds(batch: CanvasBatch) -> dict[str, Any]:
    names = ("canvas", "picture_hw", "score_threshold", "iou_weight")
    return {
        **{name: getattr(batch, name) for name in names},
        "nms_iou_threshold": np.array(batch.nms_iou_threshold, np.float32),
    }
