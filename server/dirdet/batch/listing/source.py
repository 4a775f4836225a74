"""The source of a job: the interface, and which kind a name means."""

import glob
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit

from dirdet.batch.entry import Entry, entry_name
from dirdet.batch.errors import SourceError
from dirdet.batch.listing.addresses import AddressFolderSource, AddressPatternSource, FetchedSource
from dirdet.batch.listing.archives import ARCHIVE_SUFFIXES, PACKED_TARS, ArchiveSource
from dirdet.batch.listing.files import FolderSource, GlobSource
from dirdet.batch.listing.lists import TABLE_SUFFIXES, CocoSource, ListSource, TableSource
from dirdet.batch.listing.places import Place
from dirdet.batch.listing.tally import Tally
from dirdet.batch.listing.videos import VideoSource, is_video
from dirdet.batch.remote import file_system, is_address, without_query
from dirdet.batch.video.timeline import FrameRate
from dirdet.extras import import_extra

MOST_EXPANDED = 100_000
# {1..20}, {001..100..2}, {a..f}: what bash counts in braces.
RANGE = re.compile(r"\{(-?\d+|[A-Za-z])\.\.(-?\d+|[A-Za-z])(?:\.\.(-?\d+))?\}")


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
        pictures: what a list's, table's or COCO file's names are relative to; its own folder or address unless given.
        all_files: of folders and archives, also the files whose names end as no picture's.
        besides: a folder in which nothing is looked for: that of the results.
        videos: which frames of videos; None: every one of those that are named, none of those that are found.
    """

    column: str | None = None
    pictures: Place | None = None
    all_files: bool = False
    besides: Path | None = None
    videos: FrameRate | None = None


def open_source(name: str, options: SourceOptions) -> Source:
    """What a name means: a folder, an archive, a list, a table, a COCO file, a video, or a pattern of some of these.

    Raises:
        SourceError: there is no such thing, or it is of no kind that is read.
        MissingExtraError: it needs a package that is not installed.
    """
    if is_address(name):
        return _at_address(name, options)
    path = Path(name)
    # Path's own raise where a name is too long to be one.
    if os.path.isdir(name):  # noqa: PTH112
        return FolderSource(path, all_files=options.all_files, besides=options.besides, videos=options.videos)
    if not os.path.exists(name):  # noqa: PTH110
        patterns = _expanded(name)
        if patterns == [name] and not glob.has_magic(name):
            raise SourceError(f"{name}: there is no such file or folder")
        return GlobSource(patterns, all_files=options.all_files, videos=_of_pattern(name, options))
    if path.suffix.lower() in ARCHIVE_SUFFIXES:
        return ArchiveSource(entry_name(str(path)), os.fsencode(path), all_files=options.all_files)
    if is_video(path.name):
        return VideoSource(path, options.videos or FrameRate())
    if (listing := _listing(path.name, path.parent, options)) is not None:
        return listing(path)
    raise SourceError(
        f"{name}: expected a folder, a pattern, a list (.txt, .lst), COCO's .json, a table "
        f"({', '.join(TABLE_SUFFIXES)}), an archive ({', '.join(ARCHIVE_SUFFIXES)}) or a video; "
        "for one picture there is `dirdet detect`"
    )


def _at_address(name: str, options: SourceOptions) -> Source:
    bare = without_query(name) if name.startswith("http") else name
    file_name = PurePosixPath(urlsplit(bare).path).name
    suffix = PurePosixPath(file_name).suffix.lower()
    file_system(name)  # refused before anything is written, if it is
    if glob.has_magic(bare) or "{" in bare:
        patterns = _expanded(bare)
        return AddressPatternSource(patterns, all_files=options.all_files, videos=_of_pattern(bare, options))
    if suffix in ARCHIVE_SUFFIXES:
        return ArchiveSource(bare, name.encode(), all_files=options.all_files)
    if is_video(file_name):
        return AddressPatternSource([name], all_files=False, videos=options.videos or FrameRate())
    if (listing := _listing(file_name, bare.rpartition("/")[0], options)) is not None:
        return FetchedSource(name, listing)
    return AddressFolderSource(name, all_files=options.all_files, videos=options.videos)


def _listing(file_name: str, folder: Place, options: SourceOptions) -> Callable[[Path], Source] | None:
    """How a file that names pictures is read, by its name; None of no such file."""
    relative_to, videos = options.pictures or folder, options.videos or FrameRate()
    if file_name.lower().endswith(PACKED_TARS):
        raise SourceError(f"{file_name}: a compressed tar cannot be read from its middle; unpack it to a plain .tar")
    suffix = PurePosixPath(file_name).suffix.lower()
    if suffix == ".json":
        return lambda path: CocoSource(path, relative_to, videos)
    if suffix in TABLE_SUFFIXES:
        return lambda path: TableSource(path, relative_to, videos, column=options.column)
    if suffix in {".txt", ".lst", ".list"}:
        return lambda path: ListSource(path, relative_to, videos)
    return None


def _of_pattern(pattern: str, options: SourceOptions) -> FrameRate | None:
    """Whoever writes '*.mp4' wants videos."""
    return options.videos or (FrameRate() if is_video(pattern) else None)


def _expanded(pattern: str) -> list[str]:
    """What `shards-{000..003}.tar` stands for, as in a shell.

    Raises:
        SourceError: the braces do not close, or stand for too many.
    """
    if "{" not in pattern:
        return [pattern]
    library = import_extra("braceexpand", needs="braces need", extra="batch")
    if _most_names(pattern) > MOST_EXPANDED:  # the library holds what each brace stands for
        raise SourceError(f"{pattern}: the braces stand for more than {MOST_EXPANDED} names")
    try:
        return list(library.braceexpand(pattern))
    except library.UnbalancedBracesError as exc:
        raise SourceError(f"{pattern}: its braces do not close") from exc


def _most_names(pattern: str) -> int:
    """A bound on the names that braces stand for: what one stands for, times the next; of braces in braces too much."""
    names = 1
    for begin, end, step in RANGE.findall(pattern):
        first, last, by = (int(each[:20]) if each[-1].isdecimal() else ord(each) for each in (begin, end, step or "1"))
        names *= abs(last - first) // max(abs(by), 1) + 1
    open_braces: list[int] = []
    for sign in pattern:
        if sign == "{":
            open_braces.append(1)
        elif sign == "," and open_braces:
            open_braces[-1] += 1
        elif sign == "}" and open_braces:
            names *= open_braces.pop()
    return names
