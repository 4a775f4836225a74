"""Threads that decode, resize, draw and write: few, so that the engine keeps its cores, and never on the event loop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from dirdet.priority import step_back

T = TypeVar("T")


class _Job(Generic[T]):
    """Work that is forgotten when nobody waits for it any more; the executor itself keeps what was cancelled."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.work: Callable[[], T] | None = work

    def __call__(self) -> T:
        work, self.work = self.work, None
        if work is None:
            raise RuntimeError("this work was cancelled")
        return work()


class WorkerThreads:
    """A bounded number of threads; who waits for one waits in the event loop, in the order of coming.

    Nothing can stop a thread from outside. Work that is cancelled before its turn is never begun; work under way
    that nobody waits for goes on to its end and keeps its thread, and only its thread, until then.
    """

    def __init__(self, threads: int, name: str) -> None:
        """No thread is started yet."""
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=step_back)
        self._lock = threading.Lock()
        self._busy = 0

    async def run(self, work: Callable[[], T]) -> T:
        """The work's result.

        Raises:
            Exception: what the work raises.
        """
        job = _Job(self._counted(work))
        future = self._executor.submit(job)
        try:
            return await asyncio.wrap_future(future)
        finally:
            job.work = None

    def _counted(self, work: Callable[[], T]) -> Callable[[], T]:
        def counted() -> T:
            with self._lock:
                self._busy += 1
            try:
                return work()
            finally:
                with self._lock:
                    self._busy -= 1

        return counted

    @property
    def busy(self) -> int:
        """How many threads are at work, for somebody or for nobody any more."""
        return self._busy

    def close(self) -> None:
        """Begins nothing any more; does not wait for what is under way."""
        self._executor.shutdown(wait=False, cancel_futures=True)
