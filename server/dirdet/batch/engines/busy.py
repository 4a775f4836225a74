"""How long at least one of several things has been under way."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager


class Busy:
    """A clock that runs while somebody is within `once`; safe to share between threads."""

    def __init__(self) -> None:
        """Stands at 0."""
        self._lock = threading.Lock()
        self._within = 0
        self._began = self._before = 0.0

    @property
    def seconds(self) -> float:
        """So far."""
        with self._lock:
            return self._before + (time.perf_counter() - self._began if self._within else 0.0)

    @contextmanager
    def once(self) -> Generator[None]:
        """Runs within."""
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
