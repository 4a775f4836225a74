"""One picture of a source: its name, the place of its bytes, and how to read them."""

import os
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import IO

from dirdet.batch.archive_files import open_member
from dirdet.batch.remote import fetch, is_address
from dirdet.batch.video.frames import frame_bytes
from dirdet.errors import MissingExtraError, NotFoundError, PictureError, UnreadableError
from dirdet.files import open_regular
from dirdet.pictures.reading import DEFAULT_LIMITS, too_many_bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture that is not read yet.

    Attributes:
        name: its name in the results: unique in its source, and UTF-8 whatever the file system holds.
        path: of its file, or of its archive or video, as the file system's bytes; or an address.
        member: its name in a zip archive; None elsewhere.
        offset: position in a tar archive at which its bytes begin; None elsewhere.
        size: bytes, if known without reading the file; for a frame, those of its video.
        image_id: the data set's own id, if there is one.
        fault: why it cannot be read, if the listing found this out.
        frame: its presentation timestamp in the video's time unit; None outside of videos.
    """

    name: str
    path: bytes
    member: str | None = None
    offset: int | None = None
    size: int | None = None
    image_id: int | None = None
    fault: str | None = None
    frame: int | None = None

    def open(self) -> IO[bytes]:
        """Reads its bytes into memory, never more than the limit.

        Raises:
            PictureError: there is no such file, it cannot be read, or it is too large.
            MissingExtraError: a package that its kind needs is not installed.
        """
        if self.fault is not None:
            raise UnreadableError(self.fault)
        try:
            return BytesIO(self._bytes())
        except (PictureError, MissingExtraError):
            raise
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise NotFoundError("there is no such file") from exc
        except (OSError, ValueError) as exc:  # ValueError: a name with a null character
            raise UnreadableError(f"cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
        except (
            zipfile.BadZipFile,
            RuntimeError,
            KeyError,
            EOFError,
        ) as exc:  # RuntimeError: an encrypted member
            raise UnreadableError(f"cannot be read from its archive: {exc}") from exc
        except Exception as exc:  # zlib, lzma and bz2 have their own errors.
            raise UnreadableError(f"cannot be unpacked from its archive: {exc}") from exc

    @contextmanager
    def opened(self) -> Generator[IO[bytes]]:
        """The file itself, of any size, if the picture is a file of its own; otherwise as `open`.

        Raises:
            PictureError: as `open`.
            MissingExtraError: as `open`.
        """
        elsewhere = self.member is not None or self.offset is not None or self.frame is not None
        if self.fault is not None or elsewhere or is_address(self.path):
            yield self.open()
            return
        try:
            file = open_regular(self.path)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise NotFoundError("there is no such file") from exc
        except OSError as exc:
            raise UnreadableError(f"cannot be read: {exc.strerror or exc}") from exc
        with file:
            yield file

    def _bytes(self) -> bytes:
        if self.frame is not None:
            return frame_bytes(self.path, self.frame)
        if self.size is not None and self.size > DEFAULT_LIMITS.max_bytes:
            raise too_many_bytes(DEFAULT_LIMITS)
        if self.member is not None:
            with open_member(self.path, self.member) as packed:
                return _bounded(packed)
        if is_address(self.path):
            return fetch(os.fsdecode(self.path), offset=self.offset, size=self.size)
        with open_regular(self.path) as file:
            if self.offset is None:
                return _bounded(file)
            file.seek(self.offset)
            found = file.read(self.size or 0)
            if len(found) != self.size:
                raise UnreadableError(f"its archive is cut off: {len(found)} of {self.size} bytes are there")
            return found


def entry_name(path: str | bytes) -> str:
    r"""A file's name in UTF-8 with `/` between its parts; bytes that are not UTF-8 become `\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace(os.sep, "/")


def _bounded(file: IO[bytes]) -> bytes:
    found = file.read(DEFAULT_LIMITS.max_bytes + 1)
    if len(found) > DEFAULT_LIMITS.max_bytes:
        raise too_many_bytes(DEFAULT_LIMITS)
    return found
