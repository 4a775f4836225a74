"""Why a job stopped, for its user; of an error of dirdet's own the traceback goes into a file."""

import errno
import traceback
from contextlib import suppress
from pathlib import Path

from dirdet.batch.errors import JobStoppedError
from dirdet.errors import DirdetError

GO_ON = "the same command goes on from there"
# In the folder of results, until the job is finished.
CRASH = "crash.txt"


def stopped(error: BaseException, folder: Path, kept: int) -> JobStoppedError:
    """What to raise where a job could not go on: why, what is kept, and how to go on.

    Args:
        error: what ended it.
        folder: of the results.
        kept: pictures that are done.
    """
    if isinstance(error, JobStoppedError):
        return error
    done = f"{kept} pictures are done and kept"
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
        f"the job stopped by an error of dirdet's own ({named}){_recorded(error, folder)}; {done}, {GO_ON}"
    )


def _recorded(error: BaseException, folder: Path) -> str:
    with suppress(OSError):
        (folder / CRASH).write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        return f", which {folder / CRASH} tells in full"
    return ""
