"""Stops a job if its pictures can no longer be fetched."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from dirdet.batch.errors import JobStoppedError
from dirdet.errors import PictureError, UnreachedError

# Number of consecutive pictures that must fail, each after all its attempts, before the job stops.
PATIENCE = 20


class Unreached:
    """Counts the consecutive unreachable pictures of one job; safe to use from several threads."""

    def __init__(self, *, patience: int = PATIENCE) -> None:
        self._patience = patience
        self._in_a_row = 0
        self._lock = threading.Lock()

    @contextmanager
    def counted(self) -> Generator[None]:
        """Wraps the reading of one picture; any outcome but `UnreachedError` resets the count.

        Raises:
            JobStoppedError: the last `patience` pictures could not be reached.
        """
        try:
            yield
        except UnreachedError as exc:
            with self._lock:
                self._in_a_row += 1
                failed = self._in_a_row
            if failed >= self._patience:
                raise JobStoppedError(f"{failed} pictures in a row could not be fetched, the last one {exc}") from exc
            raise
        except PictureError:
            self._reached()
            raise
        self._reached()

    def _reached(self) -> None:
        with self._lock:
            self._in_a_row = 0
