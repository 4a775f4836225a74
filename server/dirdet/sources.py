"""Where `dirdet detect` finds its pictures: files, folders of them, and standard input."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from PIL import Image

from dirdet.errors import NotFoundError, ParameterError, PictureError, UnreadableError
from dirdet.pictures import DEFAULT_LIMITS, PICTURE_SUFFIXES, read_picture, too_many_bytes

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """One picture, not opened yet.

    Attributes:
        name: what it is called in answers: as typed, or the folder as typed and the file in it.
        error: why there is none.
    """

    name: str
    error: PictureError | None = None

    @property
    def path(self) -> Path | None:
        """Its file; None for standard input. A file named "-" is typed "./-"."""
        return None if self.name == STDIN else Path(self.name)

    @property
    def stem(self) -> str:
        """What a drawing of it is named after."""
        return "stdin" if self.path is None else self.path.stem

    def read(self) -> Image.Image:
        """The upright picture.

        Raises:
            PictureError: there is no such file, it cannot be read, or it is no picture that is accepted.
        """
        if self.error is not None:
            raise self.error
        try:
            if self.path is None:
                return read_picture(_held(_stdin()))
            with self.path.open("rb") as file:
                if not file.seekable():  # a pipe, as of a shell's <(...)
                    return read_picture(_held(file))
                if self.path.stat().st_size > DEFAULT_LIMITS.max_bytes:
                    raise too_many_bytes(DEFAULT_LIMITS)
                return read_picture(file)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise NotFoundError("there is no such file or folder") from exc
        except (OSError, ValueError) as exc:  # ValueError: a name with a null character
            raise UnreadableError(f"cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc


def find_sources(names: Sequence[str], *, recursive: bool) -> list[Source]:
    """The pictures that the names mean, in their order; a folder's are sorted by path.

    Of a folder, files whose name ends as no picture's does are passed over, and so is what is hidden, as by a
    shell's `*`. A folder that holds no picture is one source with an error.

    Raises:
        ParameterError: standard input is named twice.
    """
    if sum(name == STDIN for name in names) > 1:
        raise ParameterError("PICTURES", f"{STDIN} (standard input) can be read once only")
    sources: list[Source] = []
    for name in names:
        if name not in ("", STDIN) and Path(name).is_dir():  # pathlib takes "" for the working directory
            sources += _of_folder(name, recursive=recursive)
        else:
            sources.append(Source(name))
    return sources


def _of_folder(name: str, *, recursive: bool) -> list[Source]:
    try:
        found = sorted(_pictures_below(Path(name), recursive=recursive))
    except OSError as exc:
        return [Source(name, UnreadableError(f"{exc.filename} cannot be read: {exc.strerror or exc}"))]
    if not found:
        deeper = "" if recursive else "; --recursive also looks into the folders in it"
        return [Source(name, NotFoundError(f"the folder holds no picture{deeper}"))]
    return [Source(str(path)) for path in found]


def _pictures_below(folder: Path, *, recursive: bool) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error  # os.walk passes over what it cannot list

    for where, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [each for each in folders if recursive and not each.startswith(".")]
        for each in files:
            if not each.startswith(".") and Path(each).suffix.lower() in PICTURE_SUFFIXES:
                yield Path(where) / each


def _stdin() -> IO[bytes]:
    if sys.stdin is None:
        raise UnreadableError("standard input is closed")
    return sys.stdin.buffer


def _held(file: IO[bytes]) -> IO[bytes]:
    """A stream's bytes in memory, so that they can be read from the start again; no more of them than the limit."""
    held = file.read(DEFAULT_LIMITS.max_bytes + 1)
    if len(held) > DEFAULT_LIMITS.max_bytes:
        raise too_many_bytes(DEFAULT_LIMITS)
    return BytesIO(held)
