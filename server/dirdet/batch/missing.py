"""The parts that a job has still to do, and their pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dirdet.batch.entry import Entry
from dirdet.batch.plan import read_plan


class Planned(NamedTuple):
    """A picture and its place."""

    part: int
    position: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Missing:
    """See the module.

    Attributes:
        plan: the file of the job's pictures.
        part_pictures: of a part.
        pictures: of the job.
        parts: the numbers of those to do, rising.
    """

    plan: Path
    part_pictures: int
    pictures: int
    parts: Sequence[int]

    def size_of(self, part: int) -> int:
        """Pictures of one part; the last may be smaller."""
        return min(self.part_pictures, self.pictures - part * self.part_pictures)

    def of(self, part: int) -> "Missing":
        """One part alone."""
        return Missing(self.plan, self.part_pictures, self.pictures, [part])

    def __iter__(self) -> Iterator[Planned]:
        """The pictures, part after part."""
        if not self.parts:
            return
        start, end = self.parts[0] * self.part_pictures, (self.parts[-1] + 1) * self.part_pictures
        wanted = set(self.parts)
        for position, entry in enumerate(read_plan(self.plan, start), start):
            if position == end:
                return
            part = position // self.part_pictures
            if part in wanted:
                yield Planned(part, position, entry)
