"""Readiness of a detector, known from its last detection; after an error, from a probe."""

import time
from collections.abc import Awaitable, Callable

from dirdet.errors import DeadlineError, EngineError

# A probe is a detection, which is too much for every health check.
PROBE_EVERY_S = 1.0


class Readiness:
    """Whether a detector answers; safe to use from any thread.

    Attributes:
        proven: whether the last detection succeeded.
    """

    def __init__(self, probe: Callable[[], Awaitable[object]]) -> None:
        """Not proven yet.

        Args:
            probe: detects on an empty canvas; raises if that does not succeed.
        """
        self._probe = probe
        self.proven = False
        self._trouble = "no detection has succeeded yet"
        self._probed_s = float("-inf")

    def failed(self, error: Exception) -> None:
        """A detection failed; a missed deadline does not count."""
        if isinstance(error, DeadlineError):
            return
        self.proven = False
        self._trouble = str(error) if isinstance(error, EngineError) else "the last detection failed"

    async def check(self) -> None:
        """Returns if the detector answers; sends a probe where that is not known, at most once a second.

        Raises:
            EngineError: the detector does not answer.
        """
        if self.proven:
            return
        if time.monotonic() - self._probed_s >= PROBE_EVERY_S:
            self._probed_s = time.monotonic()
            try:
                await self._probe()
            except Exception as exc:
                self.failed(exc)
            else:
                self.proven = True
        if not self.proven:
            raise EngineError(self._trouble)
