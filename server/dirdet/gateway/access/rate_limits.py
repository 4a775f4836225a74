"""Rate limits of keys: rates as people write them, and the token bucket that enforces them."""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86400}
WRITTEN = re.compile(r"([1-9][0-9]{0,8})/(s|min|h|d)")
# Of a token, for rounding: a client that waited as long as Retry-After asked passes.
ROUNDING = 1e-6
EXPECTED = "expected a number per s, min, h or d, such as 10/s"


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of pictures in a period, on average; `burst` at once after a pause.

    Attributes:
        amount: pictures in a period; a request without one counts as one.
        unit: the period: s, min, h or d.
        burst: what a bucket holds; at least 1.
    """

    amount: int
    unit: str
    burst: int

    @classmethod
    def parse(cls, text: str, *, burst: int | None = None) -> "Rate":
        """`10/s` as a rate; a burst is as large as the amount unless given.

        Raises:
            ValueError: the text has another form; says what was expected.
        """
        matched = WRITTEN.fullmatch(text)
        if matched is None:
            raise ValueError(f"{EXPECTED}; found {text!r}")
        amount = int(matched[1])
        return cls(amount, matched[2], amount if burst is None else burst)

    def __str__(self) -> str:
        return f"{self.amount}/{self.unit}"

    @property
    def per_second(self) -> float:
        """Pictures a second."""
        return self.amount / UNITS_S[self.unit]

    @property
    def window_s(self) -> int:
        """Seconds in which an empty bucket becomes full, rounded up."""
        return math.ceil(self.burst * UNITS_S[self.unit] / self.amount)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a bucket holds at one moment.

    Attributes:
        rate: at which the bucket fills.
        remaining: requests of one picture that would pass now.
        retry_in_s: seconds until one passes, rounded up; 0: one passes now.
        full_in_s: seconds until the bucket is full, rounded up.
    """

    rate: Rate
    remaining: int
    retry_in_s: int
    full_in_s: int

    def headers(self) -> dict[str, str]:
        """RateLimit and RateLimit-Policy, in the form of the IETF's drafts since draft-08 (2024)."""
        return {
            "RateLimit-Policy": f'"key";q={self.rate.burst};w={self.rate.window_s}',
            "RateLimit": f'"key";r={self.remaining};t={self.retry_in_s or self.full_in_s}',
        }


class TokenBucket:
    """A token bucket: a request passes while there is a token, and each of its pictures spends one.

    The number of pictures is known only after the request has passed, so the bucket can owe tokens; it then lets
    nothing pass until the debt is paid. Refused requests spend nothing.
    """

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Full at first; the clock is in seconds."""
        self._rate = rate
        self._clock = clock
        self._tokens = float(rate.burst)
        self._filled_at = clock()

    def take(self) -> bool:
        """Spends a token, and returns False if there is none."""
        self._fill()
        if self._tokens < 1 - ROUNDING:
            return False
        self._tokens -= 1
        return True

    def spend(self, number: int) -> None:
        """Spends tokens whether they are there or not."""
        self._tokens -= number

    def look(self) -> Allowance:
        self._fill()
        missing, per_second = 1 - ROUNDING - self._tokens, self._rate.per_second
        return Allowance(
            rate=self._rate,
            remaining=max(0, math.floor(self._tokens + ROUNDING)),
            retry_in_s=0 if missing <= 0 else max(1, math.ceil(missing / per_second)),
            full_in_s=math.ceil(max(0.0, self._rate.burst - ROUNDING - self._tokens) / per_second),
        )

    def _fill(self) -> None:
        now = self._clock()
        come = (now - self._filled_at) * self._rate.per_second
        self._tokens = min(self._rate.burst, self._tokens + come)
        self._filled_at = now
