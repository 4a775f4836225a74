"""Pictures in a tar archive, a WebDataset's shard among them, or in a zip archive."""

import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dirdet.batch.entry import Entry, entry_name
from dirdet.batch.listing.tally import Tally
from dirdet.pictures import PICTURE_SUFFIXES

ARCHIVE_SUFFIXES = (".tar", ".zip")
BLOCK = 512
PACKED_TARS = (".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")


class ArchiveSource:
    """See `Source`. Members in the archive's order; nothing is unpacked to disk."""

    kind = "archive"

    def __init__(self, path: Path, *, all_files: bool) -> None:
        """Looks at nothing yet."""
        self._path = path
        self._all_files = all_files

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """See `Source.entries`; an archive that breaks off gives what comes before, then an entry that says so."""
        name, path = entry_name(str(self._path)), os.fsencode(self._path)
        taken: set[str] = set()
        try:
            members = _tar_members if self._path.suffix.lower() == ".tar" else _zip_members
            for member in members(name, path):
                file = PurePosixPath(member.name)
                if not self._all_files and (file.suffix.lower() not in PICTURE_SUFFIXES or file.name.startswith(".")):
                    tally.passed_over += 1
                elif member.name in taken:
                    tally.repeated += 1
                else:
                    taken.add(member.name)
                    yield member
        except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as exc:
            yield Entry(name, path, fault=f"the archive cannot be read to its end: {exc}")


def _tar_members(name: str, path: bytes) -> Iterator[Entry]:
    with tarfile.open(os.fsdecode(path), "r:") as archive:
        for member in archive:
            archive.members = []  # tarfile keeps them all  # pyright: ignore[reportAttributeAccessIssue]
            if member.isreg() and not member.issparse():
                inside = os.fsencode(member.name.encode("utf-8", "surrogateescape"))
                yield Entry(f"{name}/{entry_name(inside)}", path, offset=member.offset_data, size=member.size)
        end = archive.offset
    # tarfile takes whatever it cannot read for the end, whose mark is a block of zeros.
    with open(path, "rb") as file:  # noqa: PTH123 - bytes
        file.seek(end)
        if any(block := file.read(BLOCK)) or 0 < len(block) < BLOCK:
            raise tarfile.ReadError(f"there is no member at byte {end}")


def _zip_members(name: str, path: bytes) -> Iterator[Entry]:
    with zipfile.ZipFile(os.fsdecode(path)) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield Entry(f"{name}/{member.filename}", path, member=member.filename, size=member.file_size)
