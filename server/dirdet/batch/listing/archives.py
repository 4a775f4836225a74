"""Pictures in a tar archive, a WebDataset's shard among them, or in a zip archive."""

import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from dirdet.batch.entry import Entry, entry_name
from dirdet.batch.errors import SourceError
from dirdet.batch.listing.tally import Tally
from dirdet.batch.opening import open_file
from dirdet.errors import PictureError, UnreachedError
from dirdet.pictures import PICTURE_SUFFIXES

ARCHIVE_SUFFIXES = (".tar", ".zip")
BLOCK = 512
PACKED_TARS = (".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")


class ArchiveSource:
    """See `Source`. Members in the archive's order; nothing is unpacked to disk."""

    kind = "archive"

    def __init__(self, name: str, path: bytes, *, all_files: bool) -> None:
        """Looks at nothing yet.

        Args:
            name: what its members' names begin with.
            path: of its file, or its address.
            all_files: also the members whose names end as no picture's.
        """
        self._name, self._path = name, path
        self._all_files = all_files

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """See `Source.entries`; an archive that breaks off gives what comes before, then an entry that says so."""
        name, path = self._name, self._path
        taken: set[str] = set()
        try:
            members = _tar_members if _is_tar(self._name) else _zip_members
            for member in members(name, path):
                file = PurePosixPath(member.name)
                if not self._all_files and (file.suffix.lower() not in PICTURE_SUFFIXES or file.name.startswith(".")):
                    tally.passed_over += 1
                elif member.name in taken:
                    tally.repeated += 1
                else:
                    taken.add(member.name)
                    yield member
        except UnreachedError as exc:
            raise SourceError(f"{name}: {exc}") from exc
        except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, PictureError) as exc:
            yield Entry(name, path, fault=f"the archive cannot be read to its end: {exc}")


def _is_tar(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() == ".tar"


def _tar_members(name: str, path: bytes) -> Iterator[Entry]:
    with open_file(path) as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            archive.members = []  # tarfile keeps them all  # pyright: ignore[reportAttributeAccessIssue]
            if member.isreg() and not member.issparse():
                inside = os.fsencode(member.name.encode("utf-8", "surrogateescape"))
                yield Entry(f"{name}/{entry_name(inside)}", path, offset=member.offset_data, size=member.size)
        end = archive.offset
        # tarfile takes whatever it cannot read for the end, whose mark is a block of zeros.
        file.seek(end)
        if any(block := file.read(BLOCK)) or 0 < len(block) < BLOCK:
            raise tarfile.ReadError(f"there is no member at byte {end}")


def _zip_members(name: str, path: bytes) -> Iterator[Entry]:
    with open_file(path) as file, zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield Entry(f"{name}/{member.filename}", path, member=member.filename, size=member.file_size)
