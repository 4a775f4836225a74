"""What of a bundle is measured: the trunk, the RoI stage, both, and the embedded engine's whole."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from dirdet.bundle import Bundle, Manifest
from dirdet.canvas import fit_picture, paint
from dirdet.engines.factory import make_engine
from dirdet.options import DetectOptions, settle
from dirdet.tensors import CanvasBatch
from dirdet_export.bench.parts import Parts, Precision

# Prepares an instance, which then runs one batch a call.
Subject = Callable[[], Callable[[], object]]


def subjects(bundle: Bundle, batch: CanvasBatch, *, device: torch.device, precision: Precision) -> dict[str, Subject]:
    """By name, what can be measured in a precision.

    The parts have their request on the device already and leave their outputs there, as inside Triton. The whole is
    detector.onnx as `dirdet serve` runs it, from and to the host, and only in float32.
    """

    def part(run: Callable[[Parts], Callable[[], object]]) -> Subject:
        def prepare() -> Callable[[], object]:
            parts = Parts(bundle, device=device, precision=precision)
            once = run(parts)

            def and_wait() -> None:
                once()
                parts.wait()

            return and_wait

        return prepare

    def trunk(parts: Parts) -> Callable[[], object]:
        request = parts.move(batch)
        return lambda: parts.trunk(request)

    def roi_stage(parts: Parts) -> Callable[[], object]:
        request = parts.move(batch)
        maps = parts.trunk(request)
        return lambda: parts.roi_stage(maps, request)

    def both(parts: Parts) -> Callable[[], object]:
        request = parts.move(batch)
        return lambda: parts.roi_stage(parts.trunk(request), request)

    def whole() -> Callable[[], object]:
        engine = make_engine(bundle, provider="cuda" if device.type == "cuda" else "cpu")
        return lambda: engine.detect(batch)

    found = {"trunk": part(trunk), "RoI stage": part(roi_stage), "trunk and RoI stage": part(both)}
    return found | {"detector.onnx": whole} if precision == "float32" else found


def request_of(picture: Image.Image, manifest: Manifest, *, batch: int) -> CanvasBatch:
    """An upright RGB picture as often as the batch is large, under the detector's default thresholds."""
    rule, settings = manifest.resize, settle(DetectOptions(), manifest)
    fit = fit_picture((picture.height, picture.width), rule=rule, canvases=manifest.canvases)
    return CanvasBatch(
        canvas=np.stack([paint(picture, fit, rule=rule)] * batch),  # [B, H, W, 3]
        picture_hw=np.array([fit.resized_hw] * batch, np.int64),  # [B, 2]
        score_threshold=np.full(batch, settings.score_threshold, np.float32),
        iou_weight=np.full(batch, settings.iou_weight, np.float32),
        nms_iou_threshold=settings.nms_iou_threshold,
    )
