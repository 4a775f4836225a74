"""Whose a region of shared memory is: its owner's while it lives, anybody's to remove afterwards."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

FOLDER = Path("/dev/shm")
PREFIX = "dirdet_"
LOCK = ".lock"


class Owner:
    """Names for the regions of one gateway, and a locked file beside them.

    The system gives up the lock when the process ends, however it ends. Unlike a process's number it means the same in
    every container that shares the folder.

    Attributes:
        prefix: how the names of its regions begin.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        """Makes the file.

        Args:
            folder: where the regions are.

        Raises:
            OSError: it cannot be written.
        """
        self._lock = -1
        while self._lock < 0:
            self.prefix = f"{PREFIX}{os.getpid()}-{uuid4().hex[:8]}"
            self._path = folder / f"{self.prefix}{LOCK}"
            self._lock = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if not self._path.exists():  # somebody swept between the two lines
                os.close(self._lock)
                self._lock = -1

    def name(self, size: int) -> str:
        """Of a new region."""
        return f"{self.prefix}_{size}_{uuid4().hex[:8]}"

    def end(self) -> None:
        """Removes the file; its regions are gone already."""
        if self._lock >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1


def sweep(folder: Path = FOLDER) -> list[str]:
    """Removes the regions of owners that are gone; those of another user stay.

    Returns:
        The regions' names.
    """
    removed: list[str] = []
    for path in folder.glob(f"{PREFIX}*{LOCK}"):
        with suppress(OSError):  # not ours to open, or somebody else sweeps
            lock = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for region in folder.glob(f"{path.name.removesuffix(LOCK)}_*"):
                    region.unlink(missing_ok=True)
                    removed.append(region.name)
                path.unlink(missing_ok=True)
            finally:
                os.close(lock)
    return removed
