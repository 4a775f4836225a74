"""Ownership of regions of shared memory: any gateway may remove the regions of an owner that has ended."""

import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

FOLDER = Path("/dev/shm")  # nosec B108: files there are created with O_EXCL and random names
PREFIX = "dirdet_"
LOCK = ".lock"
# Names from `Owner`: process id and eight hexadecimal digits; for a region also its size and eight more digits.
_LOCK_NAME = re.compile(r"dirdet_[0-9]+-[0-9a-f]{8}\.lock")
_REGION = r"_[0-9]+_[0-9a-f]{8}"


class Owner:
    """Names for the regions of one gateway, and a locked file beside them.

    The operating system releases the lock whenever the process ends. Unlike a process id, the lock is valid in every
    container that shares the folder.

    Attributes:
        prefix: of the names of its regions.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        """Creates the lock file.

        Args:
            folder: of the regions.

        Raises:
            OSError: the file cannot be written.
        """
        self._lock = -1
        while self._lock < 0:
            self.prefix = f"{PREFIX}{os.getpid()}-{uuid4().hex[:8]}"
            self._path = folder / f"{self.prefix}{LOCK}"
            self._lock = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if not self._path.exists():  # another gateway's sweep removed it before the lock
                os.close(self._lock)
                self._lock = -1

    def name(self, size: int) -> str:
        """Name of a new region."""
        return f"{self.prefix}_{size}_{uuid4().hex[:8]}"

    def end(self) -> None:
        """Removes the lock file; its regions must have been removed."""
        if self._lock >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1


def _is_own(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()


def sweep(folder: Path = FOLDER) -> list[str]:
    """Removes the regions of owners that have ended; those of other users stay.

    Returns:
        The regions' names.
    """
    removed: list[str] = []
    names = sorted(each.name for each in folder.iterdir())
    for path in (folder / name for name in names if _LOCK_NAME.fullmatch(name)):
        with suppress(OSError):  # another user's file, or another gateway sweeps it
            lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if not _is_own(os.fstat(lock)):
                    continue
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                region_name = re.compile(re.escape(path.name.removesuffix(LOCK)) + _REGION)
                for name in filter(region_name.fullmatch, names):
                    if _is_own((folder / name).lstat()):
                        (folder / name).unlink(missing_ok=True)
                        removed.append(name)
                path.unlink(missing_ok=True)
            finally:
                os.close(lock)
    return removed
