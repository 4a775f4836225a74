"""`dirdet serve` over an engine that sleeps and finds the same boxes on every canvas: the gateway's own speed."""

import os
import sys
import time

import numpy as np

from dirdet.commands import serve
from dirdet.detection import Detection
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.gateway.service import detector_loader

BATCH_S, CANVAS_S, BOXES = "DIRDET_BENCH_BATCH_S", "DIRDET_BENCH_CANVAS_S", "DIRDET_BENCH_BOXES"
# As long in JSON as those of dirdet's own detector.
DETECTIONS = [
    Detection(
        box_xyxy=(8.5 * number, 8.25 * number, 8.5 * number + 200.75, 8.25 * number + 190.5),
        label="bird",
        class_id=0,
        category_id=1,
        score=0.91234,
        purity=0.95123,
        integrity=0.90123,
        iou=0.85921,
        confidence=0.88424,
        score_calibrated=0.58123,
        iou_calibrated=0.79123,
        outer_box_xyxy=(0, 0, 255.19, 393.32),
    ).to_json()
    for number in range(10)
]


class FakeEngine:
    """Takes `BATCH_S` seconds for a batch and `CANVAS_S` more for each canvas of it, and finds `BOXES` boxes on each.

    All three are environment variables, 0 if they are not set.
    """

    description = "a fake"

    def __init__(self, *_: object, **__: object) -> None:
        self._batch_s, self._canvas_s = (float(os.environ.get(name, 0)) for name in (BATCH_S, CANVAS_S))
        self._boxes = int(os.environ.get(BOXES, 0))

    def detect(self, batch: CanvasBatch) -> Candidates:
        size, count = len(batch.canvas), self._boxes
        if seconds := self._batch_s + size * self._canvas_s:
            time.sleep(seconds)
        rows = max(1, count)
        figures = np.linspace(0.9, 0.5, rows, dtype=np.float32)[None].repeat(size, 0)
        corner = 8 * np.arange(rows, dtype=np.float32)
        boxes = np.stack([corner, corner, corner + 60, corner + 50], -1)[None].repeat(size, 0)
        order, number = np.arange(rows)[None].repeat(size, 0), np.full(size, count)
        return Candidates(boxes, order % 12, figures, figures, figures, number, order, number)

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        """Holds nothing."""


if __name__ == "__main__":
    # In place of the engine of the shipped detector.
    detector_loader.make_engine = FakeEngine
    serve.command(sys.argv[2:])  # behind "serve"
