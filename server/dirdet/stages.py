"""What a picture passes through, measured where it happens."""

import time
from collections.abc import Generator
from contextlib import contextmanager

from dirdet.observing import Observer


@contextmanager
def stage(observer: Observer, name: str, *, detector: str) -> Generator[None]:
    """Tells how long the block took, and how much of the processor; of a block that raises nothing is told.

    Args:
        observer: is told.
        name: see `Observer.stage_ended`.
        detector: for which it was done.
    """
    begun_s, cpu_s = time.monotonic(), time.thread_time()
    yield
    observer.stage_ended(name, time.monotonic() - begun_s, cpu_s=time.thread_time() - cpu_s, detector=detector)
