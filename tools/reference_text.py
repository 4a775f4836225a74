"""Markdown of the reference pages: tables, and text from the code that must not be read as markup."""

import re
from collections.abc import Iterable, Sequence
from html import escape


def cell(text: str) -> str:
    """A text of several lines as one cell of a table: one line, without markup but for `code`."""
    parts = re.split(r"`([^`]*)`", " ".join(text.split()))
    return "".join(code(part) if number % 2 else re.sub(r"([*<|])", r"\\\1", part) for number, part in enumerate(parts))


def code(text: str) -> str:
    """Code in a cell; a bar in it would end the cell."""
    return f"<code>{escape(text).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
