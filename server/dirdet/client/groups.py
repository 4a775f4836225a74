"""Many pictures into requests: in order, and no more of them than a gateway takes at once."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dirdet.client.pictures import SentPicture
from dirdet.client.settings import MOST_BYTES


@dataclass(slots=True)
class Grouping:
    """Collects pictures until a request is full.

    Attributes:
        per_request: most pictures of one.
        waiting: those of the request that is not full yet.
    """

    per_request: int
    waiting: list[SentPicture] = field(default_factory=list[SentPicture])
    _bytes: int = 0

    def add(self, picture: SentPicture) -> Iterator[list[SentPicture]]:
        """Takes one more; gives a group that is full now, if there is one."""
        if self.waiting and self._bytes + len(picture.data) > MOST_BYTES:
            yield from self.rest()
        self.waiting.append(picture)
        self._bytes += len(picture.data)
        if len(self.waiting) == self.per_request:
            yield from self.rest()

    def rest(self) -> Iterator[list[SentPicture]]:
        """Gives what waits, if anything does."""
        if self.waiting:
            full, self.waiting, self._bytes = self.waiting, [], 0
            yield full


def halves(group: list[SentPicture]) -> tuple[list[SentPicture], list[SentPicture]]:
    """A group of two or more that was too large, as two."""
    middle = len(group) // 2
    return group[:middle], group[middle:]
