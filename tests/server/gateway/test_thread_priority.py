"""Threads that compute let those that answer go first."""

import os
import sys
import threading

import pytest

from dirdet.gateway.scheduling.concurrency import NICENESS, WorkerThreads, at_low_priority

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

    at_low_priority(start_another)
    assert found == [max(before, NICENESS)]
    assert niceness() == before


def test_an_error_comes_through() -> None:
    def fail() -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        at_low_priority(fail)
