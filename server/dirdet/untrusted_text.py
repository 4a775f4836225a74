"""Text of strangers where others read it: names of files on every platform, cells of tables, lines of a terminal."""

import re
from collections.abc import Iterable

# What a name of a file may not have on Windows, and what breaks the line of a list.
_UNSAFE = re.compile(r'[\x00-\x1f<>:"|?*\\\x7f\u0085\u2028\u2029]')
# Devices on Windows, whatever follows a dot.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?=[ .]|$)", re.IGNORECASE)
# Spreadsheets take these for a formula's beginning, and run what follows.
_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
# Controls but tab and line ends, a return within a line, and what turns the direction of writing.
_CONTROL = re.compile("(?<=[^\n])\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LINE_END = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# The beginning of what click's progress bars write: they begin their line again, hide the cursor and show it.
_OURS = re.compile(r"(?:\r?\x1b\[\?25[lh] *)*")


def portable(name: str) -> str:
    """The name of a file that every platform takes; as it is where that is so already. `a:b.` is `a%3ab%2e`."""
    name = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02x}", name)
    if name.endswith((".", " ")):
        name = f"{name[:-1]}%{ord(name[-1]):02x}"
    return _DEVICE.sub(r"\1_", name, count=1) if _DEVICE.match(name) else name


def cell(text: str) -> str:
    """Text that a spreadsheet shows: behind an apostrophe where it would be a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def cells(row: Iterable[object]) -> list[object]:
    """A table's row; numbers stay numbers."""
    return [cell(value) if isinstance(value, str) else value for value in row]


def visible(text: str) -> str:
    r"""Text for a terminal, in which controls are spelled out as `\u001b`: as JSON does, which so stays what it was."""
    ours = _OURS.match(text)
    end = ours.end() if ours else 0
    return text[:end] + _CONTROL.sub(_spelled, text[end:])


def one_line(text: str) -> str:
    r"""Text for one line of a terminal, in which line ends are spelled out as `\u000a`: a name holds no second line."""
    return _LINE_END.sub(_spelled, text)


def indented(text: str) -> str:
    """A message for a terminal, whose further lines begin with spaces: no name in it writes a line of its own."""
    return "\n  ".join(text.splitlines())


def _spelled(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
