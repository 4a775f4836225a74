"""Chooses the kind of a source by its name."""

import glob
import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from dirdet.batch.errors import SourceError
from dirdet.batch.listing.addresses import AddressFolderSource, AddressPatternSource, FetchedSource
from dirdet.batch.listing.archives import ARCHIVE_SUFFIXES, PACKED_TARS, ArchiveSource
from dirdet.batch.listing.files import FolderSource, GlobSource
from dirdet.batch.listing.lists import TABLE_SUFFIXES, NamesSource, coco_images, list_lines, table_names
from dirdet.batch.listing.places import Place
from dirdet.batch.listing.source import Source, SourceOptions
from dirdet.batch.listing.videos import VideoSource, is_video
from dirdet.batch.redirects import allow
from dirdet.batch.remote import file_system, is_address, without_query
from dirdet.batch.source_picture import entry_name
from dirdet.batch.video.timeline import FrameRate
from dirdet.extras import import_extra

MOST_EXPANDED = 100_000
# {1..20}, {001..100..2}, {a..f}: ranges in braces, as in bash.
RANGE = re.compile(r"\{(-?\d+|[A-Za-z])\.\.(-?\d+|[A-Za-z])(?:\.\.(-?\d+))?\}")


def open_source(name: str, options: SourceOptions) -> Source:
    """Opens a source: a folder, an archive, a list, a table, a COCO file, a video, or a pattern of some of these.

    Raises:
        SourceError: it does not exist, or its kind is not supported.
        MissingExtraError: it needs a package that is not installed.
    """
    if isinstance(options.pictures, str):
        allow([options.pictures])
    if is_address(name):
        return _at_address(name, options)
    path = Path(name)
    # Path's methods raise if a name is too long for a path.
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
        "for one picture use `dirdet detect`"
    )


def _at_address(name: str, options: SourceOptions) -> Source:
    bare = without_query(name) if name.startswith("http") else name
    file_name = PurePosixPath(urlsplit(bare).path).name
    suffix = PurePosixPath(file_name).suffix.lower()
    file_system(name)  # Refuses a bad address before anything is written.
    allow([name, bare])
    if glob.has_magic(bare) or "{" in bare:
        patterns = _expanded(bare)
        allow(each for each in patterns if not glob.has_magic(each))
        return AddressPatternSource(patterns, all_files=options.all_files, videos=_of_pattern(bare, options))
    if suffix in ARCHIVE_SUFFIXES:
        return ArchiveSource(bare, name.encode(), all_files=options.all_files)
    if is_video(file_name):
        return AddressPatternSource([name], all_files=False, videos=options.videos or FrameRate())
    if (listing := _listing(file_name, bare.rpartition("/")[0], options)) is not None:
        return FetchedSource(name, listing)
    return AddressFolderSource(name, all_files=options.all_files, videos=options.videos)


def _listing(file_name: str, folder: Place, options: SourceOptions) -> Callable[[Path], Source] | None:
    """The reader of a file that names pictures, by its suffix; None for other files."""
    relative_to, videos = options.pictures or folder, options.videos or FrameRate()
    if file_name.lower().endswith(PACKED_TARS):
        raise SourceError(f"{file_name}: expected an uncompressed tar, readable from any position; unpack it to .tar")
    suffix = PurePosixPath(file_name).suffix.lower()
    if suffix == ".json":
        return lambda path: NamesSource("coco", lambda: coco_images(path), relative_to, videos)
    if suffix in TABLE_SUFFIXES:
        return lambda path: NamesSource("table", lambda: table_names(path, options.column), relative_to, videos)
    if suffix in {".txt", ".lst", ".list"}:
        return lambda path: NamesSource("list", lambda: list_lines(path), relative_to, videos)
    return None


def _of_pattern(pattern: str, options: SourceOptions) -> FrameRate | None:
    """A pattern such as '*.mp4' asks for videos."""
    return options.videos or (FrameRate() if is_video(pattern) else None)


def _expanded(pattern: str) -> list[str]:
    """Expands `shards-{000..003}.tar` as a shell does.

    Raises:
        SourceError: the braces do not close, or give too many names.
    """
    if "{" not in pattern:
        return [pattern]
    library = import_extra("braceexpand", needs="braces need", extra="batch")
    if _most_names(pattern) > MOST_EXPANDED:  # The library keeps all names in memory.
        raise SourceError(f"{pattern}: the braces give more than {MOST_EXPANDED} names")
    try:
        return list(library.braceexpand(pattern))
    except library.UnbalancedBracesError as exc:
        raise SourceError(f"{pattern}: its braces do not close") from exc


def _most_names(pattern: str) -> int:
    """An upper bound on the number of names: the product over the braces; too high for nested braces."""
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
