"""Chooses a picture's path below a folder: from its name, safe on any file system, and unique."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from dirdet.pictures.formats import PICTURE_SUFFIXES
from dirdet.untrusted_text import portable

# File systems limit a name to 255 bytes; suffixes and marks are added to it.
LONGEST_BYTES = 200
# They limit a path to some thousand bytes, including the folder of the results.
LONGEST_PATH_BYTES = 2000
_CLASH = (FileExistsError, IsADirectoryError, NotADirectoryError)


def place_of(name: str) -> PurePosixPath:
    """A picture's name as a relative path within the folder: `/a.jpg` is `a.jpg`, `../a.jpg` is `__/a.jpg`."""
    parts = [_safe(part) for part in name.split("/") if part not in ("", ".")]
    place = PurePosixPath(*parts) if parts else PurePosixPath("_")
    if len(str(place).encode("utf-8", "replace")) > LONGEST_PATH_BYTES:
        return PurePosixPath(f"~{_digest(name)}", place.name)
    return place


def claim(name: str, position: int, make: Callable[[PurePosixPath], None]) -> PurePosixPath:
    """Returns the path at which `make` could create a picture's files.

    If several pictures would have the same files, such as `a.jpg` and `a.png`, the first keeps its name, and the others
    get a number.

    Args:
        name: the picture's.
        position: in the job; it makes the other candidates unique.
        make: creates a new file; after FileExistsError, IsADirectoryError and NotADirectoryError the next candidate is
            tried.

    Raises:
        OSError: it cannot be created at any candidate.
    """
    *others, last = _candidates(place_of(name), position + 1)
    for place in others:
        try:
            make(place)
        except _CLASH:
            continue
        return place
    make(last)
    return last


def with_suffix(place: PurePosixPath, suffix: str) -> PurePosixPath:
    """The path with another suffix in place of a picture's; other dots belong to the name: `film.mp4@0.200s`."""
    return place.with_name(stem_of(place) + suffix)


def stem_of(place: PurePosixPath) -> str:
    """The name without a picture's suffix."""
    return place.stem if place.suffix.lower() in PICTURE_SUFFIXES else place.name


def create(path: Path, data: bytes) -> None:
    """Writes a new file.

    Raises:
        FileExistsError: it exists, or a folder above it is a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(data)


def _candidates(place: PurePosixPath, number: int) -> Iterator[PurePosixPath]:
    yield place
    stem = stem_of(place)
    marked = f"{stem}~{number}{place.name.removeprefix(stem)}"
    yield place.with_name(marked)
    yield PurePosixPath(marked)
    yield PurePosixPath(f"~{number}") / marked


def _safe(part: str) -> str:
    if part == "..":
        return "__"
    part = portable(part)
    data = part.encode("utf-8", "replace")
    if len(data) <= LONGEST_BYTES:
        return part
    suffix = PurePosixPath(part).suffix if len(PurePosixPath(part).suffix) <= 8 else ""
    start = data[: LONGEST_BYTES - 32].decode("utf-8", "ignore")
    return f"{start}~{_digest(part)}{suffix}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
