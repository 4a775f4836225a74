"""The queue's rules: who goes with whom, when, and that nobody waits for ever."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from dirdet.gateway.scheduling.batch_queue import BatchQueue, Entry

DELAY_S = 0.5
ALL = 99


def queue(max_batch: int = 3) -> BatchQueue[str, int]:
    return BatchQueue(max_batch=max_batch, max_delay_s=DELAY_S)


def taken(waiting: BatchQueue[str, int], now_s: float, *, more_coming: bool = True) -> list[int]:
    return [entry.value for entry in next_batch(waiting, now_s, more_coming=more_coming)]


def next_batch(waiting: BatchQueue[str, int], now_s: float, *, more_coming: bool) -> list[Entry[str, int]]:
    key = waiting.ripe(now_s, more_coming=more_coming)
    return [] if key is None else waiting.take(key, ALL)


def test_an_empty_queue_gives_nothing_and_never_ripens() -> None:
    assert taken(queue(), 0, more_coming=False) == []
    assert queue().ripens_at_s() is None


def test_it_goes_at_once_when_nothing_else_is_coming() -> None:
    waiting = queue()
    waiting.put("a", 1, 0)
    assert taken(waiting, 0, more_coming=False) == [1]
    assert len(waiting) == 0


def test_it_waits_for_others_but_no_longer_than_the_delay() -> None:
    waiting = queue()
    waiting.put("a", 1, 0)
    assert taken(waiting, 0.4) == []
    waiting.put("a", 2, 0.4)
    assert waiting.ripens_at_s() == DELAY_S
    assert taken(waiting, DELAY_S) == [1, 2]


def test_a_full_batch_does_not_wait() -> None:
    waiting = queue()
    for number in range(4):
        waiting.put("a", number, 0)
    assert taken(waiting, 0) == [0, 1, 2]
    assert taken(waiting, 0) == []


def test_part_of_a_bucket_goes_in_order() -> None:
    waiting = queue()
    for number in range(4):
        waiting.put("a", number, 0)
    assert [entry.value for entry in waiting.take("a", 2)] == [0, 1]
    assert waiting.ripe(1, more_coming=False) == "a"
    assert [entry.value for entry in waiting.take("a", 2)] == [2, 3]
    assert waiting.ripe(1, more_coming=False) is None


def test_a_full_bucket_does_not_starve_an_older_one() -> None:
    waiting = queue()
    waiting.put("old", 0, 0)
    for number in range(1, 9):
        waiting.put("busy", number, 0.1)
    assert taken(waiting, 0.2) == [1, 2, 3]
    assert taken(waiting, DELAY_S) == [0]


def test_what_is_discarded_goes_with_nobody_and_leaves_no_bucket() -> None:
    waiting = queue()
    entry = waiting.put("a", 1, 0)
    other = waiting.put("b", 2, 0)
    assert waiting.discard(entry)
    assert not waiting.discard(entry)
    assert taken(waiting, 1) == [2]
    assert not waiting.discard(other)
    assert list(waiting.entries()) == []
    assert waiting.ripens_at_s() is None


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc")),
        st.tuples(st.just("discard"), st.integers(0, 20)),
        st.tuples(st.just("take"), st.booleans()),
        st.tuples(st.just("pass"), st.floats(0, 1)),
    ),
    max_size=60,
)


@given(actions=ACTIONS, max_batch=st.integers(1, 4))
def test_everything_comes_out_once_unmixed_and_in_order(
    actions: Sequence[tuple[str, str | int | bool | float]], max_batch: int
) -> None:
    waiting = queue(max_batch)
    now_s = 0.0
    entries: list[Entry[str, int]] = []
    gone: set[int] = set()

    def take(*, more_coming: bool) -> bool:
        present = [entry for entry in entries if entry.number not in gone]
        batch = next_batch(waiting, now_s, more_coming=more_coming)
        numbers = [entry.number for entry in batch]
        assert len(batch) <= max_batch
        assert len({entry.key for entry in batch}) <= 1
        assert numbers == sorted(numbers)
        assert not gone & set(numbers)
        overdue = [entry for entry in present if entry.since_s + DELAY_S <= now_s]
        if overdue or (present and not more_coming):
            assert batch
        if batch and not more_coming:
            assert numbers[0] == min(entry.number for entry in present)  # the longest waiting goes first
        gone.update(numbers)
        return bool(batch)

    for action, value in actions:
        if action == "put":
            entries.append(waiting.put(str(value), len(entries), now_s))
        elif action == "discard" and entries:
            entry = entries[int(value) % len(entries)]
            assert waiting.discard(entry) == (entry.number not in gone)
            gone.add(entry.number)
        elif action == "take":
            take(more_coming=bool(value))
        elif action == "pass":
            now_s += float(value)
        assert len(waiting) == len(entries) - len(gone)
    while take(more_coming=False):
        pass
    assert len(gone) == len(entries)
