"""Threads that compute step back behind those that answer."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
# Of 19. The event loop works for microseconds at a time and may then go first; on busy cores the scheduler would let it
# wait for the end of a decoder's turn, milliseconds, several times a request.
NICENESS = 10


def step_back() -> None:
    """Lowers the calling thread's priority, for good, and that of threads which it starts.

    Only Linux has priorities of single threads (setpriority(2)); elsewhere nothing happens.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(os.getpriority(os.PRIO_PROCESS, thread), NICENESS))


def stepped_back(work: Callable[[], T]) -> T:
    """The result of work in a thread of low priority, which the threads that it starts inherit."""
    with ThreadPoolExecutor(1, thread_name_prefix="loading", initializer=step_back) as thread:
        return thread.submit(work).result()
