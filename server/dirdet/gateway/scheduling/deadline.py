"""The deadline of a request, and a file whose reading ends at it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from dirdet.errors import DeadlineError


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by `time.monotonic`, which is also the event loop's clock.

    Attributes:
        at_s: the moment.
        timeout_s: seconds of the whole request.
    """

    at_s: float
    timeout_s: float

    @classmethod
    def after(cls, timeout_s: float) -> "Deadline":
        """The deadline in so many seconds."""
        return cls(time.monotonic() + timeout_s, timeout_s)

    @property
    def left_s(self) -> float:
        """Seconds left; negative after the deadline."""
        return self.at_s - time.monotonic()

    def missed(self, stage: str) -> DeadlineError:
        """The error for a request whose deadline passed at `stage`."""
        return DeadlineError(f"the request had {self.timeout_s:g} s; they ended {stage}")

    def check(self, stage: str) -> None:
        """Raises after the deadline.

        Raises:
            DeadlineError: names the stage.
        """
        if self.left_s <= 0:
            raise self.missed(stage)


class WatchedFile:
    """A file that runs a check before each read: the only way to stop a decoder in a thread.

    Pillow decodes in blocks of `dirdet.pictures.reading.BLOCK_BYTES`. WebP, AVIF and compressed TIFF are decoded in one
    go:
    the limit on pixels bounds their time.
    """

    def __init__(self, file: IO[bytes], check: Callable[[], None]) -> None:
        """Wraps a seekable file.

        Args:
            file: to read.
            check: raises an error to stop the reading.
        """
        self._file = file
        self._check = check

    def read(self, size: int = -1) -> bytes:
        """Checks, and reads."""
        self._check()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file's."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()

    def close(self) -> None:
        """Does nothing: the file is closed where it was opened."""
