"""Stops a job: SIGTERM acts like Ctrl-C, and the user gets the reason.

The traceback of an unexpected error is written to a file.
"""

import errno
import signal
import threading
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from dirdet.batch.errors import JobStoppedError
from dirdet.errors import DirdetError, counted

GO_ON = "the same command continues from there"
# In the folder of results, until the job is finished.
CRASH = "crash.txt"


def stop_error(error: BaseException, folder: Path, kept: int) -> JobStoppedError:
    """The error of a job that could not continue: the reason, the finished pictures, and how to resume.

    Args:
        error: the error that ended it.
        folder: of the results.
        kept: number of finished pictures.
    """
    if isinstance(error, JobStoppedError):
        return error
    done = f"{counted(kept, 'picture')} done and kept"
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return JobStoppedError(f"{folder}: the disk is full; {done}. Make room, then {GO_ON}")
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return JobStoppedError(f"the job stopped: {where}{error.strerror or error}; {done}, {GO_ON}")
    if isinstance(error, MemoryError):
        return JobStoppedError(f"the job stopped: there is not enough memory; {done}, {GO_ON}")
    if isinstance(error, DirdetError):
        return JobStoppedError(f"the job stopped: {error}; {done}, {GO_ON}")
    named = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return JobStoppedError(
        f"the job stopped by an unexpected error in dirdet ({named}){_recorded(error, folder)}; {done}, {GO_ON}"
    )


class TerminatedError(KeyboardInterrupt):
    """SIGTERM was received."""


@contextmanager
def sigterm_raises() -> Generator[None]:
    """Within it, SIGTERM raises `TerminatedError` in the main thread; afterwards the previous handler is restored."""
    if threading.current_thread() is not threading.main_thread():  # Only the main thread can install signal handlers.
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)  # None: not set by Python


def _recorded(error: BaseException, folder: Path) -> str:
    with suppress(OSError):
        (folder / CRASH).write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        return f", recorded in {folder / CRASH}"
    return ""


def _terminated(_: int, __: FrameType | None) -> None:
    raise TerminatedError
