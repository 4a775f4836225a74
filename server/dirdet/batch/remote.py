"""Reads files at addresses such as s3://bucket/photos, through fsspec."""

import importlib
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any
from urllib.parse import urlsplit

from dirdet.batch.errors import SourceError
from dirdet.batch.redirects import session_options
from dirdet.batch.remote_reads import (
    ATTEMPTS,
    CONNECT_S,
    READ_S,
    WHOLE_S,
    attempted,
    buffered,
    is_http,
    read_part,
    read_streamed,
)
from dirdet.errors import MissingExtraError, PictureError, UnreachedError, UnreadableError, install_hint
from dirdet.files import open_regular
from dirdet.pictures.reading import DEFAULT_LIMITS, too_many_bytes

_ADDRESS = re.compile(r"(s3|s3a|gs|gcs|az|abfs|abfss|http|https|memory)://")
SIZES_AT_ONCE = 64


def is_address(name: str | bytes) -> bool:
    """Whether a source or file is an address; a local path never has the form of one, since it contains no `//`."""
    return _ADDRESS.match(os.fsdecode(name)) is not None


def without_query(address: str) -> str:
    """An address as results may show it: without its query, which may hold a signature."""
    return address.partition("?")[0]


def file_system(address: str) -> tuple[Any, str]:
    """The address's fsspec file system, and its path there.

    Raises:
        MissingExtraError: fsspec is not installed.
        SourceError: the package of this kind of address is not installed, or the address contains a password.
    """
    if urlsplit(address).username is not None:
        raise SourceError(
            f"{address.partition('://')[0]}://...: an address must not contain a user and password; "
            "put them into fsspec's configuration, the environment or ~/.netrc"
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
    """Reads a picture's file, or `size` bytes of a file from an offset on.

    Raises:
        PictureError: there is none, it cannot be read, or it is too large.
    """
    limit = DEFAULT_LIMITS.max_bytes
    system, path = file_system(address)

    def read() -> bytes:
        if offset is not None and size is not None:
            return read_part(system, path, offset, offset + size)
        if is_http(system):
            return read_streamed(system, path, limit)
        return read_part(system, path, 0, limit + 1)

    found = attempted(read)
    if offset is None and len(found) > limit:
        raise too_many_bytes(DEFAULT_LIMITS)
    if offset is not None and len(found) != size:
        raise UnreadableError(f"its archive is cut off: {len(found)} of {size} bytes exist")
    return found


def open_remote(path: bytes) -> IO[bytes]:
    """Opens a seekable remote file; each read is a separate request of about a megabyte.

    Raises:
        PictureError: there is no such file, or its server does not support ranges.
    """
    system, name = file_system(os.fsdecode(path))
    size = attempted(lambda: system.info(name)).get("size")
    if size is None:
        raise UnreadableError("its server does not state its size, so it cannot be read in parts; download it first")
    return buffered(system, name, size)


def open_file(path: bytes) -> IO[bytes]:
    """Opens a seekable file, local or remote.

    Raises:
        OSError: it cannot be opened, or is not a file.
        PictureError: its address cannot be read.
    """
    if is_address(path):
        return open_remote(path)
    return open_regular(path)


def sizes(addresses: Sequence[str]) -> list[int | None]:
    """Sizes in bytes, many requested at once; None if unknown: reading the file then gives the error.

    Raises:
        SourceError: an address does not answer, so the list of pictures is unknown.
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


def _options(protocol: str) -> dict[str, Any]:
    """Time limits in each file system's own options."""
    if protocol in {"http", "https"}:
        limits = importlib.import_module("aiohttp").ClientTimeout(
            total=WHOLE_S, sock_connect=CONNECT_S, sock_read=READ_S
        )
        session = {"timeout": limits, "trust_env": True, **session_options()}
        return {"client_kwargs": session, "use_listings_cache": False}
    if protocol in {"s3", "s3a"}:
        limits = {"connect_timeout": CONNECT_S, "read_timeout": READ_S, "retries": {"max_attempts": ATTEMPTS}}
        return {"config_kwargs": limits, "use_listings_cache": False}
    return {"use_listings_cache": False}
