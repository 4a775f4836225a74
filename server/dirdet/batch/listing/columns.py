"""The column of a table that names the pictures."""

from collections.abc import Sequence
from pathlib import Path

from dirdet.batch.errors import SourceError

# Most characters of a line or of a cell.
MOST_CHARACTERS = 2**16
# Used without --column, if only one column has such a name.
USUAL_COLUMNS = ("picture", "image", "path", "file_name", "filename", "image_path", "file")


def chosen_column(path: Path | str, columns: Sequence[str], wanted: str | None) -> str:
    """The wanted column; without a wish the only one, or the only one with a usual name.

    Raises:
        SourceError: there is none.
    """
    if wanted is not None:
        if columns.count(wanted) > 1:
            raise SourceError(f"{path}: {columns.count(wanted)} columns are named {wanted!r}")
        if wanted in columns:
            return wanted
        raise SourceError(f"{path}: no column {wanted!r}; it has {', '.join(columns) or 'none'}")
    usual = columns if len(columns) == 1 else [each for each in columns if each.lower() in USUAL_COLUMNS]
    if len(usual) != 1:
        raise SourceError(f"{path}: expected --column NAME, one of {', '.join(columns) or 'none'}")
    return usual[0]
