"""Groups many pictures into requests: in order, and each within the gateway's limits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dirdet.client.pictures import SentPicture
from dirdet.client.settings import MOST_BYTES


@dataclass(slots=True)
class Grouping:
    """Collects pictures until a request is full.

    Attributes:
        per_request: most pictures in one request.
        waiting: the pictures of the request that is not full yet.
    """

    per_request: int
    waiting: list[SentPicture] = field(default_factory=list[SentPicture])
    _bytes: int = 0

    def add(self, picture: SentPicture) -> Iterator[list[SentPicture]]:
        """Adds a picture; returns a group if one is full now."""
        if self.waiting and self._bytes + len(picture.data) > MOST_BYTES:
            yield from self.rest()
        self.waiting.append(picture)
        self._bytes += len(picture.data)
        if len(self.waiting) == self.per_request:
            yield from self.rest()

    def rest(self) -> Iterator[list[SentPicture]]:
        """Returns the pictures that are still waiting, if there are any."""
        if self.waiting:
            full, self.waiting, self._bytes = self.waiting, [], 0
            yield full


def halves(group: Sequence[SentPicture]) -> tuple[Sequence[SentPicture], Sequence[SentPicture]]:
    """Splits a group of two or more pictures that was too large."""
    middle = len(group) // 2
    return group[:middle], group[middle:]
