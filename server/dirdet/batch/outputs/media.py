"""The pictures of a data set: links to files, copies, or members of archives."""

import os
from pathlib import Path, PurePosixPath

from dirdet.batch.outputs.places import create
from dirdet.batch.outputs.request import Media
from dirdet.batch.remote import is_address
from dirdet.batch.source_picture import Entry
from dirdet.pictures.formats import START_BYTES, USUAL_SUFFIXES, format_of


def file_of(entry: Entry) -> Path | None:
    """The file of a picture; None for a member of an archive, a video's frame, and a remote file."""
    inside = (entry.member, entry.offset, entry.frame)
    if any(each is not None for each in inside) or is_address(entry.path):
        return None
    return Path(os.path.abspath(os.fsdecode(entry.path)))  # noqa: PTH100 - resolve() would follow links


def with_usual_suffix(place: PurePosixPath, entry: Entry) -> PurePosixPath:
    """Appends a suffix that tools know, if a picture's name has none: `scan` and `scan.jfif` get `.jpg`.

    Raises:
        PictureError: the picture must be opened for this, and can no longer be read.
    """
    if place.suffix.lower() in USUAL_SUFFIXES:
        return place
    found = format_of(entry.open().read(START_BYTES))
    return place if found is None else place.with_name(place.name + found.suffixes[0])


def put(entry: Entry, target: Path, media: Media) -> None:
    """Puts a picture at the new path `target`; a member of an archive is copied, never linked.

    Raises:
        FileExistsError: the path exists.
        PictureError: the picture can no longer be read.
    """
    file = file_of(entry)
    if file is not None and media == "link":
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.symlink_to(file)
        except FileExistsError:
            raise
        except OSError:  # Windows restricts links to some users, and some disks do not support links.
            pass
        else:
            return
    create(target, entry.open().read())
