"""When a request that failed is sent again: bounded in number and in time."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from dirdet.client.errors import ClientError

# Of a wait that the server asks for, what is added so that clients do not come back all at once.
SPREAD = 0.25


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and how long to wait before each.

    Attributes:
        most: retries after the first try; 0 never tries again.
        first_wait_s: before the first, and twice as long before each next; a random part of it, half at least.
        longest_wait_s: bounds that, not what the server asks for by Retry-After.
        chance: a number in 0..1.
    """

    most: int = 4
    first_wait_s: float = 0.2
    longest_wait_s: float = 5.0
    chance: Callable[[], float] = field(default=random.random, repr=False)

    def wait_s(self, failure: ClientError, *, tried: int, left_s: float) -> float | None:
        """Seconds to wait before the next try; None where there is none, or no time for it.

        Args:
            failure: of the last try.
            tried: how many tries there were.
            left_s: of the caller's time.
        """
        if not failure.may_retry or tried > self.most:
            return None
        if failure.retry_after_s is not None:
            wait_s = failure.retry_after_s * (1 + SPREAD * self.chance())
        else:
            longest_s = min(self.first_wait_s * 2 ** (tried - 1), self.longest_wait_s)
            wait_s = longest_s * (0.5 + 0.5 * self.chance())
        return wait_s if wait_s < left_s else None


def retry_after_s(header: str | None) -> float | None:
    """Seconds from a Retry-After header, which has them or a date (RFC 9110, section 10.2.3); None if unreadable."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


class Deadline:
    """The moment until which the caller waits."""

    def __init__(self, timeout_s: float) -> None:
        """Counts from now."""
        self.timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds, 0 or less when they are over."""
        return self._end - time.monotonic()

    @property
    def left_ms(self) -> int:
        """The same as a server is told it: at least 1."""
        return max(1, int(self.left_s * 1000))
