"""Pictures in a tar archive, such as a WebDataset's shard, or in a zip archive."""

import os
import posixpath
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from dirdet.batch.archive_files import MOST_GLOBAL_HEADERS, opened_tar, opened_zip
from dirdet.batch.errors import SourceError
from dirdet.batch.listing.source import Tally
from dirdet.batch.source_picture import Entry, entry_name
from dirdet.errors import PictureError, UnreachedError, shown
from dirdet.pictures.formats import PICTURE_SUFFIXES

ARCHIVE_SUFFIXES = (".tar", ".zip")
BLOCK = 512
# Most links from one to the next, and most bytes of a link's target, as on Linux.
MOST_LINKS, MOST_TARGET = 40, 4096
PACKED_TARS = (".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")


@dataclass(frozen=True, slots=True)
class Link:
    """A link; both names are those of members. A hard link is a second name of a member before it."""

    name: str
    target: str
    hard: bool = False


class ArchiveSource:
    """Members in the archive's order; nothing is unpacked to disk."""

    kind = "archive"

    def __init__(self, name: str, path: bytes, *, all_files: bool) -> None:
        """Opens nothing yet.

        Args:
            name: prefix of the members' names.
            path: of the file, or its address.
            all_files: include members without a picture's suffix.
        """
        self._name, self._path = name, path
        self._all_files = all_files

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """Lists the members; a broken archive gives the members before the fault, then an entry with the fault.

        Links follow the other members, and mean what they do in a folder: a link to a picture that the archive holds is
        left out, any other gives its target's content.
        """
        name, path = self._name, self._path
        held: dict[str, Entry] = {}
        links: dict[str, str] = {}
        try:
            members = _tar_members if _is_tar(self._name) else _zip_members
            for found in members(path):
                member = found
                if isinstance(member, Link) and not member.hard:
                    links[member.name] = member.target
                    continue
                if isinstance(member, Link):
                    fault = f"is a hard link to {shown(member.target)}, which is not before it"
                    member = replace(held.get(member.target, Entry("", path, fault=fault)), name=member.name)
                if not self._is_wanted(member.name):
                    tally.pass_over(member.name)
                    held.setdefault(member.name, member)
                elif member.name in held:
                    tally.repeat(f"{self._name}/{member.name}")
                else:
                    held[member.name] = member
                    yield self._entry(member)
        except UnreachedError as exc:
            raise SourceError(f"{name}: {exc}") from exc
        except RecursionError:
            yield Entry(name, path, fault="the archive cannot be read to its end: too many headers in a row")
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            OSError,
            EOFError,
            ValueError,
            NotImplementedError,
            PictureError,
        ) as exc:
            yield Entry(name, path, fault=f"the archive cannot be read to its end: {exc}")
        yield from self._linked(links, held, tally)

    def _linked(self, links: dict[str, str], held: dict[str, Entry], tally: Tally) -> Iterator[Entry]:
        taken: set[str] = set()
        folders = {str(each) for name in held for each in PurePosixPath(name).parents} if links else set[str]()
        for link in sorted(filter(self._is_wanted, links)):
            target, steps = links[link], 0
            while target in links and steps < MOST_LINKS:
                target, steps = links[target], steps + 1
            if link in held or target in taken or (target in held and self._is_wanted(target)):
                tally.repeat(f"{self._name}/{link}")
                continue
            if target in held:
                taken.add(target)
            elif target in folders:  # whose pictures are there
                continue
            fault = f"is a link to {shown(target)}, which is not in the archive"
            found = held.get(target, Entry("", self._path, fault=fault))
            yield self._entry(replace(found, name=link))

    def _is_wanted(self, name: str) -> bool:
        file = PurePosixPath(name)
        hidden = any(part.startswith(".") and part != ".." for part in file.parts)
        return self._all_files or (file.suffix.lower() in PICTURE_SUFFIXES and not hidden)

    def _entry(self, member: Entry) -> Entry:
        return replace(member, name=f"{self._name}/{member.name}")


def _is_tar(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() == ".tar"


def _tar_members(path: bytes) -> Iterator[Entry | Link]:
    with opened_tar(path) as (archive, file):
        for member in archive:
            if len(archive.pax_headers) > MOST_GLOBAL_HEADERS:
                raise tarfile.ReadError(f"it has more than {MOST_GLOBAL_HEADERS} global headers")
            if member.size < 0 or archive.offset <= member.offset:
                raise tarfile.ReadError(f"the header at byte {member.offset} points backwards")
            file.allow()
            archive.members = []  # tarfile keeps all members  # pyright: ignore[reportAttributeAccessIssue]
            if (found := _tar_member(member, path)) is not None:
                yield found
        end = archive.offset
        # tarfile takes any unreadable header for the end of the archive, but the true end is a block of zeros.
        file.allow()
        file.seek(end)
        if any(block := file.read(BLOCK)) or 0 < len(block) < BLOCK:
            raise tarfile.ReadError(f"the header at byte {end} cannot be read")


def _tar_member(member: tarfile.TarInfo, path: bytes) -> Entry | Link | None:
    name = _inside(member.name)
    if member.isdir():
        return None
    if member.issym():
        return Link(name, _inside(posixpath.join(posixpath.dirname(member.name), member.linkname)))
    if member.islnk():
        return Link(name, _inside(member.linkname), hard=True)
    if member.issparse():
        return Entry(name, path, fault="is stored without its holes (sparse), which is not supported: pack it again")
    if not member.isreg():
        return Entry(name, path, fault="it is a device or a pipe; expected a file")
    return Entry(name, path, offset=member.offset_data, size=member.size)


def _zip_members(path: bytes) -> Iterator[Entry | Link]:
    with opened_zip(path) as archive:
        for member in archive.infolist():
            if not member.filename or member.is_dir():
                continue
            name = _normal(member.filename)
            if stat.S_ISLNK(member.external_attr >> 16) and member.file_size <= MOST_TARGET:
                target = os.fsdecode(archive.read(member))
                yield Link(name, _inside(posixpath.join(posixpath.dirname(name), target)))
            else:
                yield Entry(name, path, member=member.filename, size=member.file_size)


def _inside(name: str) -> str:
    """A member's name in UTF-8, as `entry_name` gives it, without `.` and `..` inside."""
    return entry_name(os.fsencode(_normal(name).encode("utf-8", "surrogateescape")))


def _normal(name: str) -> str:
    """`./a.jpg` is `a.jpg`, as in the folder that the archive was made of."""
    return posixpath.normpath(name) if "\0" not in name else name
