"""One picture of a source: what it is called, where its bytes are, and how they are read."""

import os
import stat
import threading
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from io import BytesIO
from typing import IO

from dirdet.batch.errors import JobStoppedError
from dirdet.batch.opening import open_file
from dirdet.batch.remote import fetch, is_address
from dirdet.batch.video.frames import frame_bytes
from dirdet.errors import MissingExtraError, NotFoundError, PictureError, UnreadableError
from dirdet.pictures import DEFAULT_LIMITS, too_many_bytes

# Archives that a thread keeps open: a source goes through them one after the other.
OPEN_ARCHIVES = 2
_thread = threading.local()


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture that is not read yet.

    Attributes:
        name: what results call it: unique in its source, in UTF-8 whatever the file system says.
        path: of its file, or of the archive or video that it is in, as the file system's bytes; or an address.
        member: its name in a zip archive; None elsewhere.
        offset: where in its file it begins, of a tar archive's; None elsewhere.
        size: bytes, where that is known without reading it; of a frame, its video's.
        image_id: the data set's own number, where it has one.
        fault: why it cannot be read, where listing the source told.
        frame: of a video, its presentation timestamp in the video's own unit; None elsewhere.
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
        """Its bytes in memory, never more than the limit.

        Raises:
            PictureError: there is no such file, it cannot be read, or it is too large.
            JobStoppedError: the place that it is at answers nothing any more.
            MissingExtraError: a package for its kind is not installed.
        """
        if self.fault is not None:
            raise UnreadableError(self.fault)
        try:
            return BytesIO(self._bytes())
        except (PictureError, JobStoppedError, MissingExtraError):
            raise
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise NotFoundError("there is no such file") from exc
        except (OSError, ValueError) as exc:  # ValueError: a name with a null character
            raise UnreadableError(f"cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
        except (zipfile.BadZipFile, RuntimeError, KeyError, EOFError) as exc:  # RuntimeError: encrypted
            raise UnreadableError(f"cannot be read from its archive: {exc}") from exc
        except Exception as exc:  # zlib, lzma and bz2 have errors of their own
            raise UnreadableError(f"cannot be unpacked from its archive: {exc}") from exc

    def _bytes(self) -> bytes:
        if self.frame is not None:
            return frame_bytes(self.path, self.frame)
        if self.size is not None and self.size > DEFAULT_LIMITS.max_bytes:
            raise too_many_bytes(DEFAULT_LIMITS)
        if self.member is not None:
            with _archive(self.path).open(self.member) as packed:
                return _bounded(packed)
        if is_address(self.path):
            return fetch(os.fsdecode(self.path), offset=self.offset, size=self.size)
        with open(os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:  # noqa: PTH123 - bytes
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableError("is no regular file")
            if self.offset is None:
                return _bounded(file)
            file.seek(self.offset)
            found = file.read(self.size)
            if len(found) != self.size:
                raise UnreadableError(f"its archive is cut off: {len(found)} of {self.size} bytes are there")
            return found


def entry_name(path: str | bytes) -> str:
    r"""A file's name in UTF-8 with `/` between its parts; bytes that are no UTF-8 become `\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace(os.sep, "/")


def _bounded(file: IO[bytes]) -> bytes:
    found = file.read(DEFAULT_LIMITS.max_bytes + 1)
    if len(found) > DEFAULT_LIMITS.max_bytes:
        raise too_many_bytes(DEFAULT_LIMITS)
    return found


def _archive(path: bytes) -> zipfile.ZipFile:
    """A zip archive, kept open by this thread: its directory is read once, not for every picture."""
    kept: OrderedDict[bytes, zipfile.ZipFile] = _thread.__dict__.setdefault("archives", OrderedDict())
    if path not in kept:
        kept[path] = zipfile.ZipFile(open_file(path) if is_address(path) else os.fsdecode(path))
        if len(kept) > OPEN_ARCHIVES:
            kept.popitem(last=False)[1].close()
    kept.move_to_end(path)
    return kept[path]
