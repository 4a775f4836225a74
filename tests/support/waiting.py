"""Patience: how long tests wait for what is going to happen, however busy the machine is."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# For an answer, a process, a line of a log: only what hangs takes so long. No test passes by it.
PATIENCE_S = 180.0
EVERY_S = 0.01


def until(happened: Callable[[], T], *, every_s: float = EVERY_S) -> T:
    """Asks again and again, and gives the first answer that is true.

    Raises:
        AssertionError: there is none within PATIENCE_S.
    """
    end_s = time.monotonic() + PATIENCE_S
    while not (found := happened()):
        assert time.monotonic() < end_s, f"{happened} did not happen within {PATIENCE_S:g} s"
        time.sleep(every_s)
    return found
