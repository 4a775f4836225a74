"""Decides when a failed request is sent again, within a limit of attempts and time."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from dirdet.client.errors import ClientError

# Random part added to a wait that the server asks for, so that clients do not return all at once.
SPREAD = 0.25


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a request is retried, and the wait before each retry.

    Attributes:
        most: retries after the first attempt; 0 disables retries.
        first_wait_s: longest wait before the first retry, doubled for each next one; the wait is random between half of
            it and all of it.
        longest_wait_s: limit of that wait; it does not limit a wait that the server asks for by Retry-After.
        chance: returns a random number in 0..1.
    """

    most: int = 4
    first_wait_s: float = 0.2
    longest_wait_s: float = 5.0
    chance: Callable[[], float] = field(default=random.random, repr=False)

    def wait_s(self, failure: ClientError, *, tried: int, left_s: float) -> float | None:
        """Returns the seconds to wait before the next attempt; None if there is none or no time for it.

        Args:
            failure: error of the last attempt.
            tried: number of attempts so far.
            left_s: time that the caller has left.
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
    """Seconds from a Retry-After header: a number or a date (RFC 9110, section 10.2.3); None if unreadable."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


class Deadline:
    """The moment at which the caller's timeout ends."""

    def __init__(self, timeout_s: float) -> None:
        """Starts the timeout now."""
        self.timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds left; 0 or less after the end."""
        return self._end - time.monotonic()

    @property
    def left_ms(self) -> int:
        """Milliseconds left for the request's header, at least 1."""
        return max(1, int(self.left_s * 1000))
