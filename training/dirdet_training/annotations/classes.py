"""Compares the class names of an annotation file with those of a config or a list."""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from dirdet_training.annotations.errors import AnnotationError, ClassesError
from dirdet_training.annotations.records import read_bytes, read_coco


def class_names(path: Path) -> tuple[str, ...]:
    """Reads the classes of a COCO JSON file in its order, or of a text file with one class on each line.

    Raises:
        AnnotationError: the file cannot be read, names no class, or names a class twice.
    """
    if path.suffix.lower() == ".json":
        names = [category.name for category in read_coco(path).categories]
    else:
        try:
            text = read_bytes(path).decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            raise AnnotationError(f"{path} is no text of class names: {exc}") from exc
        names = [line.strip() for line in text.splitlines() if line.strip()]
    return checked_names(names, path)


def checked_names(names: Sequence[str], path: Path) -> tuple[str, ...]:
    """Checks that there is at least one name, none is empty and none occurs twice; returns the names.

    Raises:
        AnnotationError: there is no name, a name is empty, or a name occurs twice.
    """
    if not names:
        raise AnnotationError(f"{path} names no classes")
    if not all(name.strip() for name in names):
        raise AnnotationError(f"{path} has a class without a name")
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise AnnotationError(f"{path} names the class {twice[0]!r} twice")
    return tuple(names)


def unknown(name: str, known: Iterable[str]) -> str:
    """Describes an unknown name: lists the closest known names, or all if they are few."""
    known = list(known)
    by_folded = {other.casefold(): other for other in known}
    close = [by_folded[folded] for folded in difflib.get_close_matches(name.casefold(), by_folded, n=3)]
    if close:
        return f"{name!r} (close: {', '.join(map(repr, close))})"
    return f"{name!r} (the classes are {', '.join(known)})" if len(known) <= 12 else f"{name!r}"


def order_of(path: Path, categories: Sequence[str], classes: Sequence[str]) -> tuple[int, ...] | None:
    """Returns the rows of a file's categories in the order of the config's classes, the others last.

    MMDetection numbers the classes that it finds in the file's order, not in the config's. If a class were missing or
    moved, every later class would be trained under the name of another class.

    Returns:
        None if the file has the classes in the config's order.

    Raises:
        ClassesError: a class is missing.
    """
    missing = [name for name in classes if name not in categories]
    if missing:
        shown = "; ".join(unknown(name, categories) for name in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise ClassesError(f"{path} has no category for {len(missing)} of the config's classes: {shown}{more}")
    if [name for name in categories if name in set(classes)] == list(classes):
        return None
    place = {name: number for number, name in enumerate(classes)}
    rows = range(len(categories))
    return tuple(sorted(rows, key=lambda row: (place.get(categories[row], len(classes)), row)))
