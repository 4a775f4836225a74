"""Opens tar and zip archives with a bound on the memory that their headers can take."""

import io
import tarfile
import threading
import weakref
import zipfile
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any, cast

from dirdet.batch.remote import open_file

# Limit for one member of a tar: long names and pax headers, whose size a header of 512 bytes states.
TAR_HEADER_BYTES = 2**20
# Limit of pax headers that apply to a whole tar.
MOST_GLOBAL_HEADERS = 100
# Limit of a zip's directory, about 600,000 pictures: zipfile holds it whole, and an object for each member.
ZIP_DIRECTORY_BYTES = 2**26
# The output of bzip2 and LZMA cannot be bounded before it is in memory.
PACKINGS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
OPEN_ZIPS = 2


class BoundedFile:
    """A file with a limit on the bytes of one read, or of all reads until `allow` is called again."""

    def __init__(self, file: IO[bytes], most: int, *, together: bool, error: Exception) -> None:
        """Starts with the full limit.

        Args:
            file: seekable.
            most: limit in bytes.
            together: the limit holds for all reads until `allow`, instead of for each read.
            error: raised above the limit.
        """
        self._file, self._most, self._together, self._error = file, most, together, error
        self._left = most

    def allow(self) -> None:
        """Resets the limit."""
        self._left = self._most

    def read(self, size: int = -1, /) -> bytes:
        if size > self._left:
            raise self._error
        data = self._file.read(size if size >= 0 else self._left + 1)
        if len(data) > self._left:
            raise self._error
        if self._together:
            self._left -= len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


@contextmanager
def opened_tar(path: bytes) -> Generator[tuple[tarfile.TarFile, BoundedFile]]:
    """Opens an uncompressed tar; also gives its bounded file, on which the caller calls `allow` before each member.

    Raises:
        OSError: it cannot be opened.
        PictureError: its address cannot be read.
        tarfile.TarError: it is not a tar.
    """
    error = tarfile.ReadError(f"a member's headers have more than {TAR_HEADER_BYTES // 2**20} MiB")
    with open_file(path) as file:
        bounded = BoundedFile(file, TAR_HEADER_BYTES + 64 * tarfile.BLOCKSIZE, together=True, error=error)
        with tarfile.open(fileobj=cast("IO[bytes]", bounded), mode="r:") as archive:
            yield archive, bounded


def opened_zip(path: bytes) -> zipfile.ZipFile:
    """Opens a zip archive.

    Raises:
        OSError: it cannot be opened.
        PictureError: its address cannot be read.
        zipfile.BadZipFile: it is not a zip, or its directory has more than 64 MiB.
    """
    file = open_file(path)
    error = zipfile.BadZipFile(f"its directory has more than {ZIP_DIRECTORY_BYTES // 2**20} MiB")
    try:
        bounded: Any = BoundedFile(file, ZIP_DIRECTORY_BYTES, together=False, error=error)
        # zipfile does not close a file that it was given; this closes it once no member is being read.
        weakref.finalize(bounded, file.close)
        return zipfile.ZipFile(bounded)
    except BaseException:
        file.close()
        raise


_zips: OrderedDict[bytes, zipfile.ZipFile] = OrderedDict()
_zips_lock = threading.Lock()


def open_member(path: bytes, member: str) -> IO[bytes]:
    """Opens a member of a zip archive, which stays open for all threads, so that its directory is read once.

    Raises:
        OSError: the archive cannot be opened.
        PictureError: the archive's address cannot be read.
        zipfile.BadZipFile: it is not a zip, or the member is packed by an unsupported method.
        KeyError: it has no such member.
    """
    with _zips_lock:
        if path not in _zips:
            _zips[path] = opened_zip(path)
            if len(_zips) > OPEN_ZIPS:
                _zips.popitem(last=False)[1].close()  # Its file stays open until its members are closed.
        _zips.move_to_end(path)
        archive = _zips[path]
        info = archive.getinfo(member)
        if info.compress_type not in PACKINGS:
            raise zipfile.BadZipFile("it is packed by a method other than deflate")
        return archive.open(info)
