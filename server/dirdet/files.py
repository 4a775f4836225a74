"""Opens user-named files without blocking; writes files and folders atomically; reads secrets."""

import codecs
import errno
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO

from dirdet.errors import ParameterError

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_PART = re.compile(r"\.(.+)\.tmp-[0-9a-f]{16}", re.DOTALL)
# Of a JSON file of annotations or results. COCO's largest, instances_train2017.json, has 449 MiB.
MOST_ANNOTATIONS_BYTES = 2**30
# Names of the other file types, by the type in the mode.
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: str | bytes | Path) -> BufferedReader:
    """Opens a regular file. Other files are refused before they are opened: opening a pipe could block for ever.

    Raises:
        IsADirectoryError: it is a folder.
        OSError: it is a pipe, a socket or a device, or cannot be opened.
    """
    try:
        _check_regular(os.stat(path), path)  # noqa: PTH116 - bytes
        # The path may have been replaced between the check and the opening.
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - bytes
    except ValueError as exc:  # a null character, or text outside of the system's encoding
        raise OSError(errno.EINVAL, f"no file has this name: {exc}") from exc
    try:
        _check_regular(os.fstat(file.fileno()), path)
    except BaseException:
        file.close()
        raise
    return file


def path_below(folder: str | Path, name: str) -> str | None:
    """The path of a file that another file names, relative to a folder; None if it is not below the folder.

    A list or annotations of a stranger reach only files in the folder that the user named. Only the paths are compared:
    links in the folder are the user's own and are followed.
    """
    path, top = os.path.join(folder, name), os.path.abspath(folder)  # noqa: PTH100, PTH118 - keeps links and `..`
    return path if os.path.abspath(path).startswith(os.path.join(top, "")) else None  # noqa: PTH100, PTH118


def read_regular(path: str | bytes | Path, *, most_bytes: int) -> bytes:
    """The content of a regular file, whose size is checked before it is read.

    Raises:
        OSError: the file cannot be opened or read, is not a regular file, or has more bytes.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        # A file that grows meanwhile is noticed by one byte too many.
        data = file.read(size + 1) if size <= most_bytes else None
    if data is None or len(data) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes / 2**20:g} MiB", os.fsdecode(path))
    return data


def utf8_json(data: bytes) -> bytes:
    """JSON in UTF-8 without a byte order mark; UTF-16 and UTF-32, as Windows' tools write, are known by their start.

    Raises:
        UnicodeDecodeError: the bytes are not in the encoding that they begin with.
    """
    encoding = json.detect_encoding(data[:4])
    if encoding == "utf-8":
        return data
    return data.removeprefix(codecs.BOM_UTF8) if encoding == "utf-8-sig" else data.decode(encoding).encode()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_regular(status: os.stat_result, path: str | bytes | Path) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fsdecode(path))
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
    raise OSError(errno.EINVAL, f"it is {kind}; expected a file", os.fsdecode(path))


def write_whole(path: Path, fill: Callable[[IO[bytes]], object], *, durable: bool = False) -> None:
    """Writes a file under a temporary name and renames it; creates the folder if it is missing.

    Args:
        path: final path.
        fill: writes the content.
        durable: the file is synced to disk before this returns, so that it survives a loss of power.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _beside(path)
    try:
        with part.open("xb") as file:  # Fails if the name exists, even as a link.
            fill(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Generator[Path]:
    """Yields a temporary folder to fill; on exit without an error it replaces the folder at `path`.

    A killed process leaves folders named `.NAME.tmp-RANDOM`; if it is killed between the two renames, there is no
    folder at `path`.
    """
    part, old = _beside(path), _beside(path)
    part.mkdir(parents=True)
    try:
        yield part
        if path.exists():
            path.rename(old)
        try:
            part.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    finally:
        for each in (part, old):
            shutil.rmtree(each, ignore_errors=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp-{secrets.token_hex(8)}")


def finished_name(name: str) -> str | None:
    """The final name of a temporary file of `write_whole`; None for any other file."""
    found = _PART.fullmatch(name)
    return found and found[1]


def open_lock(path: Path) -> IO[bytes]:
    """Opens a file to lock, creates it if it is missing; its content does not matter, and links are not followed.

    Raises:
        OSError: it is a link, or cannot be opened.
    """
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666), "r+b")


def open_appending(path: Path) -> IO[bytes]:
    """A file that is there, to add to, without a buffer; never what a link leads to.

    Raises:
        OSError: it is a link or no file, or cannot be opened.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | _NO_LINK | getattr(os, "O_NONBLOCK", 0))
    file = os.fdopen(descriptor, "ab", buffering=0)
    try:
        _check_regular(os.fstat(descriptor), path)
    except BaseException:
        file.close()
        raise
    return file


def read_secret(path: Path, *, option: str) -> str:
    """Reads a secret from a file, which keeps it out of the process list and out of shell histories.

    Args:
        path: of the file; it holds one word.
        option: the option that named the file, for the error.

    Raises:
        ParameterError: the file cannot be read, or does not hold exactly one word; the message shows no content.
    """
    try:
        words = path.read_text(encoding="ascii").split()
    except UnicodeDecodeError as exc:
        raise ParameterError(option, f"{path} cannot be read as a key: expected ASCII") from exc
    except OSError as exc:
        raise ParameterError(option, f"{path} cannot be read as a key: {exc.strerror}") from exc
    if len(words) != 1:
        raise ParameterError(option, f"expected one key in {path}, found {len(words)} words")
    return words[0]
