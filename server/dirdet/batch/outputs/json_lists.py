"""Writes JSON entry by entry, so that only one entry is in memory."""

from collections.abc import Iterable, Mapping
from json import JSONEncoder
from typing import IO, Any

_ENCODER = JSONEncoder(separators=(",", ":"), allow_nan=False)


def write_list(file: IO[bytes], entries: Iterable[Any]) -> int:
    """Writes a list with one entry per line; returns the number of entries."""
    number = 0
    for number, entry in enumerate(entries, start=1):
        file.write((b"[\n" if number == 1 else b",\n") + encoded(entry))
    file.write(b"[]" if number == 0 else b"\n]")
    return number


def write_object(file: IO[bytes], members: Mapping[str, Any], lists: Mapping[str, Iterable[Any]]) -> None:
    """Writes an object with plain members, followed by lists."""
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
    """A value as ASCII JSON, so that a name may hold any characters."""
    return _ENCODER.encode(value).encode("ascii")
