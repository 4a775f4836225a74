"""What a command writes for people: aligned tables, and nothing that steers the terminal."""

import io
import os
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import zip_longest
from typing import Any, cast
from unicodedata import east_asian_width

from dirdet.untrusted_text import visible


class VisibleText(io.TextIOWrapper):
    """A text stream that spells controls out."""

    def write(self, text: str, /) -> int:
        """See `io.TextIOWrapper.write`."""
        super().write(visible(text))
        return len(text)


@contextmanager
def visible_output() -> Generator[None]:
    """Lets standard output and standard error be `VisibleText`; bytes written to their `buffer` stay as they are."""
    os.environ.setdefault("NO_COLOR", "1")  # colours of libraries would be spelled out
    with ExitStack() as stack:
        for name in ("stdout", "stderr"):
            stream: Any = getattr(sys, name)
            if isinstance(stream, io.TextIOWrapper):
                stack.enter_context(_replaced(name, cast("io.TextIOWrapper", stream)))
        yield


@contextmanager
def _replaced(name: str, stream: io.TextIOWrapper) -> Generator[None]:
    stream.flush()
    text = VisibleText(
        stream.buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    setattr(sys, name, text)
    try:
        yield
    finally:
        if getattr(sys, name) is text:  # otherwise click has taken it, because its reader has gone
            setattr(sys, name, stream)
            with suppress(OSError):
                text.detach()  # flushed; the buffer is the other's


# Not rich: `VisibleText` spells out every control character, so its colours would be lost, and what is left is its
# folding. Folded to 60 columns a detection took up to five lines, and numbers broke in two (tried with rich 15). It
# would be four more packages in every installation, and 0.2 s more of a start. Leaving out the last figures, as
# `dirdet detect` does, keeps one line a row.


def aligned(table: Sequence[Sequence[str]], *, between: str = "  ") -> str:
    """One line for each row: the first column to the left, the others to the right; a row may be short."""
    padded = _padded(table)
    return "\n".join(between.join(row).rstrip() for row in padded)


def markdown(heading: Sequence[str], rows: Sequence[Sequence[str]], *, names: int = 1) -> str:
    """A table in Markdown that reads well as it is: columns are aligned, the first `names` to the left."""
    first, *others = _padded([heading, *rows], names)
    rule = ["-" * len(cell) for cell in first]
    return "\n".join(f"| {' | '.join(row)} |" for row in (first, rule, *others))


def terminal_columns() -> int | None:
    """The width of the terminal that standard output is; None for a file or a pipe, where no width is too large."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def width_of(text: str) -> int:
    """Columns of a terminal that a text takes: letters of East Asian scripts are twice as wide."""
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)


def _padded(table: Sequence[Sequence[str]], names: int = 1) -> list[list[str]]:
    columns = list(zip_longest(*table, fillvalue=""))
    widths = [max(map(width_of, column), default=0) for column in columns]
    return [
        [_pad(cell, width, left=number < names) for number, (cell, width) in enumerate(zip(row, widths, strict=True))]
        for row in zip_longest(*columns, fillvalue="")
    ]


def _pad(cell: str, width: int, *, left: bool) -> str:
    space = " " * (width - width_of(cell))
    return cell + space if left else space + cell
