"""Batches that depend on the plan alone: of one part, in its pictures' order, of one kind, none shared by two parts."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from dirdet.detector import MAX_BATCH

T = TypeVar("T")


class Filling(Generic[T]):
    """Collects the pictures of a part."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._waiting: dict[Hashable, list[T]] = {}

    def add(self, kind: Hashable, picture: T) -> list[T] | None:
        """Takes one more; gives the batch that it fills."""
        batch = self._waiting.setdefault(kind, [])
        batch.append(picture)
        return self._waiting.pop(kind) if len(batch) == MAX_BATCH else None

    def rest(self) -> Iterator[list[T]]:
        """Gives what waits, where the part ends."""
        waiting, self._waiting = self._waiting, {}
        yield from waiting.values()
