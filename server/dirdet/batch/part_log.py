"""parts.jsonl: one line for each written part; a running job only appends to it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pydantic import ValidationError

from dirdet.batch.job_record import PartRecord
from dirdet.files import open_appending, read_regular, write_whole

PARTS = "parts.jsonl"
# Some 500 bytes a part: more parts than there are pictures.
MOST_LOG_BYTES = 2**28


class PartLine(PartRecord):
    """A line: a part, and the job's duration when the part was written; a finished job's lines have no times."""

    seconds: float | None = None
    engine_seconds: float | None = None

    @property
    def part(self) -> PartRecord:
        """The part without the times."""
        return PartRecord.model_validate(self.model_dump(include=set(PartRecord.model_fields)))


@dataclass(frozen=True, slots=True)
class Logged:
    """Content of a log.

    Attributes:
        parts: by their numbers; the last line of a part counts.
        seconds: the job's duration at the last line; 0 if no line states it.
        engine_seconds: the engine's share of it.
    """

    parts: dict[int, PartRecord] = field(default_factory=dict[int, PartRecord])
    seconds: float = 0.0
    engine_seconds: float = 0.0


def read_log(path: Path) -> Logged:
    """Reads the parts of a log; none if there is no log.

    A line that cannot be parsed names no part, and the part is computed again: a loss of power can leave the last line
    incomplete.
    """
    try:
        data = read_regular(path, most_bytes=MOST_LOG_BYTES)
    except FileNotFoundError:
        return Logged()
    parts: dict[int, PartRecord] = {}
    seconds = engine_seconds = 0.0
    for line in data.splitlines():
        try:
            read = PartLine.model_validate_json(line)
        except ValidationError:
            continue
        parts[read.number] = read.part
        seconds = max(seconds, read.seconds or 0.0)
        engine_seconds = max(engine_seconds, read.engine_seconds or 0.0)
    return Logged(parts, seconds, engine_seconds)


def write_log(path: Path, parts: Iterable[PartRecord]) -> None:
    """Writes a log without times, atomically.

    Raises:
        OSError: it cannot be written.
    """
    lines = b"".join(_line(PartLine.model_validate(part.model_dump())) for part in parts)
    write_whole(path, lambda file: file.write(lines), durable=True)


class PartLog:
    """A log that is appended to; a part counts once its line is on the disk."""

    def __init__(self, path: Path) -> None:
        """Opens the log, whose last line must be complete.

        Raises:
            OSError: it is a link, or cannot be opened.
        """
        self._file: IO[bytes] = open_appending(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, part: PartRecord, *, seconds: float, engine_seconds: float) -> None:
        """Appends a part whose files are on the disk.

        Raises:
            OSError: the line cannot be written; the part does not count.
        """
        left = _line(PartLine(**part.model_dump(), seconds=seconds, engine_seconds=engine_seconds))
        while left:  # A nearly full disk takes a part of the line and then refuses the rest.
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())


def _line(line: PartLine) -> bytes:
    return line.model_dump_json(exclude_none=True).encode() + b"\n"
