"""The stages of an engine that takes canvases: in this process, and Triton."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

from dirdet.batch.engines.base import Seen
from dirdet.batch.engines.busy import Busy
from dirdet.batch.engines.patience import Patience
from dirdet.batch.entry import Entry
from dirdet.batch.reading import Reader
from dirdet.canvas import Fit
from dirdet.detections import detections_of
from dirdet.detector import Detector, PlacedPicture, canvas_batch
from dirdet.engines.base import RemoteEngine, at_once, beside
from dirdet.engines.loop_thread import LoopThread
from dirdet.errors import PictureError
from dirdet.options import Settings
from dirdet.tensors import Candidates, CanvasBatch

# Of one batch on Triton, its place in Triton's queue included.
TRITON_TIMEOUT_S = 60.0


class CanvasStage:
    """Decodes, and computes in this process; see `dirdet.batch.engines.base.Stage`.

    A batch goes in as many parts as the engine can compute beside each other, and the next one's follow at once: nobody
    waits for one batch of a job, and what is computed takes the memory of one.
    """

    in_flight = 1

    def __init__(self, detector: Detector, settings: Settings, *, scaled: bool = False) -> None:
        """With a detector's engine, which it does not own; JPEGs decoded at less than their size where `scaled`."""
        self._detector, self._settings = detector, settings
        self._reader = Reader(detector.manifest, scaled=scaled)
        self._busy = Busy()
        self._parts = at_once(detector.engine)
        self._compute = beside(detector.engine)
        self._pool = ThreadPoolExecutor(self._parts, "infer")
        self.notes: SimpleQueue[str] = SimpleQueue()

    @property
    def seconds(self) -> float:
        """See `Stage`."""
        return self._busy.seconds

    def read(self, entry: Entry) -> PlacedPicture:
        """See `Stage.read`."""
        return self._reader(entry)

    def kind(self, picture: PlacedPicture) -> tuple[int, int]:
        """Its canvas's height and width."""
        return picture.fit.canvas_hw

    def submit(self, pictures: list[PlacedPicture]) -> Callable[[], list[Seen | PictureError]]:
        """See `Stage.submit`."""
        begun = self.start(pictures)
        return lambda: [seen for fits, computing in begun for seen in self._seen(fits, computing.result())]

    def start(self, pictures: list[PlacedPicture]) -> "list[tuple[list[Fit], Future[Candidates]]]":
        """Begins to compute a batch; gives of each of its parts where the pictures lie, and what will be found."""
        size = -(-len(pictures) // self._parts)
        parts = [pictures[begin : begin + size] for begin in range(0, len(pictures), size)]
        return [
            ([each.fit for each in part], self._start(canvas_batch(part, [self._settings] * len(part))))
            for part in parts
        ]

    def _seen(self, fits: Sequence[Fit], candidates: Candidates) -> list[Seen]:
        manifest, settings = self._detector.manifest, self._settings
        return [
            Seen(fit.picture_hw, detections_of(candidates, index, fit=fit, manifest=manifest, settings=settings))
            for index, fit in enumerate(fits)
        ]

    def close(self) -> None:
        """See `Stage.close`; an inference that runs comes to its end."""
        self._pool.shutdown(cancel_futures=True)

    def _start(self, batch: CanvasBatch) -> "Future[Candidates]":
        return self._pool.submit(self._detect, batch)

    def _detect(self, batch: CanvasBatch) -> Candidates:
        with self._busy.once():
            return self._compute(batch)


class RemoteCanvasStage(CanvasStage):
    """The same, with several batches on their way to Triton, and patience where it is down."""

    def __init__(
        self, detector: Detector, engine: RemoteEngine, settings: Settings, *, in_flight: int, patience_s: float
    ) -> None:
        """With the detector's engine, which it does not own."""
        super().__init__(detector, settings)
        self.in_flight = in_flight
        self._engine = engine
        self._patience = Patience(patience_s, self.notes)
        self._loop = LoopThread("infer")

    def close(self) -> None:
        """Drops what is under way, and tells Triton so."""
        super().close()
        self._loop.cancel()
        self._loop.stop()

    def _start(self, batch: CanvasBatch) -> "Future[Candidates]":
        return self._loop.start(self._patience.keep(lambda: self._ask(batch)))

    async def _ask(self, batch: CanvasBatch) -> Candidates:
        with self._busy.once():
            return await self._engine.detect_within(batch, timeout_s=TRITON_TIMEOUT_S)
