"""The lane to an engine in this process: pictures of all requests share batches and threads."""

import time
from asyncio import Future, gather, wrap_future
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

from dirdet.detector.detector import Detector
from dirdet.detector.options import Settings
from dirdet.engines.base import at_once, beside
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.errors import OverloadedError
from dirdet.gateway.scheduling.batch_scheduler import BatchScheduler
from dirdet.gateway.scheduling.deadline import Deadline
from dirdet.gateway.scheduling.instrumentation import SILENT, Observer
from dirdet.gateway.scheduling.readiness import Readiness
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.pictures.canvas import PlacedPicture

# Seconds to wait for the batches under way when the server closes.
CLOSE_S = 0.5
# Places in the queue beside those of admitted pictures: for probes and warm-ups.
BESIDE = 64
# What the canvases of one inference have in common: the detector's lane, height and width, the NMS threshold.
Bucket: TypeAlias = "tuple[EmbeddedLane, tuple[int, int], float]"
Wanted: TypeAlias = tuple[PlacedPicture, Settings]


class Inferences(BatchScheduler[Bucket, Wanted, Candidates]):
    """The threads in which all engines of this process compute, so that they do not compete for cores.

    Batches of several detectors go in the order of their first pictures.
    """

    def __init__(self, limits: ServerLimits, observer: Observer = SILENT) -> None:
        super().__init__(
            _compute,
            max_batch=limits.max_batch,
            max_delay_s=limits.max_batch_delay_s,
            bound=limits.max_queue + BESIDE,
            threads=limits.inferences,
            beside=lambda bucket: partial(_compute, side_by_side=True) if bucket[0].divides else None,
            waited=lambda bucket, seconds: observer.stage_ended("queue", seconds, detector=bucket[0].name),
        )


class EmbeddedLane:
    """A `Lane` on which each picture takes its own place in a batch."""

    one_by_one = True

    def __init__(self, detector: Detector, inferences: Inferences, readiness: Readiness, observer: Observer) -> None:
        """Starts nothing.

        Args:
            detector: whose engine is in this process.
            inferences: the threads in which it computes, in turn with other detectors.
            readiness: records how each batch ends.
            observer: measures each batch.
        """
        self.name = detector.manifest.name
        self._engine = detector.engine
        self._inferences = inferences
        self._readiness = readiness
        self._observer = observer
        self._closed = False

    @property
    def busy_s(self) -> float:
        """Seconds since the oldest batch under way began."""
        return self._inferences.busy_s

    @contextmanager
    def coming(self) -> Generator[None]:
        """Announces a picture for the duration of the block; others may wait for it to share a batch."""
        self._inferences.expect(1)
        try:
            yield
        finally:
            self._inferences.expect(-1)

    async def detect(
        self, pictures: Sequence[PlacedPicture], settings: Settings, deadline: Deadline
    ) -> list[Candidates]:
        """The engine's answer to each picture.

        Raises:
            DeadlineError: the time was over.
            EngineError: the engine did not answer.
            OverloadedError: the lane is closed.
        """
        if self._closed:
            raise OverloadedError("the detector has been stopped")
        answers: list[Future[Candidates]] = []
        try:
            for picture in pictures:
                bucket = (self, picture.fit.canvas_hw, settings.nms_iou_threshold)
                answers.append(wrap_future(self._inferences.submit(bucket, (picture, settings), deadline)))
            return await gather(*answers)
        finally:
            for answer in answers:
                answer.cancel()

    def close(self) -> None:
        """Takes no more pictures; the threads continue, because other detectors may use them."""
        self._closed = True

    @property
    def divides(self) -> bool:
        """Whether `compute` may be called side by side."""
        return at_once(self._engine) > 1

    def compute(self, canvas_hw: tuple[int, int], wanted: Sequence[Wanted], *, side_by_side: bool) -> list[Candidates]:
        """One inference, in one of the threads: alone on all cores, or beside others on its share of them."""
        batch = CanvasBatch.of([picture for picture, _ in wanted], [settings for _, settings in wanted])
        detect = beside(self._engine) if side_by_side else self._engine.detect
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
        self._readiness.proven = True
        return [candidates.row(index) for index in range(len(wanted))]


def _compute(bucket: Bucket, wanted: Sequence[Wanted], *, side_by_side: bool = False) -> list[Candidates]:
    lane, canvas_hw, _ = bucket
    return lane.compute(canvas_hw, wanted, side_by_side=side_by_side)
