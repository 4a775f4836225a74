"""The stages of a job, which run concurrently: read, fill batches, compute, write.

Batches depend on the plan only (`dirdet.batch.parts`), so a part always gives the same numbers. Parts are the unit of
resuming.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Generic, NamedTuple, TypeVar

from dirdet.batch.engines.base import DetectedPicture, ResultHandlers, Stage
from dirdet.batch.parts import BatchFiller, MissingParts, PlannedPicture
from dirdet.batch.reading import reason_of
from dirdet.batch.rows import PartRows
from dirdet.batch.source_picture import Entry
from dirdet.batch.unreachable_sources import Unreached
from dirdet.engines.tensors import MAX_BATCH
from dirdet.errors import PictureError

P = TypeVar("P")

# Pictures decoded ahead, and batches between reading and writing: together they bound the memory for any number of
# pictures.
AHEAD = 4 * MAX_BATCH
BATCHES_AHEAD = 3
# Longest time until a waiting stage notices that the job was stopped.
PATIENCE_S = 0.1


class _Read(NamedTuple, Generic[P]):
    planned: PlannedPicture
    picture: P


@dataclass(frozen=True, slots=True)
class _Submitted:
    members: list[PlannedPicture]
    wait: Callable[[], list[DetectedPicture | PictureError]]


@dataclass(frozen=True, slots=True)
class _Failed:
    planned: PlannedPicture
    error: PictureError


@dataclass(frozen=True, slots=True)
class _PartEnd:
    part: int


_Item = _Submitted | _Failed | _PartEnd


class _StoppedError(Exception):
    """Ends a stage, because the job was stopped."""


class Pipeline(Generic[P]):
    """Runs the stages of one job in separate threads; used once."""

    def __init__(self, stage: Stage[P], *, workers: int, handlers: ResultHandlers) -> None:
        """Starts nothing yet.

        Args:
            stage: reads and computes; the pipeline closes it at the end.
            workers: threads that read.
            handlers: receive the results.
        """
        self._stage, self._handlers = stage, handlers
        self._readers = ThreadPoolExecutor(workers, "read")
        self._places = threading.Semaphore(stage.in_flight + BATCHES_AHEAD)
        self._items: Queue[_Item | None] = Queue(8 * AHEAD)
        self._unreached = Unreached()
        self._stop = threading.Event()
        self.notes = stage.notes
        self.done = threading.Event()
        self.error: BaseException | None = None
        self.pictures = 0
        self.failures = 0
        self._read_seconds = 0.0
        self._timed = threading.Lock()

    @property
    def progress(self) -> float:
        return self.pictures + self._stage.partly

    @property
    def engine_seconds(self) -> float:
        return self._stage.seconds

    @property
    def read_seconds(self) -> float:
        return self._read_seconds

    def start(self, missing: MissingParts) -> None:
        feeder = threading.Thread(target=self._guarded, args=(self._feed, missing), name="feed")
        writer = threading.Thread(target=self._guarded, args=(self._take,), name="write")
        feeder.start()
        writer.start()
        threading.Thread(target=self._end, args=(feeder, writer), name="end").start()

    def stop(self) -> None:
        self._stop.set()

    def _end(self, feeder: threading.Thread, writer: threading.Thread) -> None:
        feeder.join()
        while writer.is_alive() and not self._stop.wait(PATIENCE_S):
            pass
        self._stage.close()  # If the job was stopped, this ends the call that the writer waits for.
        writer.join()
        self._readers.shutdown(cancel_futures=True)
        self.done.set()

    def _guarded(self, work: Callable[..., None], *arguments: object) -> None:
        try:
            work(*arguments)
        except _StoppedError:
            pass
        except BaseException as exc:  # The error ends the job, and the caller raises it.
            if not self._stop.is_set():
                self.error = exc
            self.stop()

    def _feed(self, missing: MissingParts) -> None:
        ahead: deque[tuple[PlannedPicture, Future[P]]] = deque()
        filling: BatchFiller[_Read[P]] = BatchFiller()
        part: int | None = None

        def turn() -> None:
            nonlocal part
            each, future = ahead.popleft()
            if part is not None and each.part != part:
                self._flush(part, filling)
            part = each.part
            try:
                picture = future.result()
            except PictureError as exc:
                self._put(_Failed(each, exc))
                return
            if batch := filling.add(self._stage.kind(picture), _Read(each, picture)):
                self._begin(batch)

        for each in missing:
            self._check()
            ahead.append((each, self._readers.submit(self._read, each.entry)))
            if len(ahead) == AHEAD:
                turn()
        while ahead:
            self._check()
            turn()
        if part is not None:
            self._flush(part, filling)
        self._put(None)

    def _read(self, entry: Entry) -> P:
        began = time.perf_counter()
        try:
            with self._unreached.counted():
                return self._stage.read(entry)
        finally:
            with self._timed:
                self._read_seconds += time.perf_counter() - began

    def _flush(self, part: int, filling: "BatchFiller[_Read[P]]") -> None:
        for batch in filling.rest():
            self._begin(batch)
        self._put(_PartEnd(part))

    def _begin(self, batch: "list[_Read[P]]") -> None:
        while not self._places.acquire(timeout=PATIENCE_S):
            self._check()
        wait = self._stage.submit([each.picture for each in batch])
        self._put(_Submitted([each.planned for each in batch], wait))

    def _take(self) -> None:
        rows = PartRows()
        while (item := self._get()) is not None:
            if isinstance(item, _PartEnd):
                self._handlers.write(item.part, rows)
                rows = PartRows()
            elif isinstance(item, _Failed):
                self._fail(item.planned, item.error, rows)
            else:
                for planned, outcome in zip(item.members, item.wait(), strict=True):
                    if isinstance(outcome, PictureError):
                        self._fail(planned, outcome, rows)
                    else:
                        rows.add(planned.position, planned.entry, outcome.picture_hw, outcome.detections)
                        self.pictures += 1
                self._places.release()

    def _fail(self, planned: PlannedPicture, error: PictureError, rows: PartRows) -> None:
        rows.add_failure(planned.position, planned.entry, error, reason_of(error))
        self.failures += 1
        self.pictures += 1
        self._handlers.failed(planned.entry, error)

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
