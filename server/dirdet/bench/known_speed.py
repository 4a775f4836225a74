"""A detector of known speed: what the gateway itself makes of it can be told from its figures alone."""

import time

import numpy as np

from dirdet.bundle import CanvasSize, Category, Manifest, Provenance, ResizeRule, Thresholds
from dirdet.detector import Detector
from dirdet.tensors import Candidates, CanvasBatch

CANVASES = (CanvasSize(height=256, width=320), CanvasSize(height=320, width=256), CanvasSize(height=320, width=320))


class SleepingEngine:
    """Finds nothing, after a while; see `dirdet.engines.base.Engine`."""

    def __init__(self, per_batch_s: float, per_canvas_s: float) -> None:
        """A batch of B takes per_batch_s + B * per_canvas_s."""
        self._per_batch_s = per_batch_s
        self._per_canvas_s = per_canvas_s

    @property
    def description(self) -> str:
        """Its speed."""
        return f"sleeps {1000 * self._per_batch_s:g} ms a batch and {1000 * self._per_canvas_s:g} ms a canvas"

    def ready(self) -> bool:
        """True."""
        return True

    def close(self) -> None:
        """Nothing to do."""

    def detect(self, batch: CanvasBatch) -> Candidates:
        """See `Engine.detect`."""
        size = len(batch.canvas)
        time.sleep(self._per_batch_s + size * self._per_canvas_s)
        none, one = np.zeros(size, np.int64), np.zeros((size, 1), np.float32)
        return Candidates(
            boxes_xyxy=np.zeros((size, 1, 4), np.float32),
            class_id=np.zeros((size, 1), np.int64),
            score=one,
            purity=one,
            integrity=one,
            num_candidates=none,
            kept=np.zeros((size, 1), np.int64),
            num_detections=none,
        )


def sleeping_detector(per_batch_s: float, per_canvas_s: float) -> Detector:
    """A detector of that speed."""
    manifest = Manifest(
        name="sleeping",
        architecture="none",
        localization_confidence="dir",
        categories=[Category(name="nothing", category_id=1)],
        canvases=list(CANVASES),
        resize=ResizeRule(short_side=256, long_side=320, interpolation="antialiased"),
        max_candidates=1,
        max_detections=1,
        defaults=Thresholds(score_threshold=0.05, nms_iou_threshold=0.5, iou_weight=0.5),
        inputs=[],
        outputs=[],
        provenance=Provenance(
            config="none", checkpoint_sha256="0" * 64, created="2026-01-01T00:00:00+00:00", versions={}
        ),
        quality={},
        limitations="finds nothing",
        files={},
    )
    return Detector(manifest, SleepingEngine(per_batch_s, per_canvas_s))
