"""The lane to the engine in this process: canvases of all requests share batches."""

import time
from asyncio import wrap_future
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial

from dirdet.deadline import Deadline
from dirdet.detector import Detector, PlacedPicture, canvas_batch
from dirdet.engines.base import at_once
from dirdet.engines.base import beside as detect_beside
from dirdet.errors import OverloadedError
from dirdet.observing import Observer
from dirdet.options import Settings
from dirdet.readiness import Readiness
from dirdet.scheduling.inferences import Bucket, Inferences
from dirdet.tensors import Candidates, CanvasBatch, Row
from dirdet.together import together


class EmbeddedLane:
    """See `dirdet.scheduling.lane.Lane`."""

    one_by_one = True

    def __init__(self, detector: Detector, inferences: Inferences, readiness: Readiness, observer: Observer) -> None:
        """Starts nothing.

        Args:
            detector: whose engine is in this process.
            inferences: the threads in which it computes, in turn with other detectors.
            readiness: is told how each batch ends.
            observer: is told of each batch.
        """
        self._detector = detector
        self._inferences = inferences
        self._readiness = readiness
        self._observer = observer
        self._closed = False

    @property
    def name(self) -> str:
        """What the detector is served as."""
        return self._detector.manifest.name

    @property
    def busy_s(self) -> float:
        """See `Lane.busy_s`."""
        return self._inferences.busy_s

    @property
    def has_room(self) -> bool:
        """See `Lane.has_room`."""
        return self._inferences.idle

    def coming(self) -> AbstractContextManager[None]:
        """See `Lane.coming`."""
        return self._inferences.coming()

    async def detect(self, pictures: Sequence[PlacedPicture], settings: Settings, deadline: Deadline) -> list[Row]:
        """See `Lane.detect`."""
        alone = [canvas_batch([picture], [settings]) for picture in pictures]
        return await together([partial(self._computed, each, deadline) for each in alone])

    def close(self) -> None:
        """See `Lane.close`; the threads, which others may use, stay."""
        self._closed = True

    async def infer(self, batch: CanvasBatch, deadline: Deadline) -> Candidates:
        """See `Lane.infer`; each row takes the way of a picture's canvas."""
        alone = [batch.part(slice(row, row + 1)) for row in range(len(batch.canvas))]
        rows = await together([partial(self._computed, each, deadline) for each in alone])
        return Candidates.joined([row.candidates.part(slice(row.position, row.position + 1)) for row in rows])

    async def _computed(self, canvas: CanvasBatch, deadline: Deadline) -> Row:
        """The answer to one canvas, computed beside others'."""
        if self._closed:
            raise OverloadedError("the detector has been stopped")
        height, width = canvas.canvas.shape[1:3]
        bucket = Bucket(self, (height, width), canvas.nms_iou_threshold)
        return await wrap_future(self._inferences.submit(bucket, canvas, deadline))

    @property
    def divides(self) -> bool:
        """See `Computes.divides`."""
        return at_once(self._detector.engine) > 1

    def compute(self, canvas_hw: tuple[int, int], wanted: Sequence[CanvasBatch], *, beside: bool = False) -> list[Row]:
        """See `Computes.compute`."""
        engine = self._detector.engine
        detect = detect_beside(engine) if beside else engine.detect
        batch = CanvasBatch.joined(wanted)
        begun_s, cpu_s = time.monotonic(), time.thread_time()
        failed = True
        try:
            candidates = detect(batch)
            failed = False
        except Exception as exc:
            self._readiness.failed(exc)
            raise
        finally:
            taken_s, cpu_s = time.monotonic() - begun_s, time.thread_time() - cpu_s
            self._observer.batch_ended(canvas_hw, len(wanted), detector=self.name, failed=failed)
            self._observer.stage_ended("infer", taken_s, cpu_s=cpu_s, detector=self.name)
        self._readiness.succeeded()
        return [Row(candidates, position) for position in range(len(wanted))]
