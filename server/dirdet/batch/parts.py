"""The unfinished parts of a job: their pictures, and the batches that these fill."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from dirdet.batch.picture_plan import read_plan
from dirdet.batch.source_picture import Entry
from dirdet.engines.tensors import MAX_BATCH

T = TypeVar("T")


class PlannedPicture(NamedTuple):
    """A picture and its place in the job."""

    part: int
    position: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class MissingParts:
    """Parts of a plan.

    Attributes:
        plan: the file of the job's pictures.
        part_pictures: pictures in one part.
        pictures: pictures in the job.
        parts: numbers of the unfinished parts, rising.
    """

    plan: Path
    part_pictures: int
    pictures: int
    parts: Sequence[int]

    def size_of(self, part: int) -> int:
        """Number of pictures of a part; the last part may be smaller."""
        return min(self.part_pictures, self.pictures - part * self.part_pictures)

    def of(self, part: int) -> "MissingParts":
        """The same with one part only."""
        return MissingParts(self.plan, self.part_pictures, self.pictures, [part])

    def __iter__(self) -> Iterator[PlannedPicture]:
        if not self.parts:
            return
        start, end = self.parts[0] * self.part_pictures, (self.parts[-1] + 1) * self.part_pictures
        wanted = set(self.parts)
        for position, entry in enumerate(read_plan(self.plan, start), start):
            if position == end:
                return
            part = position // self.part_pictures
            if part in wanted:
                yield PlannedPicture(part, position, entry)


class BatchFiller(Generic[T]):
    """Collects the pictures of a part into batches.

    A batch depends on the plan only: it holds pictures of one part and one kind, in their order.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[T]] = {}

    def add(self, kind: Hashable, picture: T) -> list[T] | None:
        """Adds a picture; returns the batch if it is full now."""
        batch = self._waiting.setdefault(kind, [])
        batch.append(picture)
        return self._waiting.pop(kind) if len(batch) == MAX_BATCH else None

    def rest(self) -> Iterator[list[T]]:
        """Returns the incomplete batches at the end of the part."""
        waiting, self._waiting = self._waiting, {}
        yield from waiting.values()
