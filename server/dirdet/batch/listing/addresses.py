"""Remote sources: a folder, a pattern, and a list or table."""

import glob
import posixpath
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from dirdet.batch.errors import SourceError
from dirdet.batch.listing.archives import ARCHIVE_SUFFIXES, ArchiveSource
from dirdet.batch.listing.source import Source, Tally
from dirdet.batch.listing.videos import is_video, video_entries
from dirdet.batch.listing.web_pages import listed_page, matching
from dirdet.batch.remote import SIZES_AT_ONCE, attempted, file_system, open_remote, sizes, without_query
from dirdet.batch.remote_reads import is_http
from dirdet.batch.source_picture import Entry, entry_name
from dirdet.batch.video.timeline import FrameRate
from dirdet.errors import PictureError, UnreachedError
from dirdet.pictures.formats import PICTURE_SUFFIXES

CHUNK = 2**20
# Of a remote list or table, which a server could send without end.
MOST_LIST_BYTES = 2**32


class AddressFolderSource:
    """A folder and its subfolders, each folder's files sorted; hidden files are skipped."""

    kind = "folder"

    def __init__(self, address: str, *, all_files: bool, videos: FrameRate | None) -> None:
        self._address = without_query(address).rstrip("/")
        self._all_files, self._videos = all_files, videos

    def entries(self, tally: Tally) -> Iterator[Entry]:
        system, top = file_system(self._address)
        found = self._files(system, top.rstrip("/"), tally)
        while chunk := list(islice(found, SIZES_AT_ONCE)):
            unknown = [each for each in chunk if each.size is None and each.fault is None]
            asked = sizes([each.path.decode() for each in unknown]) if unknown else []
            told = dict(zip((each.path for each in unknown), asked, strict=True))
            for each in chunk:
                size = told.get(each.path, each.size)
                if self._videos is not None and is_video(each.path) and each.fault is None:
                    yield from video_entries(each.name, each.path, size, self._videos)
                else:
                    yield Entry(each.name, each.path, size=size, fault=each.fault)

    def _files(self, system: Any, top: str, tally: Tally) -> Iterator[Entry]:  # noqa: ANN401
        waiting, seen = [top], {top}
        while waiting:
            folder = waiting.pop()
            try:
                listed = _listed(system, folder)
            except PictureError as exc:
                if folder == top or isinstance(exc, UnreachedError):
                    raise SourceError(f"{self._address}: {exc}") from exc
                yield Entry(self._name(folder, top), system.unstrip_protocol(folder).encode(), fault=str(exc))
                continue
            below: list[str] = []
            for name, told in sorted(listed.items()):
                if posixpath.basename(name).startswith(".") or "?" in name or name in seen:
                    continue
                seen.add(name)
                if told["type"] == "directory":
                    below.append(name)
                elif self._wanted(name):
                    size = told.get("size")
                    yield Entry(self._name(name, top), system.unstrip_protocol(name).encode(), size=size)
                else:
                    tally.pass_over(name)
            # Only folders can occur again, and what a page links to in them.
            seen -= {name for name in listed if posixpath.dirname(name) == folder}.difference(below)
            waiting += reversed(below)

    def _wanted(self, name: str) -> bool:
        is_picture = posixpath.splitext(name)[1].lower() in PICTURE_SUFFIXES
        return self._all_files or is_picture or (self._videos is not None and is_video(name))

    def _name(self, path: str, top: str) -> str:
        name = path[len(top) :].strip("/") or path
        return entry_name(unquote_to_bytes(name)) if self._address.startswith("http") else name


class AddressPatternSource:
    """Files that a remote pattern matches, sorted: pictures, archives and, if requested, videos."""

    kind = "pattern"

    def __init__(self, patterns: Sequence[str], *, all_files: bool, videos: FrameRate | None) -> None:
        self._patterns, self._all_files, self._videos = patterns, all_files, videos

    def entries(self, tally: Tally) -> Iterator[Entry]:
        taken: set[str] = set()
        for address, size in self._matched():
            name, suffix = without_query(address), posixpath.splitext(without_query(address))[1].lower()
            if address in taken:
                tally.repeat(name)
                continue
            taken.add(address)
            if suffix in ARCHIVE_SUFFIXES:
                yield from ArchiveSource(name, address.encode(), all_files=self._all_files).entries(tally)
            elif self._videos is not None and is_video(name):
                yield from video_entries(name, address.encode(), size, self._videos)
            elif self._all_files or suffix in PICTURE_SUFFIXES:
                yield Entry(name, address.encode(), size=size)
            else:
                tally.pass_over(name)

    def _matched(self) -> Iterator[tuple[str, int | None]]:
        """Addresses with their sizes; one without a wildcard is not checked, since reading it gives the error."""
        for pattern in self._patterns:
            if not glob.has_magic(without_query(pattern)):
                yield pattern, sizes([pattern])[0]
                continue
            system, path = file_system(pattern)
            try:
                matched: dict[str, Any] = (
                    matching(system, path) if is_http(system) else attempted(partial(system.glob, path, detail=True))
                )
            except PictureError as exc:
                raise SourceError(f"{pattern}: {exc}") from exc
            for name, told in sorted(matched.items()):
                if told["type"] != "directory":
                    address, size = system.unstrip_protocol(name), told.get("size")
                    yield address, size if size is not None else sizes([address])[0]


class FetchedSource:
    """A remote list, table or COCO file: downloaded, then read as a local one."""

    def __init__(self, address: str, read: Callable[[Path], Source]) -> None:
        self._address, self._read = address, read
        self._name = posixpath.basename(urlsplit(address).path)

    @property
    def kind(self) -> str:
        return self._read(Path(self._name)).kind

    def entries(self, tally: Tally) -> Iterator[Entry]:
        with tempfile.TemporaryDirectory(prefix="dirdet-") as folder:
            path = Path(folder) / self._name
            try:
                with open_remote(self._address.encode()) as there, path.open("wb") as here:
                    while found := there.read(CHUNK):
                        here.write(found)
                        if here.tell() > MOST_LIST_BYTES:
                            raise SourceError(f"{without_query(self._address)}: more than {MOST_LIST_BYTES >> 30} GiB")
            except (PictureError, OSError) as exc:
                raise SourceError(f"{without_query(self._address)}: {exc}") from exc
            try:
                yield from self._read(path).entries(tally)
            except SourceError as exc:
                raise SourceError(str(exc).replace(str(path), without_query(self._address))) from exc


def _listed(system: Any, folder: str) -> dict[str, dict[str, Any]]:  # noqa: ANN401
    """A folder's content by name, without a last `/`; only entries below the folder, whatever a page links to."""
    listed: list[dict[str, Any]] = (
        listed_page(system, folder) if is_http(system) else attempted(lambda: system.ls(folder + "/", detail=True))
    )
    found = {str(each["name"]).rstrip("/"): each for each in listed}
    return {name: each for name, each in found.items() if name.startswith(folder + "/")}
