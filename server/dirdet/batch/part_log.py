"""parts.jsonl: a line for each part that is written, added to and never rewritten while a job runs."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pydantic import ValidationError

from dirdet.batch.job import PartTold
from dirdet.files import write_whole

PARTS = "parts.jsonl"


class PartLine(PartTold):
    """A line: a part, and how long the job had taken when it was written; a finished job's has no times."""

    seconds: float | None = None
    engine_seconds: float | None = None

    @property
    def part(self) -> PartTold:
        """Without the times."""
        return PartTold.model_validate(self.model_dump(include=set(PartTold.model_fields)))


@dataclass(frozen=True, slots=True)
class Logged:
    """What a log tells.

    Attributes:
        parts: by their numbers; the last line of a part counts.
        seconds: that the job had taken at its last line; 0 where none says.
        engine_seconds: the same of the engine.
    """

    parts: dict[int, PartTold] = field(default_factory=dict[int, PartTold])
    seconds: float = 0.0
    engine_seconds: float = 0.0


def read_log(path: Path) -> Logged:
    """The parts of a log; none where there is none.

    A line that cannot be read names no part, which is then computed again: a machine that loses its power leaves the
    last one torn.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Logged()
    parts: dict[int, PartTold] = {}
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


def write_log(path: Path, parts: Iterable[PartTold]) -> None:
    """Writes a log anew, whole or not at all, without times.

    Raises:
        OSError: it cannot be written.
    """
    lines = b"".join(_line(PartLine.model_validate(part.model_dump())) for part in parts)
    write_whole(path, lambda file: file.write(lines), durable=True)


class PartLog:
    """A log that is added to; a part counts once its line is on the disk."""

    def __init__(self, path: Path) -> None:
        """Opens it; its last line is whole.

        Raises:
            OSError: it cannot be opened.
        """
        self._file: IO[bytes] = path.open("ab", buffering=0)

    def __enter__(self) -> Self:
        """The log, closed at the block's end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Closes."""
        self._file.close()

    def add(self, part: PartTold, *, seconds: float, engine_seconds: float) -> None:
        """Adds a part whose files are on the disk.

        Raises:
            OSError: it cannot be written; the part does not count.
        """
        left = _line(PartLine(**part.model_dump(), seconds=seconds, engine_seconds=engine_seconds))
        while left:  # a disk that is all but full takes a part of it, and then refuses the rest
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())


def _line(line: PartLine) -> bytes:
    return line.model_dump_json(exclude_none=True).encode() + b"\n"
