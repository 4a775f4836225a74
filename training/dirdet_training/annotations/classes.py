"""Class names: those of an annotation file against those that a config or a list names."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from dirdet_training.annotations.errors import AnnotationError, ClassesError
from dirdet_training.annotations.records import read_bytes, read_coco


def class_names(path: Path) -> tuple[str, ...]:
    """The classes of a COCO JSON file in its order, or of a text file with one to a line.

    Raises:
        AnnotationError: the file cannot be read, or names no class or one twice.
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
    """The names, if there is one at least and none twice.

    Raises:
        AnnotationError: otherwise.
    """
    if not names:
        raise AnnotationError(f"{path} names no classes")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AnnotationError(f"{path} names the class {twice[0]!r} twice")
    return tuple(names)


def unknown(name: str, known: Iterable[str]) -> str:
    """Words for a name that is not among the known: the closest of them, or all if they are few."""
    known = list(known)
    by_folded = {other.casefold(): other for other in known}
    close = [by_folded[folded] for folded in difflib.get_close_matches(name.casefold(), by_folded, n=3)]
    if close:
        return f"{name!r} (close: {', '.join(map(repr, close))})"
    return f"{name!r} (the classes are {', '.join(known)})" if len(known) <= 12 else f"{name!r}"


def require_classes(path: Path, categories: Sequence[str], classes: Sequence[str]) -> None:
    """Checks that a file's categories have the config's classes, and in the same order.

    MMDetection numbers the classes it finds in the file's order, whatever the config's order: with one missing or
    moved, every later class would be learned under another's name.

    Raises:
        ClassesError: a class is missing or out of order.
    """
    missing = [name for name in classes if name not in categories]
    if missing:
        shown = "; ".join(unknown(name, categories) for name in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise ClassesError(f"{path} has no category for {len(missing)} of the config's classes: {shown}{more}")
    found = [name for name in categories if name in set(classes)]
    for expected, actual in zip(classes, found, strict=True):
        if expected != actual:
            raise ClassesError(
                f"{path} has the config's classes in another order: expected {expected!r} where {actual!r} is, "
                "and MMDetection would take one for the other"
            )
