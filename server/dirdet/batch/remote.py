"""Files at addresses, s3://bucket/photos among them: read through fsspec, never for longer or larger than bounds."""

import importlib
import io
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

from dirdet.batch.errors import JobStoppedError, SourceError
from dirdet.errors import MissingExtraError, NotFoundError, PictureError, UnreachedError, UnreadableError, install_hint
from dirdet.pictures import DEFAULT_LIMITS, too_many_bytes

T = TypeVar("T")
_ADDRESS = re.compile(r"(s3|s3a|gs|gcs|az|abfs|abfss|http|https|memory)://")
CONNECT_S, READ_S, WHOLE_S = 10, 30, 120
# Of one read, and the pause before the second; it doubles.
ATTEMPTS, PAUSE_S = 3, 0.5
# Reads that fail one after the other, each after all its attempts, until the place counts as not there.
PATIENCE = 20
SIZES_AT_ONCE = 64
BUFFER_BYTES = 2**20


def is_address(name: str | bytes) -> bool:
    """Whether a source or file is not on this machine; a path never looks so, since it has no `//`."""
    return _ADDRESS.match(os.fsdecode(name)) is not None


def without_query(address: str) -> str:
    """An address as results may tell it: what follows `?` may be a signature."""
    return address.partition("?")[0]


def file_system(address: str) -> tuple[Any, str]:
    """Its fsspec file system, and what that calls it.

    Raises:
        MissingExtraError: fsspec is not installed.
        SourceError: the package of this kind of address is not installed, or the address has a password in it.
    """
    if urlsplit(address).username is not None:
        raise SourceError(
            f"{address.partition('://')[0]}://...: an address holds no user and password; "
            "they belong into fsspec's configuration, the environment or ~/.netrc"
        )
    try:
        core = importlib.import_module("fsspec.core")
        return core.url_to_fs(address, **_options(address.partition("://")[0]))
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] in {"fsspec", "aiohttp"}:
            message = f"{without_query(address)} needs the package {exc.name!r}, which is not installed"
            raise MissingExtraError(f"{message}: {install_hint('remote')}") from exc
        raise SourceError(f"{without_query(address)}: {exc}") from exc
    except (ImportError, ValueError) as exc:
        raise SourceError(f"{without_query(address)}: {exc}") from exc


def fetch(address: str, *, offset: int | None, size: int | None) -> bytes:
    """A picture's file, or the part of one from an offset on.

    Raises:
        PictureError: there is none, it cannot be read, or it is too large.
        JobStoppedError: nothing at all has answered for a while.
    """
    limit = DEFAULT_LIMITS.max_bytes
    system, path = file_system(address)

    def read() -> bytes:
        if offset is not None and size is not None:
            return _part(system, path, offset, offset + size)
        if _is_http(system):
            return _streamed(system, path, limit)
        return _part(system, path, 0, limit + 1)

    found = attempted(read)
    if offset is None and len(found) > limit:
        raise too_many_bytes(DEFAULT_LIMITS)
    if offset is not None and len(found) != size:
        raise UnreadableError(f"its archive is cut off: {len(found)} of {size} bytes are there")
    return found


def open_remote(path: bytes) -> IO[bytes]:
    """A file that can be read from any place in it; each read is a request of its own, of about a megabyte.

    Raises:
        PictureError: there is none, or its server gives no parts of it.
    """
    system, name = file_system(os.fsdecode(path))
    size = attempted(lambda: system.info(name)).get("size")
    if size is None:
        raise UnreadableError("its server does not tell its size, so no part of it can be read; download it first")
    return io.BufferedReader(_RemoteFile(system, name, size), BUFFER_BYTES)


def sizes(addresses: Sequence[str]) -> list[int | None]:
    """In bytes, many asked at once; None where that is not told: reading will say why.

    Raises:
        SourceError: an address does not answer, so that it is not known which pictures there are.
    """
    system, _ = file_system(addresses[0])
    paths = [file_system(address)[1] for address in addresses]
    told: list[Any] = [None] * len(paths)
    if getattr(system, "async_impl", False):
        asyn, asyncio = importlib.import_module("fsspec.asyn"), importlib.import_module("asyncio")

        async def ask() -> list[Any]:
            return await asyncio.gather(*(system._info(path) for path in paths), return_exceptions=True)

        with suppress(OSError, asyn.FSTimeoutError):
            told = asyn.sync(system.loop, ask, timeout=WHOLE_S)
    return [
        _size(each if isinstance(each, dict | FileNotFoundError) else _info(system, path))
        for path, each in zip(paths, told, strict=True)
    ]


def _info(system: Any, path: str) -> dict[str, Any] | None:  # noqa: ANN401
    try:
        return attempted(lambda: system.info(path))
    except UnreachedError as exc:
        raise SourceError(f"{without_query(path)}: {exc}") from exc
    except PictureError:
        return None


def _size(told: Any) -> int | None:  # noqa: ANN401
    return told.get("size") if isinstance(told, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def attempted(read: Callable[[], T]) -> T:
    """What a read gives, tried again where it may help.

    Raises:
        PictureError: it fails.
        JobStoppedError: so did all before it, for a while.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            found = read()
        except PictureError:
            raise
        except FileNotFoundError as exc:
            _answers(True)
            raise NotFoundError("there is no such file") from exc
        except Exception as exc:  # each file system has its own
            final = _is_final(exc)
            if final or attempt == ATTEMPTS:
                reason = f"cannot be fetched: {_said(exc)}"
                _answers(final, reason)
                raise (UnreadableError if final else UnreachedError)(reason) from exc
            time.sleep(PAUSE_S * 2 ** (attempt - 1))
        else:
            _answers(True)
            return found
    raise AssertionError  # the last attempt returns or raises


class _RemoteFile(io.RawIOBase):
    """Raw reads of a file's parts."""

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
            found = attempted(lambda: _part(self._system, self._path, self._position, end))
        except UnreachedError:
            raise
        except PictureError as exc:
            raise OSError(str(exc)) from exc
        view[: len(found)] = found
        self._position += len(found)
        return len(found)


def _part(system: Any, path: str, start: int, end: int) -> bytes:  # noqa: ANN401
    if _is_http(system):  # whose server may answer with all of the file
        found = _streamed(system, path, end - start, headers={"Range": f"bytes={start}-{end - 1}"})
    elif getattr(system, "async_impl", False):
        asyn = importlib.import_module("fsspec.asyn")
        found = asyn.sync(system.loop, system._cat_file, path, start=start, end=end, timeout=WHOLE_S)
    else:
        found = system.cat_file(path, start=start, end=end)
    if len(found) > end - start:
        raise UnreadableError("its server gives no parts of files; download it first")
    return found


def _streamed(system: Any, path: str, limit: int, **asked: object) -> bytes:  # noqa: ANN401
    """An answer over HTTP, no more than one byte above the limit; it gives what it has, not what it is asked for."""
    held = bytearray()
    with system.open(path, "rb", block_size=0, **asked) as file:
        while len(held) <= limit and (found := file.read(limit + 1 - len(held))):
            held += found
    return bytes(held)


def _is_http(system: Any) -> bool:  # noqa: ANN401
    return "http" in system.protocol


def _options(protocol: str) -> dict[str, Any]:
    """Time limits, in each file system's own words."""
    if protocol in {"http", "https"}:
        limits = importlib.import_module("aiohttp").ClientTimeout(
            total=WHOLE_S, sock_connect=CONNECT_S, sock_read=READ_S
        )
        return {"client_kwargs": {"timeout": limits, "trust_env": True}, "use_listings_cache": False}
    if protocol in {"s3", "s3a"}:
        limits = {"connect_timeout": CONNECT_S, "read_timeout": READ_S, "retries": {"max_attempts": ATTEMPTS}}
        return {"config_kwargs": limits, "use_listings_cache": False}
    return {"use_listings_cache": False}


def _is_final(error: Exception) -> bool:
    """Whether asking again would give the same."""
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status == HTTPStatus.NOT_IMPLEMENTED or (400 <= status < 500 and status not in {408, 429})
    return isinstance(error, PermissionError | NotImplementedError | IsADirectoryError)


def _said(error: Exception) -> str:
    """Without the address, which may have a signature in it."""
    status, message = getattr(error, "status", None), getattr(error, "message", None)
    if isinstance(status, int):
        return f"the server answers {status} {message or ''}".rstrip()
    return re.sub(r"\?[^\s'\")]+", "?...", str(error)) or type(error).__name__


_failed = 0
_failed_lock = threading.Lock()


def _answers(well: bool, reason: str = "") -> None:
    global _failed
    with _failed_lock:
        _failed = 0 if well else _failed + 1
        failed = _failed
        if failed >= PATIENCE:
            _failed = 0
    if failed >= PATIENCE:
        raise JobStoppedError(f"{failed} pictures in a row could not be fetched, the last one {reason}")
