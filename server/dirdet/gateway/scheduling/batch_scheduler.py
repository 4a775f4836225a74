"""Batches across requests: threads that take from a queue what an engine computes next.

While few values wait, a batch is computed alone on all cores, for the shortest latency. When many wait, the threads
compute smaller batches side by side, each on its share of the cores, which wastes no core at the end of a batch. In
both cases as many values are under way as one full batch has.
"""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeAlias, TypeVar

from dirdet.errors import OverloadedError
from dirdet.gateway.scheduling.batch_queue import BatchQueue, Entry
from dirdet.gateway.scheduling.concurrency import lower_priority
from dirdet.gateway.scheduling.deadline import Deadline

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Answer = TypeVar("Answer")
Compute = Callable[[Key, Sequence[Value]], Sequence[Answer]]
# A waiting value, the future of its answer, and its deadline.
Job: TypeAlias = tuple[Value, Future[Answer], Deadline]
# A batch, the function that computes it, and whether it is computed alone.
Taken: TypeAlias = tuple[Sequence[Entry[Key, Job[Value, Answer]]], Compute[Key, Value, Answer], bool]
# Waiting values per thread from which batches are computed side by side.
CROWD = 2


class BatchScheduler(Generic[Key, Value, Answer]):
    """Computes values in batches of one key; safe to call from any thread and any event loop.

    Every value is answered exactly once: with its own answer, with the error of its batch, or with `DeadlineError` if
    its deadline passes before its batch begins. A value whose future is cancelled before that is never computed.
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
            compute: answers the values of one batch, in their order; called alone.
            max_batch: values of a batch, at most.
            max_delay_s: how long a value waits for others while a thread is free and others are expected.
            bound: of waiting values.
            threads: batches side by side, at most.
            beside: the function that computes a key's batches side by side; None where there is none.
            waited: called with a key and the seconds that a value waited for its batch.
        """
        self._compute = compute
        self._beside = beside
        self._max_batch = max_batch
        self._bound = bound
        self._tell_waited = waited
        self._queue: BatchQueue[Key, Job[Value, Answer]] = BatchQueue(max_batch=max_batch, max_delay_s=max_delay_s)
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
        """Adds a value to the queue.

        Raises:
            OverloadedError: the queue is full, or the scheduler is closed.
        """
        future = Future[Answer]()
        with self._changed:
            if self._closed:
                raise OverloadedError("the detector has been stopped")
            if len(self._queue) >= self._bound:
                raise OverloadedError(f"{self._bound} pictures wait for the detector, the maximum")
            entry = self._queue.put(key, (value, future, deadline), time.monotonic())
            self._changed.notify()

        def withdraw(future: "Future[Answer]") -> None:
            if future.cancelled():
                with self._changed:
                    self._queue.discard(entry)

        future.add_done_callback(withdraw)
        return future

    def expect(self, change: int) -> None:
        """Changes the number of expected values, for which others may wait up to `max_delay_s`."""
        with self._changed:
            self._coming += change
            if not self._coming:
                self._changed.notify()

    def __len__(self) -> int:
        with self._changed:
            return len(self._queue)

    @property
    def busy_s(self) -> float:
        """Seconds since the oldest batch under way began; 0 if there is none."""
        with self._changed:
            return time.monotonic() - min(self._begun_s.values()) if self._begun_s else 0.0

    def close(self, *, within_s: float = 0.0) -> bool:
        """Ends the threads after the batches under way; waiting values are answered with an error.

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
            _, future, _ = entry.value
            if future.set_running_or_notify_cancel():
                future.set_exception(OverloadedError("the detector has been stopped"))
        end_s = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(end_s - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, number: int) -> None:
        lower_priority()
        while True:
            with self._changed:
                while (taken := self._take(now_s := time.monotonic())) is None:
                    if self._closed:
                        return
                    ripens_at_s = self._queue.ripens_at_s()
                    # A ripe batch that cannot be taken now waits for the end of another, which wakes all threads.
                    ripens_in_s = 0.0 if ripens_at_s is None else ripens_at_s - now_s
                    self._changed.wait(ripens_in_s if ripens_in_s > 0 else None)
                self._begun_s[number] = now_s
                _, _, self._alone = taken
                if self._queue:
                    self._changed.notify()
            self._answer(taken)
            del taken  # else the last batch's canvases stay in memory until the next batch
            with self._changed:
                del self._begun_s[number]
                self._alone = False
                self._changed.notify_all()

    def _take(self, now_s: float) -> "Taken[Key, Value, Answer] | None":
        """The next batch; None while there is none, or while it has to wait for another."""
        key = None if self._alone else self._queue.ripe(now_s, more_coming=self._coming > 0)
        if key is None:
            return None
        threads, under_way = len(self._threads), len(self._begun_s)
        crowd = under_way > 0 or len(self._queue) >= CROWD * threads
        beside = self._beside(key) if crowd and threads > 1 else None
        if beside is not None:
            share = -(-len(self._queue) // (threads - under_way))
            at_most = max(1, min(share, self._max_batch // threads))
            return self._queue.take(key, at_most), beside, False
        if under_way:
            return None
        return self._queue.take(key, self._max_batch), self._compute, True

    def _answer(self, taken: "Taken[Key, Value, Answer]") -> None:
        entries, compute, _ = taken
        now_s = time.monotonic()
        values: list[Value] = []
        futures: list[Future[Answer]] = []
        for entry in entries:
            value, future, deadline = entry.value
            if not future.set_running_or_notify_cancel():
                continue
            if self._tell_waited is not None:
                self._tell_waited(entry.key, now_s - entry.since_s)
            if deadline.at_s <= now_s:
                future.set_exception(deadline.missed("while it waited for the detector"))
            else:
                values.append(value)
                futures.append(future)
        if not values:
            return
        try:
            answers = list(compute(entries[0].key, values))
            if len(answers) != len(values):
                raise RuntimeError(f"expected {len(values)} answers of a batch, found {len(answers)}")
        except BaseException as exc:  # the callers get every error
            for future in futures:
                future.set_exception(exc)
            return
        for future, answer in zip(futures, answers, strict=True):
            future.set_result(answer)
