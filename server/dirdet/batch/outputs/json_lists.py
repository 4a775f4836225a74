"""JSON that is written entry by entry: nothing but the entry at hand is held."""

from collections.abc import Iterable, Mapping
from json import JSONEncoder
from typing import IO, Any

_ENCODER = JSONEncoder(separators=(",", ":"), allow_nan=False)


def write_list(file: IO[bytes], entries: Iterable[Any]) -> int:
    """Writes `[`, the entries, one a line, and `]`; gives their number."""
    number = 0
    for number, entry in enumerate(entries, start=1):
        file.write((b"[\n" if number == 1 else b",\n") + encoded(entry))
    file.write(b"[]" if number == 0 else b"\n]")
    return number


def write_object(file: IO[bytes], members: Mapping[str, Any], lists: Mapping[str, Iterable[Any]]) -> None:
    """Writes an object of members and, after them, lists, one after the other."""
    begin = b"{\n"
    for name, value in members.items():
        file.write(begin + encoded(name) + b": " + encoded(value))
        begin = b",\n"
    for name, entries in lists.items():
        file.write(begin + encoded(name) + b": ")
        write_list(file, entries)
        begin = b",\n"
    file.write(b"\n}\n")


def encoded(value: Any) -> bytes:  # noqa: ANN401 - JSON
    """A value as JSON, in ASCII: it holds whatever a name holds."""
    return _ENCODER.encode(value).encode("ascii")
