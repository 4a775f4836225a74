"""A data set's own pictures: links to the files that they are, copies, or what an archive holds."""

import os
from pathlib import Path, PurePosixPath

from dirdet.batch.entry import Entry
from dirdet.batch.outputs.ask import Media
from dirdet.batch.outputs.places import create
from dirdet.batch.remote import is_address
from dirdet.pictures import MAGIC

# What every tool takes for pictures; a file of another name gets one of these.
USUAL_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
SUFFIX_OF_KIND = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}


def file_of(entry: Entry) -> Path | None:
    """The file that a picture is; None of one in an archive, of a video's frame, and of one at an address."""
    inside = (entry.member, entry.offset, entry.frame)
    if any(each is not None for each in inside) or is_address(entry.path):
        return None
    return Path(os.path.abspath(os.fsdecode(entry.path)))  # noqa: PTH100 - resolve() would follow links


def with_usual_suffix(place: PurePosixPath, entry: Entry) -> PurePosixPath:
    """The place of a copy or link that tools know for a picture: `scan` and `scan.jfif` get `.jpg` behind their names.

    Raises:
        PictureError: it had to be looked into, and cannot be read any more.
    """
    if place.suffix.lower() in USUAL_SUFFIXES:
        return place
    start = entry.open().read(64)
    kind = next((name for name, magic in MAGIC.items() if magic.match(start)), None)
    return place if kind is None else place.with_name(place.name + SUFFIX_OF_KIND[kind])


def put(entry: Entry, target: Path, media: Media) -> None:
    """Makes a picture be at `target`, where nothing is yet; one in an archive is never linked but copied.

    Raises:
        FileExistsError: something is there.
        PictureError: the picture cannot be read any more.
    """
    file = file_of(entry)
    if file is not None and media == "link":
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.symlink_to(file)
        except FileExistsError:
            raise
        except OSError:  # Windows lets only some people make links, and some disks have none
            pass
        else:
            return
    create(target, entry.open().read())
