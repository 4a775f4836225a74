"""JSON that is written entry by entry: nothing but the entry at hand is held."""

import json
from collections.abc import Callable, Iterable
from typing import IO, Any


def write_list(file: IO[bytes], entries: Iterable[Any]) -> int:
    """Writes `[`, the entries, one a line, and `]`; gives their number."""
    number = 0
    for number, entry in enumerate(entries, start=1):
        file.write((b"[\n" if number == 1 else b",\n") + encoded(entry))
    file.write(b"[]" if number == 0 else b"\n]")
    return number


def write_object(file: IO[bytes], members: Iterable[tuple[str, Any]]) -> None:
    """Writes an object; a member's value is a function that writes it, or what is written.

    The functions are called in the members' order.
    """
    begin = b"{\n"
    for name, value in members:
        file.write(begin + encoded(name) + b": ")
        begin = b",\n"
        if callable(value):
            write: Callable[[IO[bytes]], object] = value
            write(file)
        else:
            file.write(encoded(value))
    file.write(b"\n}\n" if begin == b",\n" else b"{}\n")


def encoded(value: Any) -> bytes:  # noqa: ANN401 - JSON
    """A value as JSON, in ASCII: it holds whatever a name holds."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
