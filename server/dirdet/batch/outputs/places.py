"""Where a picture's files go below a folder: as its name says, safe on any disk, and no two in one place."""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

# File systems take 255 bytes for a name; suffixes and marks are added to it.
LONGEST_BYTES = 200
# And some thousand for a path, of which the folder of the results needs its own.
LONGEST_PATH_BYTES = 2000
# What no name of a file may have, or what breaks the line of a list.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_CLASH = (FileExistsError, IsADirectoryError, NotADirectoryError)


def place_of(name: str) -> PurePosixPath:
    """A picture's name as a relative path that leads nowhere else: `/a.jpg` is `a.jpg`, `../a.jpg` is `__/a.jpg`."""
    parts = [_safe(part) for part in name.split("/") if part not in ("", ".")]
    place = PurePosixPath(*parts) if parts else PurePosixPath("_")
    if len(str(place).encode("utf-8", "replace")) > LONGEST_PATH_BYTES:
        return PurePosixPath(f"~{_digest(name)}", place.name)
    return place


def claim(name: str, position: int, make: Callable[[PurePosixPath], None]) -> PurePosixPath:
    """The place that a picture gets, where `make` could create its files.

    Of pictures whose files would be the same, `a.jpg` and `a.png`, the first has its name and others a number more.

    Args:
        name: the picture's.
        position: in the job; makes other places, that no other picture has.
        make: creates a file that is not there yet; FileExistsError, IsADirectoryError and NotADirectoryError lead on to
            the next place.

    Raises:
        OSError: it cannot be created anywhere.
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


def create(path: Path, data: bytes) -> None:
    """Writes a file that is not there yet.

    Raises:
        FileExistsError: it is, or a folder above it is a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(data)


def _candidates(place: PurePosixPath, number: int) -> Iterator[PurePosixPath]:
    yield place
    marked = f"{place.stem}~{number}{place.suffix}"
    yield place.with_name(marked)
    yield PurePosixPath(marked)
    yield PurePosixPath(f"~{number}") / marked


def _safe(part: str) -> str:
    if part == "..":
        return "__"
    part = _UNSAFE.sub(lambda found: f"\\x{ord(found[0]):02x}", part)
    data = part.encode("utf-8", "replace")
    if len(data) <= LONGEST_BYTES:
        return part
    suffix = PurePosixPath(part).suffix if len(PurePosixPath(part).suffix) <= 8 else ""
    start = data[: LONGEST_BYTES - 32].decode("utf-8", "ignore")
    return f"{start}~{_digest(part)}{suffix}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
