"""A text file that lists pictures by their paths or names, and the files that it names."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from dirdet.pictures.formats import PICTURE_SUFFIXES
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.records import read_bytes

# Of files that stand for a picture beside those of pictures. Other dots belong to the name: `img_jpg.rf.0f3a`.
_LABEL_SUFFIXES = frozenset({".txt", ".xml"})
# Pascal VOC's lists of a class say behind the picture whether it has the class.
_VOC_FLAGS = frozenset({"-1", "0", "1"})


def listed_names(path: Path) -> tuple[str, ...]:
    """Reads the lines of a list: paths, or names with or without a picture's suffix.

    Raises:
        AnnotationError: the list cannot be read or is empty.
    """
    data = read_bytes(path)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise AnnotationError(f"list {path} is text in UTF-16; expected UTF-8")
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as exc:
        raise AnnotationError(f"list {path} cannot be read: {exc}") from exc
    names = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not names:
        raise AnnotationError(f"list {path} names no pictures")
    return names


def chosen(paths: Iterable[Path], names: tuple[str, ...] | None, source: Path) -> list[Path]:
    """Returns the files that a list names, sorted; without a list, all.

    A path of a list is the end of a file's path, `train/images/0.jpg` of `set/train/images/0.jpg`, with its suffix or
    without. A name without a folder may not be that of several files.

    Raises:
        AnnotationError: the list names files that do not exist, or a name that several have.
    """
    if names is None:
        return sorted(paths)
    whole, bare = defaultdict[str, list[Path]](list), defaultdict[str, list[Path]](list)
    for path in paths:
        whole[path.name].append(path)
        bare[without_suffix(path.name)].append(path)
    found: set[Path] = set()
    missing: list[str] = []
    for line in names:
        matching = _named(line, whole, bare)
        if not matching and line.rpartition(" ")[2] in _VOC_FLAGS:
            matching = _named(line.rpartition(" ")[0].strip(), whole, bare)
        if len(matching) > 1:
            both = " and ".join(map(str, sorted(matching)[:2]))
            raise AnnotationError(f"the list's {line!r} may be {both}: list whole paths")
        missing += [] if matching else [line]
        found.update(matching)
    if missing:
        raise AnnotationError(f"{source} lacks {len(missing)} of the listed pictures: {', '.join(missing[:5])}")
    return sorted(found)


def _named(line: str, whole: dict[str, list[Path]], bare: dict[str, list[Path]]) -> list[Path]:
    """The files whose path ends with a line's; those with its very suffix come first."""
    wanted = PurePosixPath(line.replace("\\", "/"))
    parts = tuple(part for part in wanted.parts if part not in ("..", "/"))
    if not parts:
        return []
    folders = parts[:-1]
    for known, name in ((whole, parts[-1]), (bare, parts[-1]), (bare, without_suffix(parts[-1]))):
        matching = [path for path in known.get(name, []) if _ends(path.absolute().parts[:-1], folders)]
        if matching:
            return matching
    return []


def _ends(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return not wanted or parts[-len(wanted) :] == wanted


def without_suffix(name: str) -> str:
    """A name without a picture's or label's suffix; other dots stay."""
    file = PurePosixPath(name)
    return file.stem if file.suffix.lower() in PICTURE_SUFFIXES | _LABEL_SUFFIXES else name
