"""Stages of engines that take canvases: in this process, and Triton."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeAlias

from dirdet.batch.engines.base import DetectedPicture
from dirdet.batch.engines.busy_time import Busy
from dirdet.batch.engines.call_retries import Patience
from dirdet.batch.reading import Reader
from dirdet.batch.source_picture import Entry
from dirdet.detector.detector import Detector
from dirdet.detector.options import Settings
from dirdet.detector.postprocess import detections_of
from dirdet.engines.base import RemoteEngine, at_once, beside
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.engines.triton.loop_thread import LoopThread
from dirdet.errors import PictureError
from dirdet.pictures.canvas import Fit, PlacedPicture

# Timeout of one batch on Triton, including its time in Triton's queue.
TRITON_TIMEOUT_S = 60.0
# The parts of a batch: where the pictures of each are placed, and its future candidates.
Computing: TypeAlias = "list[tuple[list[Fit], Future[Candidates]]]"


class CanvasStage:
    """Decodes pictures, and computes in this process.

    A batch is divided into as many parts as the engine computes in parallel, and the next batch's parts follow at once.
    A job does not need one batch's latency, and the computation takes the memory of one batch.
    """

    in_flight = 1
    partly = 0.0

    def __init__(self, detector: Detector, settings: Settings) -> None:
        """Uses the detector's engine without closing it."""
        self._detector, self._settings = detector, settings
        self._reader = Reader(detector.manifest, decode=settings.decode)
        self._busy = Busy()
        self._parts = at_once(detector.engine)
        self._compute = beside(detector.engine)
        self._pool = ThreadPoolExecutor(self._parts, "infer")
        self.notes: SimpleQueue[str] = SimpleQueue()

    @property
    def seconds(self) -> float:
        return self._busy.seconds

    def read(self, entry: Entry) -> PlacedPicture:
        return self._reader(entry)

    def kind(self, picture: PlacedPicture) -> tuple[int, int]:
        """The canvas's height and width."""
        return picture.fit.canvas_hw

    def submit(self, pictures: list[PlacedPicture]) -> Callable[[], list[DetectedPicture | PictureError]]:
        begun = self.start(pictures)
        return lambda: [picture for fits, computing in begun for picture in self._detected(fits, computing.result())]

    def start(self, pictures: list[PlacedPicture]) -> "Computing":
        """Submits a batch; returns each part's picture placements and its future candidates."""
        size = -(-len(pictures) // self._parts)
        parts = [pictures[begin : begin + size] for begin in range(0, len(pictures), size)]
        return [
            ([each.fit for each in part], self._start(CanvasBatch.of(part, [self._settings] * len(part))))
            for part in parts
        ]

    def _detected(self, fits: Sequence[Fit], candidates: Candidates) -> list[DetectedPicture]:
        manifest, settings = self._detector.manifest, self._settings
        return [
            DetectedPicture(
                fit.picture_hw, detections_of(candidates, index, fit=fit, manifest=manifest, settings=settings)
            )
            for index, fit in enumerate(fits)
        ]

    def close(self) -> None:
        """Waits for a running inference."""
        self._pool.shutdown(cancel_futures=True)

    def _start(self, batch: CanvasBatch) -> "Future[Candidates]":
        return self._pool.submit(self._detect, batch)

    def _detect(self, batch: CanvasBatch) -> Candidates:
        with self._busy.once():
            return self._compute(batch)


class RemoteCanvasStage(CanvasStage):
    """The same on Triton, with several batches under way, and retries while Triton is down."""

    def __init__(
        self, detector: Detector, engine: RemoteEngine, settings: Settings, *, in_flight: int, patience_s: float
    ) -> None:
        super().__init__(detector, settings)
        self.in_flight = in_flight
        self._engine = engine
        self._patience = Patience(patience_s, self.notes)
        self._loop = LoopThread("infer")

    def close(self) -> None:
        """Cancels the batches under way, also on Triton."""
        super().close()
        self._loop.cancel()
        self._loop.stop()

    def _start(self, batch: CanvasBatch) -> "Future[Candidates]":
        return self._loop.start(self._patience.keep(lambda: self._ask(batch)))

    async def _ask(self, batch: CanvasBatch) -> Candidates:
        with self._busy.once():
            return await self._engine.detect_within(batch, timeout_s=TRITON_TIMEOUT_S)
