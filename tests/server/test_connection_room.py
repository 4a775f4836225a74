"""Which connection gives way when there are too many."""

import math
import resource

import pytest

from dirdet.connection_room import MOST_CONNECTIONS, ConnectionRoom, connections_for_files


class Somebody:
    def __init__(self, *, idle: bool = True, unread_bytes: int = 0, reading_rate: float = 0.0) -> None:
        self.idle, self.unread_bytes, self.reading_rate, self.gave_way = idle, unread_bytes, reading_rate, False

    def give_way(self) -> None:
        self.gave_way = True


def test_whoever_has_been_idle_longest_gives_way() -> None:
    room, guests = ConnectionRoom(2), [Somebody() for _ in range(4)]
    for each in guests[:3]:
        room.enter(each)
    assert [each.gave_way for each in guests] == [True, False, False, False]
    room.heard(guests[0])  # too late: it is gone
    room.heard(guests[1])
    room.enter(guests[3])
    assert [each.gave_way for each in guests] == [True, False, True, False]


def test_who_is_being_answered_stays() -> None:
    room, busy, idle, newest = ConnectionRoom(2), Somebody(idle=False), Somebody(), Somebody()
    for each in (busy, idle, newest):
        room.enter(each)
    assert [each.gave_way for each in (busy, idle, newest)] == [False, True, False]


def test_where_all_are_busy_the_newest_is_not_taken() -> None:
    room, busy, newest = ConnectionRoom(1), Somebody(idle=False), Somebody()
    room.enter(busy)
    room.enter(newest)
    assert (busy.gave_way, newest.gave_way) == (False, True)
    room.exit(busy)
    room.enter(again := Somebody())
    assert not again.gave_way


def test_of_too_much_that_is_unread_the_slowest_readers_goes() -> None:
    room = ConnectionRoom(most_unread_bytes=100)
    first, slow, newest = (
        Somebody(idle=False, unread_bytes=size, reading_rate=rate) for size, rate in ((150, 9), (60, 1), (60, math.inf))
    )
    for each in (first, slow, newest):
        room.enter(each)
    room.answer_waits(first)  # alone it may be as large as it is
    assert not first.gave_way
    first.unread_bytes = 30
    room.answer_waits(slow)
    assert not slow.gave_way
    room.answer_waits(newest)
    assert [each.gave_way for each in (first, slow, newest)] == [False, True, False]
    room.answer_read(newest)
    room.answer_waits(Somebody(unread_bytes=70))
    assert not first.gave_way


def test_who_reads_slowest_gives_way_where_nobody_is_idle() -> None:
    room = ConnectionRoom(3)
    busy, slow, fast, newest = (Somebody(idle=False, reading_rate=rate) for rate in (0, 1, 2, math.inf))
    for each in (busy, slow, fast):
        room.enter(each)
    room.answer_waits(slow)
    room.answer_waits(fast)
    room.enter(newest)
    assert [each.gave_way for each in (busy, slow, fast, newest)] == [False, True, False, False]


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (256, 524_288, MOST_CONNECTIONS),
        (1_000_000, 1_000_000, MOST_CONNECTIONS),
        (256, resource.RLIM_INFINITY, MOST_CONNECTIONS),
        (1024, 1024, 640),
        (200, 200, 50),
    ],
)
def test_connections_leave_files_for_the_rest(
    soft: int, hard: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limits(_: int) -> tuple[int, int]:
        return soft, hard

    def raised(_: int, limits: tuple[int, int]) -> None:
        assert limits[1] == hard

    monkeypatch.setattr(resource, "getrlimit", limits)
    monkeypatch.setattr(resource, "setrlimit", raised)
    assert connections_for_files() == expected
