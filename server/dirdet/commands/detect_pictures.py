"""Lists the pictures of `dirdet detect`: files, folders of pictures, and standard input."""

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from dirdet.bundle.bundle import Manifest
from dirdet.bundle.interpolation import Decode
from dirdet.errors import NotFoundError, ParameterError, PictureError, UnreadableError
from dirdet.files import open_regular
from dirdet.pictures.canvas import PlacedPicture, place_file
from dirdet.pictures.formats import PICTURE_SUFFIXES
from dirdet.pictures.reading import DEFAULT_LIMITS, too_many_bytes
from dirdet.pictures.regions import Regions, open_regions

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """One picture, not opened yet.

    Attributes:
        name: its name in answers: the argument, or the folder's argument and the file's name.
        error: why it cannot be read, if this is known already.
        is_typed: it was an argument of its own, so it may be a pipe, such as a shell's <(...).
    """

    name: str
    error: PictureError | None = None
    is_typed: bool = True

    @property
    def path(self) -> Path | None:
        """Path of the file; None for standard input. A file named "-" is given as "./-"."""
        return None if self.name == STDIN else Path(self.name)

    @property
    def stem(self) -> str:
        """First part of the name of its drawing."""
        return "stdin" if self.path is None else self.path.stem

    @contextmanager
    def placed(self, manifest: Manifest, *, decode: Decode) -> Generator[tuple[PlacedPicture, IO[bytes]]]:
        """The picture on its canvas, and its file, for the time of the block.

        Args:
            manifest: of the detector.
            decode: whether a JPEG may be decoded at less than its size.

        Raises:
            PictureError: there is no such file, it cannot be read, or it is not an accepted picture.
        """
        with self._stack() as stack:
            with _told():
                file = stack.enter_context(self._opened())
                if file.seek(0, os.SEEK_END) > DEFAULT_LIMITS.max_bytes:
                    raise too_many_bytes(DEFAULT_LIMITS)
                file.seek(0)
                placed = place_file(file, manifest, decode=decode)
            yield placed, file

    @contextmanager
    def regions(self) -> Generator[Regions]:
        """The upright picture, for the time of the block; a TIFF beyond the limits is read in parts.

        Raises:
            PictureError: there is no such file, it cannot be read, or it is not an accepted picture.
            MissingExtraError: a package that it needs is not installed.
        """
        with self._stack() as stack:
            with _told():
                regions = stack.enter_context(open_regions(stack.enter_context(self._opened())))
            yield regions

    def _stack(self) -> ExitStack:
        if self.error is not None:
            raise self.error
        return ExitStack()

    @contextmanager
    def _opened(self) -> Generator[IO[bytes]]:
        if self.path is None:
            yield _held(_stdin())
            return
        with self.path.open("rb") if self.is_typed else open_regular(self.path) as file:
            yield file if file.seekable() else _held(file)


@contextmanager
def _told() -> Generator[None]:
    """Converts errors of the file system to a PictureError."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NotFoundError("there is no such file or folder") from exc
    except (OSError, ValueError) as exc:  # Python raises ValueError for a name with a null character.
        raise UnreadableError(f"cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc


def find_sources(names: Sequence[str], *, recursive: bool) -> list[Source]:
    """Lists the pictures of the arguments, in order; a folder's pictures are sorted by path.

    Files in a folder without a picture's suffix are skipped, and so are hidden files, as a shell's `*` skips them. A
    folder without pictures is one source with an error.

    Raises:
        ParameterError: standard input is named twice.
    """
    if sum(name == STDIN for name in names) > 1:
        raise ParameterError("PICTURES", f"{STDIN} (standard input) can be read only once")
    sources: list[Source] = []
    for name in names:
        if name not in ("", STDIN) and Path(name).is_dir():  # pathlib takes "" for the working directory.
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
        deeper = "" if recursive else "; --recursive also searches its subfolders"
        return [Source(name, NotFoundError(f"the folder holds no picture{deeper}"))]
    return [Source(str(path), is_typed=False) for path in found]


def _pictures_below(folder: Path, *, recursive: bool) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error  # os.walk skips folders that it cannot list.

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
    """Reads a stream into memory, at most the limit of a picture's bytes, so that it becomes seekable."""
    held = file.read(DEFAULT_LIMITS.max_bytes + 1)
    if len(held) > DEFAULT_LIMITS.max_bytes:
        raise too_many_bytes(DEFAULT_LIMITS)
    return BytesIO(held)
