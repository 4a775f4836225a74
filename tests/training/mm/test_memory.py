"""Memory that is kept: a process does not ask the system again for what it freed."""

import subprocess
import sys

import pytest

from dirdet_training.mm import memory

# The module by itself: its package imports MMDetection, for many seconds.
FAULTS = """
import resource, runpy, statistics, sys, torch
keep_freed_memory = runpy.run_path(sys.argv[1])["keep_freed_memory"]
def faults_of_a_step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(40 * 2**20, dtype=torch.uint8)  # 10,240 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
given_back = [faults_of_a_step() for _ in range(4)]
assert keep_freed_memory()
kept = [faults_of_a_step() for _ in range(21)]  # the heap grows at times, until alignment fits as well
print(min(given_back), statistics.median(kept))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be told")
def test_freed_memory_is_there_for_the_next_step():
    command = [sys.executable, "-c", FAULTS, memory.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    given_back, kept = map(int, done.stdout.split())
    assert kept < 200 < given_back


def test_a_c_library_that_cannot_be_told_is_no_error(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    assert memory.keep_freed_memory() is False
