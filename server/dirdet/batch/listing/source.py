"""The source of a job: the interface, and which kind a name means."""

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dirdet.batch.entry import Entry
from dirdet.batch.errors import SourceError
from dirdet.batch.listing.archives import ARCHIVE_SUFFIXES, PACKED_TARS, ArchiveSource
from dirdet.batch.listing.files import FolderSource, GlobSource
from dirdet.batch.listing.lists import TABLE_SUFFIXES, CocoSource, ListSource, TableSource
from dirdet.batch.listing.tally import Tally


class Source(Protocol):
    """Pictures in an order that is the same every time they are listed."""

    @property
    def kind(self) -> str:
        """What it is, in a word."""
        ...

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """The pictures, of which no two have one name; what is left out is counted.

        Raises:
            SourceError: the source as a whole cannot be read.
        """
        ...


@dataclass(frozen=True)
class SourceOptions:
    """How a source is read.

    Attributes:
        column: of a table, the one with the pictures' names.
        pictures: the folder that a list's, table's or COCO file's names are relative to; its own unless given.
        all_files: of folders and archives, also the files whose names end as no picture's.
        besides: a folder in which nothing is looked for: that of the results.
    """

    column: str | None = None
    pictures: Path | None = None
    all_files: bool = False
    besides: Path | None = None


def open_source(name: str, options: SourceOptions) -> Source:
    """What a name means: a folder, an archive, a list, a table, a COCO file, or a pattern of any of the first two.

    Raises:
        SourceError: there is no such thing, or it is of no kind that is read.
    """
    path = Path(name)
    if path.is_dir():
        return FolderSource(path, all_files=options.all_files, besides=options.besides)
    if not path.exists():
        if not glob.has_magic(name):
            raise SourceError(f"{name}: there is no such file or folder")
        return GlobSource(name, all_files=options.all_files)
    relative_to = options.pictures or path.parent
    suffix = path.suffix.lower()
    if suffix in ARCHIVE_SUFFIXES:
        return ArchiveSource(path, all_files=options.all_files)
    if path.name.lower().endswith(PACKED_TARS):
        raise SourceError(f"{name}: a compressed tar cannot be read from its middle; unpack it to a plain .tar")
    if suffix == ".json":
        return CocoSource(path, relative_to)
    if suffix in TABLE_SUFFIXES:
        return TableSource(path, relative_to, column=options.column)
    if suffix in {".txt", ".lst", ".list"}:
        return ListSource(path, relative_to)
    raise SourceError(
        f"{name}: expected a folder, a pattern, a list (.txt, .lst), COCO's .json, a table "
        f"({', '.join(TABLE_SUFFIXES)}) or an archive ({', '.join(ARCHIVE_SUFFIXES)}); "
        "for one picture there is `dirdet detect`"
    )
