"""The queue before an engine, in buckets that do not share batches: which batch goes next, and when."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(eq=False, slots=True)
class Entry(Generic[Key, Value]):
    """One waiting value.

    Attributes:
        key: its bucket; only entries of one bucket form a batch.
        value: what is to be computed.
        since_s: when it was put in, by the caller's clock.
        number: in the order of arrival.
    """

    key: Key
    value: Value
    since_s: float
    number: int = field(default=-1)


class BatchQueue(Generic[Key, Value]):
    """Batches by bucket, the longest waiting first; without a clock or threads of its own.

    A bucket is ripe when it fills a batch, when its first entry has waited `max_delay_s`, or when no other entry is
    expected. Of the ripe buckets the one goes first whose first entry arrived first, so no bucket starves.
    """

    def __init__(self, *, max_batch: int, max_delay_s: float) -> None:
        """Empty.

        Args:
            max_batch: entries of a batch, at most.
            max_delay_s: how long an entry waits for others at most.
        """
        self._max_batch = max_batch
        self._max_delay_s = max_delay_s
        # The entries of each bucket by number: a dict keeps their order and removes one cheaply.
        self._buckets: dict[Key, dict[int, Entry[Key, Value]]] = {}
        self._length = 0
        self._next = 0

    def __len__(self) -> int:
        return self._length

    def put(self, key: Key, value: Value, now_s: float) -> Entry[Key, Value]:
        """Adds a value to its bucket."""
        entry = Entry(key, value, now_s, self._next)
        self._next += 1
        self._buckets.setdefault(key, {})[entry.number] = entry
        self._length += 1
        return entry

    def discard(self, entry: Entry[Key, Value]) -> bool:
        """Removes an entry; False if it is not in the queue any more."""
        bucket = self._buckets.get(entry.key, {})
        if bucket.pop(entry.number, None) is None:
            return False
        self._length -= 1
        if not bucket:
            del self._buckets[entry.key]
        return True

    def ripe(self, now_s: float, *, more_coming: bool) -> Key | None:
        """The bucket of the next batch; None while none is ripe.

        Args:
            now_s: the time.
            more_coming: whether further entries are expected soon.
        """
        ripe = (
            (_first_number(bucket), key)
            for key, bucket in self._buckets.items()
            if not more_coming or self._is_ripe(bucket, now_s)
        )
        _, key = min(ripe, key=lambda each: each[0], default=(0, None))
        return key

    def take(self, key: Key, at_most: int) -> list[Entry[Key, Value]]:
        """Takes the first entries of a bucket that is not empty, at most `max_batch`, in the order of arrival."""
        batch = list(islice(self._buckets[key].values(), min(at_most, self._max_batch)))
        for entry in batch:
            self.discard(entry)
        return batch

    def ripens_at_s(self) -> float | None:
        """When the next bucket ripens by its delay; None while the queue is empty."""
        return min((_first(bucket).since_s + self._max_delay_s for bucket in self._buckets.values()), default=None)

    def entries(self) -> Iterator[Entry[Key, Value]]:
        """All entries."""
        for bucket in self._buckets.values():
            yield from bucket.values()

    def _is_ripe(self, bucket: dict[int, Entry[Key, Value]], now_s: float) -> bool:
        return len(bucket) >= self._max_batch or now_s >= _first(bucket).since_s + self._max_delay_s


def _first(bucket: dict[int, Entry[Key, Value]]) -> Entry[Key, Value]:
    return next(iter(bucket.values()))


def _first_number(bucket: dict[int, Entry[Key, Value]]) -> int:
    return next(iter(bucket))
