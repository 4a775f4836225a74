"""The lane to the engine in this process: canvases of all requests share batches."""

import time
from asyncio import wrap_future
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import anyio
from anyio import to_thread

from dirdet.deadline import Deadline
from dirdet.detector import Detector, PlacedPicture, canvas_batch
from dirdet.found import Found
from dirdet.limits import ServerLimits
from dirdet.observing import Observer
from dirdet.options import Settings
from dirdet.readiness import Readiness
from dirdet.scheduling.scheduler import BatchScheduler
from dirdet.tensors import Candidates, CanvasBatch
from dirdet.together import together

# Threads that turn candidates into detections.
FINISHERS = 2
# Seconds that a batch under way has to end when the lane is closed.
CLOSE_S = 0.5


@dataclass(frozen=True, slots=True)
class _Bucket:
    """What the canvases of one inference have in common."""

    canvas_hw: tuple[int, int]
    nms_iou_threshold: float


@dataclass(frozen=True, slots=True)
class _Row:
    """One canvas's candidates among those of its batch."""

    candidates: Candidates
    position: int


class EmbeddedLane:
    """See `dirdet.scheduling.lane.Lane`."""

    one_by_one = True

    def __init__(self, detector: Detector, limits: ServerLimits, readiness: Readiness, observer: Observer) -> None:
        """Starts the threads of the engine.

        Args:
            detector: whose engine is in this process.
            limits: of batches.
            readiness: is told how each batch ends.
            observer: is told of each batch.
        """
        self._detector = detector
        self._readiness = readiness
        self._observer = observer
        self._finishing = anyio.CapacityLimiter(FINISHERS)
        self._scheduler: BatchScheduler[_Bucket, CanvasBatch, _Row] = BatchScheduler(
            self._compute,
            max_batch=limits.max_batch,
            max_delay_s=limits.max_batch_delay_s,
            bound=limits.max_queue + 1,  # and a probe
            threads=limits.inferences,
            observer=observer,
        )

    @property
    def busy_s(self) -> float:
        """See `Lane.busy_s`."""
        return self._scheduler.busy_s

    def coming(self) -> AbstractContextManager[None]:
        """See `Lane.coming`."""
        return self._scheduler.coming()

    async def detect(self, pictures: Sequence[PlacedPicture], settings: Settings, deadline: Deadline) -> list[Found]:
        """See `Lane.detect`."""
        return await together([partial(self._one, picture, settings, deadline) for picture in pictures])

    def close(self) -> None:
        """See `Lane.close`."""
        self._scheduler.close(within_s=CLOSE_S)

    async def infer(self, batch: CanvasBatch, deadline: Deadline) -> Candidates:
        """See `Lane.infer`; each row takes the way of a picture's canvas."""
        alone = [batch.part(slice(row, row + 1)) for row in range(len(batch.canvas))]
        rows = await together([partial(self._computed, each, deadline) for each in alone])
        return Candidates.joined([row.candidates.part(slice(row.position, row.position + 1)) for row in rows])

    async def _one(self, picture: PlacedPicture, settings: Settings, deadline: Deadline) -> Found:
        row = await self._computed(canvas_batch([picture], [settings]), deadline)
        found = partial(self._detector.found, row.candidates, row.position, picture.fit, settings)
        return await to_thread.run_sync(found, limiter=self._finishing)

    async def _computed(self, canvas: CanvasBatch, deadline: Deadline) -> _Row:
        """The answer to one canvas, computed beside others'."""
        height, width = canvas.canvas.shape[1:3]
        bucket = _Bucket((height, width), canvas.nms_iou_threshold)
        return await wrap_future(self._scheduler.submit(bucket, canvas, deadline))

    def _compute(self, bucket: _Bucket, wanted: Sequence[CanvasBatch]) -> list[_Row]:
        """One inference, in a thread of the scheduler's."""
        batch = CanvasBatch.joined(wanted)
        begun_s = time.monotonic()
        failed = True
        try:
            candidates = self._detector.engine.detect(batch)
            failed = False
        except Exception as exc:
            self._readiness.failed(exc)
            raise
        finally:
            taken_s = time.monotonic() - begun_s
            self._observer.batch_ended(bucket.canvas_hw, len(wanted), taken_s, failed=failed)
        self._readiness.succeeded()
        return [_Row(candidates, position) for position in range(len(wanted))]
