"""Until when a request is to be answered, and how a caller says it."""

import time
from dataclasses import dataclass

from dirdet.errors import DeadlineError, ParameterError

HEADER = "X-Request-Timeout-Ms"
MOST_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by `time.monotonic`, which is also the event loop's clock.

    Attributes:
        at_s: the moment.
        timeout_s: seconds that there were for everything.
    """

    at_s: float
    timeout_s: float

    @classmethod
    def after(cls, timeout_s: float) -> "Deadline":
        """So many seconds from now on."""
        return cls(time.monotonic() + timeout_s, timeout_s)

    @property
    def left_s(self) -> float:
        """Seconds that are left; negative once it has passed."""
        return self.at_s - time.monotonic()

    def missed(self, stage: str) -> DeadlineError:
        """The error for a request that was at `stage` when its time was over."""
        return DeadlineError(f"the request had {self.timeout_s:g} s; they ended {stage}")

    def check(self, stage: str) -> None:
        """Raises once it has passed.

        Raises:
            DeadlineError: names the stage.
        """
        if self.left_s <= 0:
            raise self.missed(stage)


def read_timeout_s(value: str | None, *, default_s: float, max_s: float) -> float:
    """Seconds from a request's header, the maximum at most, or the default where it has none.

    Raises:
        ParameterError: no whole number of milliseconds, at least 1.
    """
    if value is None:
        return default_s
    digits = value.strip()
    # int() of a thousand digits is work, and no caller means them.
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= MOST_DIGITS and int(digits) >= 1):
        raise ParameterError(HEADER, f"expected a whole number of milliseconds, at least 1, got {value!r}")
    return min(int(digits) / 1000, max_s)
