"""An event loop in its own thread, for objects that outlive the callers' event loops."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for callers in any thread and any event loop."""

    def __init__(self, name: str) -> None:
        """Starts a daemon thread."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    @property
    def stopped(self) -> bool:
        return self._loop.is_closed()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine and blocks the calling thread until it ends."""
        return self.start(work).result()

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine and awaits it in the calling event loop; a cancellation there cancels it."""
        return await asyncio.wrap_future(self.start(work))

    def start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Starts a coroutine without waiting."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def cancel(self) -> None:
        """Cancels the running coroutines and waits until they have ended."""

        async def cancel_all() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for each in others:
                each.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(cancel_all())

    def stop(self) -> None:
        """Ends the thread; running coroutines are dropped."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
