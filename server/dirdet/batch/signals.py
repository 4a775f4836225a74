"""SIGTERM, which a scheduler sends before it kills, as what Ctrl-C raises."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class TerminatedError(KeyboardInterrupt):
    """SIGTERM."""


@contextmanager
def terminable() -> Generator[None]:
    """Within it SIGTERM raises `TerminatedError` in the main thread; afterwards it does what it did before."""
    if threading.current_thread() is not threading.main_thread():  # which alone may listen to signals
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)  # None: not Python's own


def _terminated(_: int, __: FrameType | None) -> None:
    raise TerminatedError
