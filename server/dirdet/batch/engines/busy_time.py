"""Measures the time in which at least one of several tasks runs."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager


class Busy:
    """A clock that runs while a thread is within `once`; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._began = self._before = 0.0

    @property
    def seconds(self) -> float:
        with self._lock:
            return self._before + (time.perf_counter() - self._began if self._within else 0.0)

    @contextmanager
    def once(self) -> Generator[None]:
        with self._lock:
            if not self._within:
                self._began = time.perf_counter()
            self._within += 1
        try:
            yield
        finally:
            with self._lock:
                self._within -= 1
                if not self._within:
                    self._before += time.perf_counter() - self._began
