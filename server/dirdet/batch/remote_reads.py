"""Reads of remote files, with limits on size and time, and retries."""

import importlib
import io
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from dirdet.errors import NotFoundError, PictureError, UnreachedError, UnreadableError

T = TypeVar("T")
CONNECT_S, READ_S, WHOLE_S = 10, 30, 120
# Attempts of one read, and the pause before the second attempt; it doubles.
ATTEMPTS, PAUSE_S = 3, 0.5
BUFFER_BYTES = 2**20


def attempted(read: Callable[[], T]) -> T:
    """Returns the result of a read, with retries if a retry may help.

    Raises:
        PictureError: the read fails.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return read()
        except PictureError:
            raise
        except FileNotFoundError as exc:
            if isinstance(exc.__cause__, PictureError):  # fsspec reports any failure as a missing file.
                raise exc.__cause__ from exc
            raise NotFoundError("there is no such file") from exc
        except Exception as exc:  # Each file system has its own errors.
            final = _is_final(exc)
            if final or attempt == ATTEMPTS:
                reason = f"cannot be fetched: {_said(exc)}"
                raise (UnreadableError if final else UnreachedError)(reason) from exc
            time.sleep(PAUSE_S * 2 ** (attempt - 1))
    raise AssertionError  # The last attempt returns or raises.


def buffered(system: Any, path: str, size: int) -> io.BufferedReader:  # noqa: ANN401
    """A seekable file of a known size, read about a megabyte at a time."""
    return io.BufferedReader(_RemoteFile(system, path, size), BUFFER_BYTES)


class _RemoteFile(io.RawIOBase):
    """A remote file; each read requests a part of it."""

    def __init__(self, system: Any, path: str, size: int) -> None:  # noqa: ANN401
        self._system, self._path, self._size = system, path, size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - a buffer, which Python 3.11 has no type for
        view = memoryview(buffer)
        end = min(self._position + len(view), self._size)
        if end <= self._position:
            return 0
        try:
            found = attempted(lambda: read_part(self._system, self._path, self._position, end))
        except UnreachedError:
            raise
        except PictureError as exc:
            raise OSError(str(exc)) from exc
        view[: len(found)] = found
        self._position += len(found)
        return len(found)


def read_part(system: Any, path: str, start: int, end: int) -> bytes:  # noqa: ANN401
    """Reads a range of a file; fewer bytes if the file ends before it.

    Raises:
        UnreadableError: the server sends more than the range.
    """
    if is_http(system):  # A web server may answer with the whole file.
        found = read_streamed(system, path, end - start, headers={"Range": f"bytes={start}-{end - 1}"})
    elif getattr(system, "async_impl", False):
        asyn = importlib.import_module("fsspec.asyn")
        found = asyn.sync(system.loop, system._cat_file, path, start=start, end=end, timeout=WHOLE_S)
    else:
        found = system.cat_file(path, start=start, end=end)
    if len(found) > end - start:
        raise UnreadableError("its server does not support ranges; download it first")
    return found


def read_streamed(system: Any, path: str, limit: int, **asked: object) -> bytes:  # noqa: ANN401
    """Reads an HTTP answer up to one byte above the limit, whatever the server sends."""
    held = bytearray()
    with system.open(path, "rb", block_size=0, **asked) as file:
        while len(held) <= limit and (found := file.read(limit + 1 - len(held))):
            held += found
    return bytes(held)


def is_http(system: Any) -> bool:  # noqa: ANN401
    """Whether a file system is HTTP's."""
    return "http" in system.protocol


def _is_final(error: Exception) -> bool:
    """Whether a retry would give the same error."""
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status == HTTPStatus.NOT_IMPLEMENTED or (400 <= status < 500 and status not in {408, 429})
    return isinstance(error, PermissionError | NotImplementedError | IsADirectoryError)


def _said(error: Exception) -> str:
    """The error's text without the address, whose query may hold a signature."""
    status, message = getattr(error, "status", None), getattr(error, "message", None)
    if isinstance(status, int):
        return f"the server answers {status} {message or ''}".rstrip()
    return re.sub(r"\?[^\s'\")]+", "?...", str(error)) or type(error).__name__
