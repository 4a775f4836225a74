"""A file whose reader is stopped in the middle: the only way to end a decoder that runs in a thread."""

from collections.abc import Callable
from typing import IO


class WatchedFile:
    """Reads as the file does, and looks before each time whether it still should.

    Pillow decodes in blocks of `dirdet.pictures.BLOCK_BYTES`, and so notices within one. WebP and compressed TIFF are
    decoded at once: what bounds their time is the limit on pixels.
    """

    def __init__(self, file: IO[bytes], check: Callable[[], None]) -> None:
        """Wraps a seekable file.

        Args:
            file: is read.
            check: raises what ends the reading.
        """
        self._file = file
        self._check = check

    def read(self, size: int = -1) -> bytes:
        """As a file's; raises what the check raises."""
        self._check()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file's."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()

    def close(self) -> None:
        """Nothing: who opened the file closes it."""
