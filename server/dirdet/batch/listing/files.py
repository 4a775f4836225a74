"""Pictures of a folder and its subfolders, and files that a pattern matches; without loops or duplicates."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dirdet.batch.errors import SourceError
from dirdet.batch.listing.archives import ARCHIVE_SUFFIXES, ArchiveSource
from dirdet.batch.listing.source import Tally
from dirdet.batch.listing.videos import is_video, video_entries
from dirdet.batch.source_picture import Entry, entry_name
from dirdet.batch.video.timeline import FrameRate
from dirdet.pictures.formats import PICTURE_SUFFIXES

FileId = tuple[int, int]  # device and inode


class FolderSource:
    """A folder and its subfolders; hidden files and folders are skipped, as a shell's `*` skips them.

    A symbolic link to a picture that is in the folder itself is left out, any other link is followed; hard links are
    separate files. Real folders come first, sorted; folders behind links follow.
    """

    kind = "folder"

    def __init__(self, folder: Path, *, all_files: bool, besides: Path | None, videos: FrameRate | None) -> None:
        """Reads nothing yet; without `videos`, videos are skipped."""
        self._videos = videos
        self._folder = os.fsencode(folder)
        self._all_files = all_files
        self._besides = None if besides is None else os.path.realpath(os.fsencode(besides))

    def entries(self, tally: Tally) -> Iterator[Entry]:
        linked = {_id(each) for each in self._files(None) if isinstance(each, os.DirEntry) and each.is_symlink()} - {
            None
        }
        taken: set[FileId] = set()
        if linked:  # Links are rare; without any, no file's identity is kept in memory.
            for each in self._files(None):
                if isinstance(each, os.DirEntry) and not each.is_symlink() and (same := _id(each)) in linked and same:
                    taken.add(same)
        for each in self._files(tally):
            if isinstance(each, Entry):
                yield each
                continue
            if each.is_symlink() and (same := _id(each)) is not None:
                if same in taken:
                    tally.repeat(self._name(each.path))
                    continue
                taken.add(same)
            entry = _entry(each, self._name(each.path))
            if self._videos is not None and is_video(each.name):
                yield from video_entries(entry.name, entry.path, entry.size, self._videos)
            else:
                yield entry

    def _name(self, path: bytes) -> str:
        return entry_name(os.path.relpath(path, self._folder))

    def _files(self, tally: Tally | None) -> Iterator["os.DirEntry[bytes] | Entry"]:
        """Every picture file, and an entry with a fault for every folder that cannot be listed."""
        seen: set[FileId] = set()
        waiting, links = [self._folder], list[bytes]()
        while waiting or links:
            folder = waiting.pop() if waiting else links.pop(0)
            try:
                status = os.stat(folder)  # noqa: PTH116 - bytes
                if (status.st_dev, status.st_ino) in seen or os.path.realpath(folder) == self._besides:
                    continue
                seen.add((status.st_dev, status.st_ino))
                with os.scandir(folder) as scan:
                    found = sorted(scan, key=lambda each: each.name)
            except OSError as exc:
                yield Entry(self._name(folder), folder, fault=f"the folder cannot be read: {exc.strerror or exc}")
                continue
            below: list[bytes] = []
            for each in found:
                if each.name.startswith(b"."):
                    continue
                if _is_folder(each):
                    (links if each.is_symlink() else below).append(each.path)
                elif self._wanted(each.name):
                    yield each
                elif tally is not None:
                    tally.pass_over(each.name)
            waiting += reversed(below)

    def _wanted(self, name: bytes) -> bool:
        is_picture = os.path.splitext(os.fsdecode(name))[1].lower() in PICTURE_SUFFIXES  # noqa: PTH122 - bytes
        return self._all_files or is_picture or (self._videos is not None and is_video(name))


class GlobSource:
    """Files that patterns match, sorted for each pattern: pictures, archives and, if requested, videos.

    `**` matches any number of folders.
    """

    kind = "pattern"

    def __init__(self, patterns: Sequence[str], *, all_files: bool, videos: FrameRate | None) -> None:
        self._patterns, self._all_files, self._videos = patterns, all_files, videos

    def entries(self, tally: Tally) -> Iterator[Entry]:
        taken: set[str] = set()
        for name in self._matched():
            path = Path(name)
            if path.is_dir():
                continue
            suffix, real = path.suffix.lower(), os.path.realpath(path)
            is_wanted_video = self._videos is not None and is_video(name)
            if not (self._all_files or is_wanted_video or suffix in ARCHIVE_SUFFIXES or suffix in PICTURE_SUFFIXES):
                tally.pass_over(name)
                continue
            if real in taken:
                tally.repeat(name)
                continue
            taken.add(real)
            called, at = entry_name(name), os.fsencode(name)
            if suffix in ARCHIVE_SUFFIXES:
                yield from ArchiveSource(called, at, all_files=self._all_files).entries(tally)
            elif self._videos is not None and is_wanted_video:
                yield from video_entries(called, at, path.stat().st_size, self._videos)
            else:
                yield file_entry(called, at)

    def _matched(self) -> Iterator[str]:
        for pattern in self._patterns:
            found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute patterns too
            if not found and not glob.has_magic(pattern):  # A shard that braces name must not be left out silently.
                raise SourceError(f"{pattern}: there is no such file")
            yield from found


def file_entry(name: str, path: bytes, image_id: int | None = None) -> Entry:
    """A file as an entry, even if it does not exist."""
    try:
        size = os.stat(path).st_size  # noqa: PTH116 - bytes
    except (OSError, ValueError):
        size = None  # Reading the file gives the error.
    return Entry(name, path, size=size, image_id=image_id)


def _entry(found: "os.DirEntry[bytes]", name: str) -> Entry:
    try:
        size = found.stat().st_size
    except OSError:
        size = None
    return Entry(name, found.path, size=size)


def _id(found: "os.DirEntry[bytes]") -> FileId | None:
    try:
        status = found.stat()
    except OSError:  # A link to nothing.
        return None
    return status.st_dev, status.st_ino


def _is_folder(found: "os.DirEntry[bytes]") -> bool:
    try:
        return found.is_dir()
    except OSError:  # A link to itself.
        return False
