"""The stages of a job, all at work at once: read and decode, fill batches, infer, write.

Batches depend on the plan alone: a part's pictures in their order, by canvas size, at most `MAX_BATCH` together, none
shared by two parts. So a part gives the same numbers whenever it is computed, and parts are what is resumed by.
"""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import NamedTuple

from dirdet.batch.entry import Entry
from dirdet.batch.reading import Reader, reason_of
from dirdet.batch.rows import PartRows
from dirdet.canvas import Fit
from dirdet.detections import detections_of
from dirdet.detector import MAX_BATCH, Detector, PlacedPicture, canvas_batch
from dirdet.errors import PictureError
from dirdet.options import Settings
from dirdet.tensors import Candidates, CanvasBatch

# Pictures that may be decoded before their turn, and batches on their way to the engine and back: together they bound
# the memory, whatever the number of pictures.
AHEAD = 4 * MAX_BATCH
BATCHES_AHEAD = 3
# How long a stage that waits for another takes to see that the job has been stopped.
PATIENCE_S = 0.1


class Planned(NamedTuple):
    """A picture and its place."""

    part: int
    position: int
    entry: Entry


class _Placed(NamedTuple):
    planned: Planned
    picture: PlacedPicture


@dataclass(frozen=True, slots=True)
class _Inferred:
    members: list[tuple[Planned, Fit]]
    candidates: "Future[Candidates]"


@dataclass(frozen=True, slots=True)
class _Failed:
    planned: Planned
    error: PictureError


@dataclass(frozen=True, slots=True)
class _PartEnd:
    part: int


_Item = _Inferred | _Failed | _PartEnd


class _StoppedError(Exception):
    """The job has been stopped; ends a stage."""


class Pipeline:
    """Runs the stages in threads of their own; one job, once.

    Attributes:
        done: set when every stage has ended.
        error: why the job did not come to its end; None while it runs, where it did, and where it was told to stop.
        pictures: done in this run.
        failures: of these, those that could not be read.
        engine_seconds: in which the engine computed.
        read_seconds: of reading and decoding, all threads together.
        write_seconds: of writing parts.
    """

    def __init__(
        self,
        detector: Detector,
        settings: Settings,
        *,
        workers: int,
        engine_calls: int,
        write: Callable[[int, PartRows], None],
        failed: Callable[[Entry, PictureError], None],
    ) -> None:
        """Begins nothing yet.

        Args:
            detector: whose engine computes.
            settings: which detections are wanted.
            workers: threads that read and decode.
            engine_calls: batches that the engine is given at once.
            write: takes the rows of each part, in order; what it raises ends the job.
            failed: is told each picture that could not be read; what it raises ends the job.
        """
        self._detector, self._settings = detector, settings
        self._write, self._failed = write, failed
        self._readers = ThreadPoolExecutor(workers, "read")
        self._engine = ThreadPoolExecutor(engine_calls, "infer")
        self._places = threading.Semaphore(engine_calls + BATCHES_AHEAD)
        self._items: Queue[_Item | None] = Queue(8 * AHEAD)
        self._stop = threading.Event()
        self.done = threading.Event()
        self.error: BaseException | None = None
        self.pictures = 0
        self.failures = 0
        self.engine_seconds = self.read_seconds = self.write_seconds = 0.0
        self._timed = threading.Lock()

    def start(self, planned: Iterator[Planned]) -> None:
        """Begins; whole parts only, each one's pictures one after the other."""
        feeder = threading.Thread(target=self._guarded, args=(self._feed, planned), name="feed")
        writer = threading.Thread(target=self._guarded, args=(self._take,), name="write")
        threading.Thread(target=self._end, args=([feeder, writer],), name="end").start()

    def stop(self) -> None:
        """Tells every stage to end; a part that is not whole is given up."""
        self._stop.set()

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self._readers.shutdown(cancel_futures=True)
        self._engine.shutdown(cancel_futures=True)
        self.done.set()

    def _guarded(self, stage: Callable[..., None], *arguments: object) -> None:
        try:
            stage(*arguments)
        except _StoppedError:
            pass
        except BaseException as exc:  # it ends the job, and the caller raises it
            self.error = self.error or exc
            self.stop()

    def _feed(self, planned: Iterator[Planned]) -> None:
        read = Reader(self._detector)
        ahead: deque[tuple[Planned, Future[PlacedPicture]]] = deque()
        waiting: defaultdict[tuple[int, int], list[_Placed]] = defaultdict(list)
        part: int | None = None

        def turn() -> None:
            nonlocal part
            each, future = ahead.popleft()
            if part is not None and each.part != part:
                self._flush(part, waiting)
            part = each.part
            try:
                picture = future.result()
            except PictureError as exc:
                self._put(_Failed(each, exc))
                return
            bucket = waiting[picture.fit.canvas_hw]
            bucket.append(_Placed(each, picture))
            if len(bucket) == MAX_BATCH:
                self._infer(waiting.pop(picture.fit.canvas_hw))

        for each in planned:
            self._check()
            ahead.append((each, self._readers.submit(self._read, read, each.entry)))
            if len(ahead) == AHEAD:
                turn()
        while ahead:
            self._check()
            turn()
        if part is not None:
            self._flush(part, waiting)
        self._put(None)

    def _flush(self, part: int, waiting: defaultdict[tuple[int, int], list[_Placed]]) -> None:
        for bucket in waiting.values():
            self._infer(bucket)
        waiting.clear()
        self._put(_PartEnd(part))

    def _infer(self, placed: list[_Placed]) -> None:
        while not self._places.acquire(timeout=PATIENCE_S):
            self._check()
        batch = canvas_batch([each.picture for each in placed], [self._settings] * len(placed))
        members = [(each.planned, each.picture.fit) for each in placed]
        self._put(_Inferred(members, self._engine.submit(self._detect, batch)))

    def _read(self, read: Reader, entry: Entry) -> PlacedPicture:
        began = time.perf_counter()
        try:
            return read(entry)
        finally:
            with self._timed:
                self.read_seconds += time.perf_counter() - began

    def _detect(self, batch: CanvasBatch) -> Candidates:
        began = time.perf_counter()
        try:
            return self._detector.engine.detect(batch)
        finally:
            self.engine_seconds += time.perf_counter() - began

    def _take(self) -> None:
        rows = PartRows()
        while (item := self._get()) is not None:
            if isinstance(item, _PartEnd):
                began = time.perf_counter()
                self._write(item.part, rows)
                self.write_seconds += time.perf_counter() - began
                rows = PartRows()
            elif isinstance(item, _Failed):
                rows.add_failure(item.planned.position, item.planned.entry, item.error, reason_of(item.error))
                self.failures += 1
                self.pictures += 1
                self._failed(item.planned.entry, item.error)
            else:
                self._add(item, rows)

    def _add(self, inferred: _Inferred, rows: PartRows) -> None:
        candidates = inferred.candidates.result()
        for index, (planned, fit) in enumerate(inferred.members):
            found = detections_of(candidates, index, fit=fit, manifest=self._detector.manifest, settings=self._settings)
            rows.add(planned.position, planned.entry, fit, found)
        self.pictures += len(inferred.members)
        self._places.release()

    def _check(self) -> None:
        if self._stop.is_set():
            raise _StoppedError

    def _put(self, item: _Item | None) -> None:
        while True:
            self._check()
            try:
                return self._items.put(item, timeout=PATIENCE_S)
            except Full:
                continue

    def _get(self) -> _Item | None:
        while True:
            self._check()
            try:
                return self._items.get(timeout=PATIENCE_S)
            except Empty:
                continue
