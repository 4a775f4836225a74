"""How often a key may ask: rates as people write them, and the token bucket that holds them."""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86400}
WRITTEN = re.compile(r"([1-9][0-9]{0,8})/(s|min|h|d)")
EXPECTED = "expected a number per s, min, h or d, such as 10/s"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in a period, on average; `burst` at once after a pause.

    Attributes:
        amount: requests in a period.
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
            ValueError: it is none; says what was expected.
        """
        matched = WRITTEN.fullmatch(text)
        if matched is None:
            raise ValueError(f"{EXPECTED}; found {text!r}")
        amount = int(matched[1])
        return cls(amount, matched[2], amount if burst is None else burst)

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.amount}/{self.unit}"

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.amount / UNITS_S[self.unit]

    @property
    def window_s(self) -> int:
        """Seconds in which an empty bucket becomes full, rounded up."""
        return math.ceil(self.burst * UNITS_S[self.unit] / self.amount)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a bucket says of one request.

    Attributes:
        rate: that was asked.
        remaining: requests that would pass right now.
        retry_in_s: seconds until one passes, rounded up; 0 where this one did.
        full_in_s: seconds until the bucket is full, rounded up.
    """

    rate: Rate
    remaining: int
    retry_in_s: int
    full_in_s: int

    @property
    def allowed(self) -> bool:
        """Whether the request passed."""
        return not self.retry_in_s

    def headers(self) -> dict[str, str]:
        """RateLimit and RateLimit-Policy, in the form that the IETF's drafts have had since draft-08 (2024)."""
        return {
            "RateLimit-Policy": f'"key";q={self.rate.burst};w={self.rate.window_s}',
            "RateLimit": f'"key";r={self.remaining};t={self.retry_in_s or self.full_in_s}',
        }


class TokenBucket:
    """Tokens that come at the rate and are spent one a request; refused requests cost nothing."""

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Full at first; the clock is in seconds."""
        self.rate = rate
        self._clock = clock
        self._tokens = float(rate.burst)
        self._filled_at = clock()

    def take(self) -> Allowance:
        """Spends a token, if there is one."""
        now = self._clock()
        per_second, burst = self.rate.per_second, self.rate.burst
        self._tokens = min(burst, self._tokens + (now - self._filled_at) * per_second)
        self._filled_at = now
        retry_in_s = 0
        # A hair below 1 is 1: whoever waited as long as told must not fail by rounding.
        if self._tokens >= 1 - 1e-6:
            self._tokens = max(0.0, self._tokens - 1)
        else:
            retry_in_s = max(1, math.ceil((1 - self._tokens) / per_second))
        full_in_s = math.ceil((burst - self._tokens) / per_second)
        return Allowance(self.rate, math.floor(self._tokens + 1e-6), retry_in_s, full_in_s)
