"""Batches across requests: threads that take from a queue what an engine computes next.

A batch has the whole machine while few wait, for the shortest way to an answer. In a crowd the threads compute smaller
batches side by side, each on its share of the cores: then none of an inference's threads waits for another's, and no
core for the end of a batch. What is under way has as many values as one full batch either way.
"""

import threading
import time
from collections.abc import Callable, Generator, Hashable, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from dirdet.deadline import Deadline
from dirdet.errors import OverloadedError
from dirdet.priority import step_back
from dirdet.scheduling.batch_queue import BatchQueue, Entry

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Answer = TypeVar("Answer")
Compute = Callable[[Key, Sequence[Value]], Sequence[Answer]]
# Values that wait, for each thread, of which on they are a crowd.
CROWD = 2


@dataclass(eq=False, slots=True)
class _Job(Generic[Value, Answer]):
    """A value, who waits for its answer, and until when."""

    value: Value
    future: "Future[Answer]"
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class _Taken(Generic[Key, Value, Answer]):
    """A batch, what computes it, and whether nothing else is to be computed meanwhile."""

    entries: Sequence[Entry[Key, _Job[Value, Answer]]]
    compute: Compute[Key, Value, Answer]
    alone: bool


class BatchScheduler(Generic[Key, Value, Answer]):
    """Computes values in batches of one key; safe to call from any thread and any event loop.

    Every value is answered exactly once: by its own answer, by the error of its batch, or by `DeadlineError` if its
    time is over before its batch begins. A future that is cancelled before that is never computed and leaves at once.
    """

    def __init__(
        self,
        compute: Compute[Key, Value, Answer],
        *,
        max_batch: int,
        max_delay_s: float,
        bound: int,
        threads: int = 1,
        beside: Callable[[Key], Compute[Key, Value, Answer] | None] = lambda _: None,
        waited: Callable[[Key, float], None] | None = None,
    ) -> None:
        """Starts the threads; they do not keep the process alive.

        Args:
            compute: answers the values of one batch, in their order, while no other is computed.
            max_batch: values of a batch, at most.
            max_delay_s: how long a value waits for others to join it while a thread is free and others are coming.
            bound: values that may wait.
            threads: batches that are computed at the same time in a crowd.
            beside: what computes a key's batches while others are computed; None where nothing can.
            waited: is told how many seconds a value of a key waited for its batch.
        """
        self._compute = compute
        self._beside = beside
        self._max_batch = max_batch
        self._bound = bound
        self._tell_waited = waited
        self._queue: BatchQueue[Key, _Job[Value, Answer]] = BatchQueue(max_batch=max_batch, max_delay_s=max_delay_s)
        self._changed = threading.Condition()
        self._coming = 0
        self._closed = False
        self._begun_s: dict[int, float] = {}
        self._alone = False
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"inference-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, key: Key, value: Value, deadline: Deadline) -> "Future[Answer]":
        """Lets a value wait for its batch.

        Raises:
            OverloadedError: too many wait, or the scheduler is closed.
        """
        job = _Job(value, Future[Answer](), deadline)
        with self._changed:
            if self._closed:
                raise OverloadedError("the detector has been stopped")
            if len(self._queue) >= self._bound:
                raise OverloadedError(f"{self._bound} pictures wait for the detector, the most there may be")
            entry = self._queue.put(key, job, time.monotonic())
            self._changed.notify()

        def withdraw(future: "Future[Answer]") -> None:
            if future.cancelled():
                with self._changed:
                    self._queue.discard(entry)

        job.future.add_done_callback(withdraw)
        return job.future

    @contextmanager
    def coming(self) -> Generator[None]:
        """Meanwhile a value is on its way, for which another may wait a little."""
        with self._changed:
            self._coming += 1
        try:
            yield
        finally:
            with self._changed:
                self._coming -= 1
                if not self._coming:
                    self._changed.notify()

    def __len__(self) -> int:
        """Values that wait."""
        with self._changed:
            return len(self._queue)

    @property
    def busy_s(self) -> float:
        """For how long the oldest of the batches under way has been computed; 0 if there is none."""
        with self._changed:
            return time.monotonic() - min(self._begun_s.values()) if self._begun_s else 0.0

    @property
    def idle(self) -> bool:
        """Whether nothing waits, is computed or is coming."""
        with self._changed:
            return not (self._queue or self._begun_s or self._coming)

    def close(self, *, within_s: float = 0.0) -> bool:
        """Ends the threads after the batches under way; what waits is answered with an error.

        Returns:
            Whether the threads ended within the time; they end later if not.
        """
        with self._changed:
            self._closed = True
            waiting = list(self._queue.entries())
            for entry in waiting:
                self._queue.discard(entry)
            self._changed.notify_all()
        for entry in waiting:
            if entry.value.future.set_running_or_notify_cancel():
                entry.value.future.set_exception(OverloadedError("the detector has been stopped"))
        end_s = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(end_s - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, number: int) -> None:
        step_back()
        while True:
            with self._changed:
                while (taken := self._take(now_s := time.monotonic())) is None:
                    if self._closed:
                        return
                    ripens_at_s = self._queue.ripens_at_s()
                    # What is ripe and still not taken waits for the end of a batch, which wakes all.
                    ripens_in_s = 0.0 if ripens_at_s is None else ripens_at_s - now_s
                    self._changed.wait(ripens_in_s if ripens_in_s > 0 else None)
                self._begun_s[number] = now_s
                self._alone = taken.alone
                if self._queue:
                    self._changed.notify()
            self._answer(taken)
            del taken  # else the last batch's canvases stay until the next comes
            with self._changed:
                del self._begun_s[number]
                self._alone = False
                self._changed.notify_all()

    def _take(self, now_s: float) -> "_Taken[Key, Value, Answer] | None":
        """The next batch; None while there is none, or while it has to wait for those under way."""
        key = None if self._alone else self._queue.ripe(now_s, more_coming=self._coming > 0)
        if key is None:
            return None
        threads, under_way = len(self._threads), len(self._begun_s)
        crowd = under_way > 0 or len(self._queue) >= CROWD * threads
        beside = self._beside(key) if crowd and threads > 1 else None
        if beside is not None:
            share = -(-len(self._queue) // (threads - under_way))
            at_most = max(1, min(share, self._max_batch // threads))
            return _Taken(self._queue.take(key, at_most), beside, alone=False)
        if under_way:
            return None
        return _Taken(self._queue.take(key, self._max_batch), self._compute, alone=True)

    def _answer(self, taken: "_Taken[Key, Value, Answer]") -> None:
        jobs: list[_Job[Value, Answer]] = []
        for entry in taken.entries:
            job = entry.value
            if not job.future.set_running_or_notify_cancel():
                continue
            if self._tell_waited is not None:
                self._tell_waited(entry.key, time.monotonic() - entry.since_s)
            if job.deadline.left_s <= 0:
                job.future.set_exception(job.deadline.missed("while it waited for the detector"))
            else:
                jobs.append(job)
        if not jobs:
            return
        try:
            answers = list(taken.compute(taken.entries[0].key, [job.value for job in jobs]))
            if len(answers) != len(jobs):
                raise RuntimeError(f"expected {len(jobs)} answers of a batch, found {len(answers)}")
        except BaseException as exc:  # whatever it is, those who wait must hear of it
            for job in jobs:
                job.future.set_exception(exc)
            return
        for job, answer in zip(jobs, answers, strict=True):
            job.future.set_result(answer)
