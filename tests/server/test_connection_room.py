"""Which connection gives way when there are too many."""

import resource

import pytest

from dirdet.connection_room import MOST_CONNECTIONS, ConnectionRoom, connections_for_files


class Idle:
    gave_way = False

    def give_way(self) -> None:
        self.gave_way = True


def test_whoever_has_waited_longest_gives_way() -> None:
    room, first, second, third = ConnectionRoom(2), Idle(), Idle(), Idle()
    for number, each in enumerate((first, second, third), 1):
        room.wait(each)
        room.make(number)
    assert [each.gave_way for each in (first, second, third)] == [True, False, False]


def test_one_whose_request_is_here_stays() -> None:
    room, busy, idle, newest = ConnectionRoom(2), Idle(), Idle(), Idle()
    for number, each in enumerate((busy, idle), 1):
        room.wait(each)
        room.make(number)
    room.leave(busy)
    room.wait(newest)
    room.make(3)
    assert [each.gave_way for each in (busy, idle, newest)] == [False, True, False]


def test_where_all_are_busy_the_newest_is_not_taken() -> None:
    room, newest = ConnectionRoom(0), Idle()
    room.make(1)
    room.wait(newest)
    room.make(1)
    assert newest.gave_way


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
