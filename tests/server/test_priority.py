"""Threads that compute let those that answer go first."""

import os
import sys
import threading

import pytest

from dirdet.priority import NICENESS, stepped_back
from dirdet.worker_threads import WorkerThreads

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of single threads")


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.anyio
async def test_worker_threads_step_back_and_the_event_loop_does_not() -> None:
    before = niceness()
    threads = WorkerThreads(1, "computing")
    assert await threads.run(niceness) == max(before, NICENESS)
    threads.close()
    assert niceness() == before


def test_threads_that_work_starts_inherit_its_priority_and_its_caller_keeps_its_own() -> None:
    before, found = niceness(), list[int]()

    def start_another() -> None:
        other = threading.Thread(target=lambda: found.append(niceness()))
        other.start()
        other.join()

    stepped_back(start_another)
    assert found == [max(before, NICENESS)]
    assert niceness() == before


def test_an_error_comes_through() -> None:
    def fail() -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        stepped_back(fail)
