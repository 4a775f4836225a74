"""Work beside the event loop: few threads of low priority that decode, draw and write, and several works at once."""

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

import anyio

T = TypeVar("T")
# Of 19. The event loop needs microseconds at a time and goes first; at equal priority it would wait for a decoder's
# time slice, milliseconds, several times per request.
NICENESS = 10


class WorkerThreads:
    """A bounded number of threads; callers wait for one in the event loop, in order of arrival.

    A thread cannot be stopped from outside. Work that is cancelled before its turn never begins; work under way whose
    caller is gone runs to its end and occupies its thread until then.
    """

    def __init__(self, threads: int, name: str, *, low: bool = True) -> None:
        """Starts none yet.

        Args:
            threads: at most.
            name: of the threads.
            low: they have a lower priority than the event loop.
        """
        initializer = lower_priority if low else None
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=initializer)
        self._lock = threading.Lock()
        self._busy = 0

    async def run(self, work: Callable[[], T]) -> T:
        """The work's result.

        Raises:
            Exception: what the work raises.
        """
        # The executor keeps cancelled work until its turn; emptying the list frees what the work holds.
        waiting = [work]

        def run() -> T:
            begun = waiting.pop()
            self._count(1)
            try:
                return begun()
            finally:
                self._count(-1)

        future = self._executor.submit(run)
        try:
            return await asyncio.wrap_future(future)
        finally:
            waiting.clear()

    def _count(self, change: int) -> None:
        with self._lock:
            self._busy += change

    @property
    def busy(self) -> int:
        """How many threads are at work, whether or not a caller still waits."""
        return self._busy

    def close(self) -> None:
        """Begins no more work; does not wait for work under way."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def lower_priority() -> None:
    """Lowers the calling thread's priority, for good, and that of threads which it starts.

    Only Linux has priorities of single threads (setpriority(2)); elsewhere this does nothing.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(os.getpriority(os.PRIO_PROCESS, thread), NICENESS))


def at_low_priority(work: Callable[[], T]) -> T:
    """The result of work in a thread of low priority, which the threads that it starts inherit."""
    with ThreadPoolExecutor(1, thread_name_prefix="loading", initializer=lower_priority) as thread:
        return thread.submit(work).result()


async def gather(works: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Awaits several works at once, and returns their results in order.

    Raises:
        Exception: of the first that failed, not in an exception group; the others are cancelled.
    """
    if len(works) == 1:
        return [await works[0]()]
    results: list[T | None] = [None] * len(works)
    errors: list[Exception] = []

    async def one(index: int) -> None:
        try:
            results[index] = await works[index]()
        except Exception as exc:
            errors.append(exc)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for index in range(len(works)):
            tasks.start_soon(one, index)
    if errors:
        raise errors[0]
    return cast(list[T], results)
