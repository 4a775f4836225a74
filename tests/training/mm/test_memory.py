"""Memory that is kept: a process does not ask the system again for what it freed."""

import subprocess
import sys

import pytest

from dirdet_training.mm.memory import keep_freed_memory

FAULTS = """
import resource, sys, torch
from dirdet_training.mm.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def step():
    torch.ones(40 * 2**20, dtype=torch.uint8)  # 10,240 pages
for _ in range(20):  # the heap grows until alignment fits as well
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be told")
def test_freed_memory_is_there_for_the_next_step():
    assert faults("keep") < 2000 < faults("give back")


def test_a_c_library_that_cannot_be_told_is_no_error(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    assert keep_freed_memory() is False
